"""Find a credential that was sent to a server in the server's text, in every encoding.

A server may repeat a credential as it was sent, percent-encoded, escaped for JSON, HTML or mail, as hex, as base64 or base32 at
any offset, in lines, or as one of these inside another. So a text is read in each of these ways, to a bounded depth, and what
is found in a reading is traced back to the characters that it was read from. Letters count in either case and width: some names
are lower-cased on the way.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import sys
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MASK: Final = "•••"
SHORTEST: Final = 4  # a shorter one would be found inside ordinary words
_SHORTEST_ECHO: Final = 12  # below that, a tag may hold the same text by chance
_DEEPEST: Final = 3
_LONGEST_WRAPPED: Final = 8192  # joined, a longer text is one long run of base64, and what is told of a server is shorter
SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-updater-person"})
_ESCAPES: Final = (  # each is a reading of its own: a secret may hold what another one would read as an escape
    re.compile(r"%[0-9a-f]{2}", re.IGNORECASE),
    re.compile(r"\\u[0-9a-f]{4}|\\u\{[0-9a-f]{1,6}\}|\\x[0-9a-f]{2}|\\[0-3][0-7]{2}|\\[^ux]", re.IGNORECASE | re.DOTALL),
    re.compile(r"&#x[0-9a-f]{1,6};?|&#[0-9]{1,7};?|&[a-z]{2,8};", re.IGNORECASE),
    re.compile(r"=[0-9a-f]{2}", re.IGNORECASE),  # quoted-printable
)
_BETWEEN: Final = re.compile(
    "[\\s\\x00:\u00ad\u200b-\u200d\u2060\ufeff]+"
)  # what wraps long lines, and stands between bytes in hex
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{6,}")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{8,}")
_STANDARD: Final = str.maketrans("-_", "+/")
_NARROW: Final = {0xFEE0 + code: code for code in range(0x21, 0x7F)}  # full-width letters and digits

Span = tuple[int, int]


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return *text* with every form of each of *secrets* replaced."""
    return clipped(text, len(text), secrets)


def clipped(text: str, most: int, secrets: Iterable[str]) -> str:
    """Return the first *most* characters of *text*, masked: a secret that the end cuts in two is masked, too."""
    needles = _needles(secrets)
    if not needles:
        return text[:most]
    margin = 6 * max(map(len, needles))  # as much as two encodings, one in the other, make of the longest
    shown, end = [], 0
    for start, stop in _merged(_spans(text[: most + margin], needles, _DEEPEST)):
        if start >= most:
            break
        shown += [text[end:start], MASK]
        end = stop
    return "".join(shown) + text[end:most]


def holds(text: str, secrets: Iterable[str]) -> bool:
    """Return whether *text*, which may be long, repeats one of *secrets* that is too long to stand there by chance."""
    lowered = text.lower()
    return any(form.lower() in lowered for secret in secrets if len(secret) >= _SHORTEST_ECHO for form in _forms(secret))


def secrets_sent(headers: Mapping[str, str], proxy: str | None = None) -> tuple[str, ...]:
    """Return what a request shows that must not be repeated: what *headers* hold, and the password of the URL of its proxy."""
    found = [text for name, value in headers.items() if name.lower() in SECRET_HEADERS for text in _of_header(value)]
    if proxy and "@" in proxy:
        password = urlsplit(proxy).password or ""
        found += [password, unquote(password)]
    return tuple(dict.fromkeys(text for text in found if text))


def _of_header(value: str) -> Iterator[str]:
    scheme, _, rest = value.partition(" ")
    yield rest or value
    if scheme.lower() != "basic":
        return
    try:
        pair = base64.b64decode(rest).decode()
    except ValueError:
        return
    yield pair
    yield pair.partition(":")[2]


def _needles(secrets: Iterable[str]) -> list[str]:
    known = [secret for secret in secrets if len(secret) >= SHORTEST]
    known += [secret.replace(" ", "+") for secret in known if " " in secret]  # as forms are encoded
    return list(dict.fromkeys(form for secret in known for form in _forms(secret)))


