"""Promises about what a server was shown: no form of it is repeated."""

from __future__ import annotations

import base64
import json
import string
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.http.masking import MASK, holds, masked, secrets_sent
from updater.http.redaction import told

USER, PASSWORD = "robot$team", "pa55-W0rd/ü+x y"
PAIR = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def every_escape(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


ENCODINGS = {
    "plain": lambda text: text,
    "upper": str.upper,
    "url": lambda text: quote(text, safe=""),
    "url+": quote_plus,
    "every byte": every_escape,
    "json": lambda text: json.dumps(text)[1:-1],
    "json escapes": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    "html": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "html hex": lambda text: "".join(f"&#x{ord(char):x};" for char in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode(),
    "hex": lambda text: text.encode().hex(),
}
SECRETS = secrets_sent({"Authorization": f"Basic {PAIR}", "Accept": "text/plain"})
NO_SECRET = st.text(string.ascii_letters + string.digits + " /:.?&=%", max_size=20)


def test_what_a_request_shows_is_known_from_the_request_itself():
    """The header, the pair that it encodes, the password in it, and the password of the proxy."""
    assert (PAIR, f"{USER}:{PASSWORD}", PASSWORD) == SECRETS
    assert secrets_sent({"authorization": "Bearer abcdef"}, "http://u:p%2Fw@p/") == ("abcdef", "p%2Fw", "p/w")
    assert secrets_sent({}) == ()


@pytest.mark.parametrize("secret", [PASSWORD, PAIR, f"{USER}:{PASSWORD}"])
@pytest.mark.parametrize("outer", ENCODINGS)
@pytest.mark.parametrize("inner", ENCODINGS)
def test_no_encoding_of_a_secret_is_repeated(secret, outer, inner):
    """Nor one encoding inside another."""
    if inner == "upper" and outer == "upper":
        return
    text = ENCODINGS[outer](ENCODINGS[inner](secret))
    if {"base64", "base64 for URLs"} & {inner} and outer == "upper":
        return  # the letters of base64 are lost, and with them the secret
    shown = masked(f"GET https://x.example.com/{text}?a=b", SECRETS)
    assert MASK in shown
    assert text not in shown
    assert len(shown.replace(MASK, "")) < len("GET https://x.example.com/?a=b") + 13, shown  # padding of base64


@given(
    before=NO_SECRET,
    after=NO_SECRET,
    encode=st.lists(st.sampled_from([name for name in ENCODINGS if name != "upper"]), max_size=3),
    secret=st.sampled_from([PASSWORD, PAIR]),
)
def test_a_secret_inside_an_encoded_sentence_is_found(before, after, encode, secret):
    """At whatever offset: base64 looks different by what stands before."""
    text = before + secret + after
    for name in encode:
        text = ENCODINGS[name](text)
    shown = masked(text, SECRETS)
    assert MASK in shown
    assert len(text) - len(shown.replace(MASK, "")) >= len(secret)
    assert secret not in shown


@given(
    secret=st.text(st.sampled_from("abcXYZ019&+/=%\\;#xué"), min_size=12, max_size=30),
    encoding=st.sampled_from([name for name in ENCODINGS if name != "upper"]),
)
def test_a_secret_that_looks_like_an_encoding_is_found(secret, encoding):
    """What is in it is not decoded with what was encoded."""
    assert MASK in masked(ENCODINGS[encoding](secret), (secret,))


@given(st.text(max_size=300))
def test_a_text_without_secrets_stays_as_it_is(text):
    assert masked(text, ()) == text
    assert masked(text, ("no-such-secret-here",)) == text


@given(before=st.text(max_size=30), encoding=st.sampled_from(sorted(ENCODINGS)), most=st.integers(8, 60))
def test_a_secret_that_the_end_cuts_in_two_is_masked(before, encoding, most):
    text = ENCODINGS[encoding]("S3CRET-" * 6)
    shown = told("!" * (most - 8) + text, most=most, secrets=("S3CRET-" * 6,))
    assert text[:8] not in shown


def test_a_lower_cased_host_that_holds_a_secret_is_masked():
    """Host names lose their capitals, and base64 cannot be decoded after that."""
    assert MASK in masked(f"https://{PAIR.rstrip('=').lower()}.example.com/", SECRETS)


def test_a_tag_repeats_a_secret_only_if_it_is_too_long_for_chance():
    assert holds("1.0.0\n2.0.0-" + PAIR.rstrip("=").lower(), SECRETS)
    assert not holds("16-postgres\nlatest", ("postgres", "latest"))


def test_masking_a_long_text_takes_bounded_work():
    """A text made of nothing but encodings ends, and is masked."""
    text = "x" * 50_000
    for _ in range(3):
        text = base64.b64encode(text.encode()).decode()
    assert masked(text[:65_536], SECRETS) == text[:65_536]


WRAPPED = {
    "base64 in lines": lambda text: "\r\n ".join(_cut(base64.b64encode(text.encode()).decode(), 8)),
    "base64 in words": lambda text: " ".join(_cut(base64.b64encode(text.encode()).decode(), 4)),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "base32 of a sentence": lambda text: base64.b32encode(f"sent {text}.".encode()).decode().lower(),
    "hex with colons": lambda text: text.encode().hex(":"),
    "hex with spaces": lambda text: text.encode().hex(" "),
    "quoted-printable": lambda text: "".join(f"={byte:02X}" for byte in text.encode()),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "escapes in braces": lambda text: "".join(f"\\u{{{ord(char):x}}}" for char in text),
    "html without an end": lambda text: "".join(f"&#{ord(char)}" for char in text),
    "html by name": lambda text: text.replace("/", "&sol;").replace("+", "&plus;").replace("-", "&#45;"),
    "letters apart": " ".join,
    "invisible signs": "\u200b".join,
    "two bytes a letter": lambda text: text.encode("utf-16-le").decode("latin-1"),
    "base64 of two bytes a letter": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "full width": lambda text: "".join(chr(ord(char) + 0xFEE0) for char in text),
}


def _cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("form", WRAPPED)
def test_a_secret_in_lines_in_pieces_or_in_another_alphabet_is_not_repeated(form):
    secret = "Xk7/+hunter22-token"
    text = WRAPPED[form](secret)
    shown = masked(f"it said: {text} !", [secret])
    assert shown.startswith("it said: ")
    assert MASK in shown
    assert shown.endswith(" !")
    assert len(shown) <= len("it said:  !") + len(MASK) + 12  # what stands beside it in base32


def test_short_secrets_are_not_sought_across_words():
    assert masked("the answer", ["thea"]) == "the answer"