def _forms(secret: str) -> Iterator[str]:
    """Yield the forms that are looked for as they are: base64 and hex among them, since a text may come in lower case."""
    data = secret.encode(errors="surrogateescape")
    yield secret
    yield quote(secret, safe="", errors="surrogateescape")
    if not secret.isascii():
        for text in (secret, secret.upper(), secret.lower()):  # as bytes look after one of the readings
            yield text.encode(errors="surrogateescape").decode("latin-1")
    yield data.hex()
    for before in range(5):
        known = base64.b32encode(bytes(before) + data).decode()[(before * 8 + 4) // 5 : (before + len(data)) * 8 // 5]
        if len(known) >= _SHORTEST_ECHO:
            yield known
    for before in range(3):
        # of the characters that hold bits of a neighbour only the whole ones are known
        coded = base64.b64encode(bytes(before) + data).decode()
        known = coded[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
        if len(known) >= SHORTEST:
            yield known
            yield known.replace("+", "-").replace("/", "_")


def _folded(text: str) -> str:
    """Return *text* in lower case, of the same length: some letters become two, and stay as they are."""
    if not text.isascii():
        text = text.translate(_NARROW)
    low = text.casefold()
    return low if len(low) == len(text) else "".join(one if len(one.casefold()) > 1 else one.casefold() for one in text)


def _spans(text: str, needles: list[str], depth: int) -> Iterator[Span]:
    """Yield where *text* holds a needle, in any reading of it."""
    folded = _folded(text)
    for needle in needles:
        start = folded.find(wanted := _folded(needle))
        while start >= 0:
            yield start, start + len(needle)
            start = folded.find(wanted, start + 1)
    if depth <= 0:
        return
    for escape in _ESCAPES:
        yield from _in_escapes(text, escape, needles, depth)
    longer = [needle for needle in needles if len(needle) >= _SHORTEST_ECHO]  # words in a row may say a short one by chance
    if longer and len(text) <= _LONGEST_WRAPPED:
        yield from _in_escapes(text, _BETWEEN, longer, depth)
    for found in _BASE64.finditer(text):
        yield from _in_base64(found[0], found.start(), needles, depth)
    for found in _HEX.finditer(text):
        for offset in range(2):
            run = found[0][offset:]
            decoded = bytes.fromhex(run[: len(run) // 2 * 2]).decode("latin-1")
            for start, end in _spans(decoded, needles, depth - 1):
                yield found.start() + offset + 2 * start, found.start() + offset + 2 * end


def _in_escapes(text: str, escape: re.Pattern[str], needles: list[str], depth: int) -> Iterator[Span]:
    places: list[int] = []
    read: list[str] = []
    end = 0
    for found in escape.finditer(text):
        one = "" if escape is _BETWEEN else _unescaped(found[0])
        places += range(end, found.start() + len(one))
        read += [text[end : found.start()], one]
        end = found.end()
    if end == 0:
        return
    places += range(end, len(text) + 1)
    for start, stop in _spans("".join(read) + text[end:], needles, depth - 1):
        yield places[start], places[stop - 1] + 1 if escape is _BETWEEN else places[stop]


def _unescaped(escape: str) -> str:
    """Return the one character that *escape* means."""
    if escape[0] == "&":
        return html.unescape(escape)[:1] or " "
    if escape[0] in "%=" or escape[1] in "uUxX":
        number = int(escape.strip("%=\\uUxX{}") or "0", 16)
        return chr(number) if number <= sys.maxunicode else " "
    return chr(int(escape[1:], 8)) if escape[1:].isdigit() and len(escape) == 4 else escape[1]


def _in_base64(run: str, place: int, needles: list[str], depth: int) -> Iterator[Span]:
    for offset in range(4):
        coded = run[offset:].translate(_STANDARD)
        coded = coded[: len(coded) - (len(coded) % 4 == 1)]
        try:
            decoded = base64.b64decode(coded + "=" * (-len(coded) % 4)).decode("latin-1")
        except (binascii.Error, ValueError):
            continue
        for start, end in _spans(decoded, needles, depth - 1):
            yield place + offset + start * 4 // 3, min(place + offset - (-end * 4 // 3), place + len(run))


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    held: Span | None = None
    for start, end in sorted(spans):
        if held is None or start > held[1]:
            if held:
                yield held
            held = start, end
        else:
            held = held[0], max(held[1], end)
    if held:
        yield held
