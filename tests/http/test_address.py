"""Promises about addresses that the other side names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.http.address import connection_to, is_listed, is_private, is_spared, origin_of, resolve, shown, split
from updater.http.exchange import Connection, FailureKind, HttpFailure

HOME = "https://registry.example.com/v2/a/tags/list"


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("/v2/a/tags/list?last=x", "https://registry.example.com/v2/a/tags/list?last=x"),
        ("list?last=x", "https://registry.example.com/v2/a/tags/list?last=x"),
        ("//storage.example.com/x", "https://storage.example.com/x"),
        ("https://storage.example.com/x?sig=a%2Fb#part", "https://storage.example.com/x?sig=a%2Fb"),
        ("https://8.8.8.8/x", "https://8.8.8.8/x"),
    ],
)
def test_a_public_place_may_be_followed(reference, target):
    assert resolve(HOME, reference, home=HOME) == target


@pytest.mark.parametrize(
    "reference",
    [
        "http://storage.example.com/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://a.localhost/x",
        "https://10.1.2.3/x",
        "https://192.168.0.1:8443/x",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/x",
        "https://[::1]/x",
        "https://[fe80::1]/x",
        "https://[fd00::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[2002:7f00:1::]/x",
        "https://2130706433/x",
        "https://127.1/x",
        "https://0x7f.0.0.1/x",
        "https://0/x",
        "https://１２７。０。０。２/x",
        "https://①②⑦.⓪.⓪.②/x",
        "https://127｡0．0。1/x",
        "https://0177.0.0.1/x",
        "https://0x7f000001/x",
        "https://127.0.0.1./x",
        "https://LOCALHOST./x",
        "https://ｌｏｃａｌｈｏｓｔ/x",
        "https://[::127.0.0.1]/x",
        "https://[::ffff:7f00:1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[64:ff9b::10.0.0.1]/x",
        "https://[64:ff9b:1::7f00:1]/x",
        "https://[2001:470::5efe:7f00:1]/x",
        "https://[2001:470::200:5efe:10.0.0.1]/x",
        "https://[fd00::5efe:8.8.8.8]/x",
        "https://[fe80::200:5efe:8.8.8.8]/x",
        "https://[::ffff:0:127.0.0.1]/x",
        "https://[3fff::1]/x",
        "https://[5f00::1]/x",
        "https://192.0.0.8/x",
        "https://192.88.99.1/x",
        "https://198.18.0.1/x",
        "https://240.0.0.1/x",
        "https://8.8.8.8%25lo/x",
        "https://local\u00adhost/x",
        "https://loc\u200balhost/x",
        "https://[fec0::1]/x",
        "https://[ff02::1]/x",
        "https://224.0.0.1/x",
        "https://0.0.0.0/x",
        "https://[::]/x",
        "https://[fe80::1%25lo]/x",
        "https://127.0.0.%31/x",
        "https://127.0.0.1\\x",
        "https://user:word@storage.example.com/x",
        "ftp://storage.example.com/x",
        "https://[::1/x",
        "https://host:99999/x",
    ],
)
def test_a_place_inside_or_outside_of_tls_is_refused(reference):
    with pytest.raises(HttpFailure) as refused:
        resolve(HOME, reference, home=HOME)
    assert refused.value.trouble in {FailureKind.REDIRECT, FailureKind.PROTOCOL}
    assert refused.value.hint
    assert "word" not in refused.value.message


def test_a_registry_on_a_private_address_may_name_its_own_host():
    home = "https://10.0.0.4:5000/v2/"
    assert resolve(home, "https://10.0.0.4:9000/blob", home=home) == "https://10.0.0.4:9000/blob"
    with pytest.raises(HttpFailure):
        resolve(home, "https://10.0.0.5:9000/blob", home=home)


def test_a_target_is_asked_by_the_name_that_was_judged():
    """A host is normalised once, and the URL that is asked holds the normalised one."""
    assert resolve(HOME, "https://８.８.８.８:444/x", home=HOME) == "https://8.8.8.8:444/x"
    assert resolve(HOME, "https://Storage.Example.com./x", home=HOME) == "https://storage.example.com/x"
    assert resolve(HOME, "https://0x08080808/x", home=HOME) == "https://8.8.8.8/x"
    assert resolve(HOME, "https://[64:ff9b::8.8.8.8]/x", home=HOME) == "https://[64:ff9b::808:808]/x"
    assert resolve(HOME, "https://[2001:470::5efe:8.8.8.8]/x", home=HOME) == "https://[2001:470::5efe:808:808]/x"


@given(
    address=st.sampled_from(["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0"]),
    spell=st.lists(st.sampled_from([str, hex, oct]), min_size=4, max_size=4),
    digits=st.sampled_from(["0123456789", "０１２３４５６７８９", "⓪①②③④⑤⑥⑦⑧⑨", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"]),
    dot=st.sampled_from(".。．｡"),
    end=st.sampled_from(["", "."]),
    whole=st.booleans(),
)
def test_no_spelling_of_a_private_address_is_followed(address, spell, digits, dot, end, whole):
    """Decimal, octal and hex numbers, digits and dots of other scripts, one number for all: each is read before it is judged."""
    numbers = [int(part) for part in address.split(".")]
    if whole:
        numbers = [int.from_bytes(bytes(numbers), "big")]
    text = dot.join(make(number).replace("0o", "0") for make, number in zip(spell, numbers, strict=False)) + end
    text = text.translate(str.maketrans("0123456789", digits))
    with pytest.raises(HttpFailure) as refused:
        resolve(HOME, f"https://{text}/x", home=HOME)
    assert refused.value.trouble is FailureKind.REDIRECT


def test_plain_http_is_fine_only_for_the_host_of_which_the_user_said_so():
    """`insecure` of one registry is neither for its token server nor for its storage on another host."""
    lax = Connection(insecure=True)
    with pytest.raises(HttpFailure, match=r"plain HTTP.*storage|storage.*plain HTTP"):
        resolve(HOME, "http://storage.example.com/x", home=HOME, connection=lax)
    assert resolve(HOME, "http://registry.example.com/x", home=HOME, connection=lax) == "http://registry.example.com/x"
    known = {"storage.example.com": lax}
    assert resolve(HOME, "http://storage.example.com/x", home=HOME, known=known) == "http://storage.example.com/x"
    with pytest.raises(HttpFailure):
        resolve(HOME, "http://registry.example.com/x", home=HOME, known=known)


def test_another_host_gets_nothing_that_was_said_of_the_first():
    """Another host: verified TLS, no client certificate, public addresses only; one of the configuration: what it says there."""
    own = Connection(insecure=True, client_certificate="me.pem", ca="corp.pem", server_name="r", private_hosts=("10.0.0.0/8",))
    other = connection_to("auth.example.com", home=HOME, connection=own)
    assert (other.insecure, other.client_certificate, other.server_name, other.is_guarded) == (False, None, None, True)
    assert (other.ca, other.private_hosts) == ("corp.pem", ("10.0.0.0/8",))
    assert connection_to("registry.example.com", home=HOME, connection=own) is own
    said = Connection(ca="auth.pem")
    assert connection_to("auth.example.com", home=HOME, connection=own, known={"auth.example.com": said}) is said


def test_a_listed_private_host_may_be_named_by_its_registry():
    """`private_hosts` holds names, the ends of names, and networks."""
    lists = Connection(private_hosts=("10.0.0.0/8", "auth.corp", "*.storage.corp"))
    assert resolve(HOME, "https://10.9.9.9/x", home=HOME, connection=lists) == "https://10.9.9.9/x"
    with pytest.raises(HttpFailure):
        resolve(HOME, "https://192.168.0.1/x", home=HOME, connection=lists)
    assert is_listed("AUTH.corp.", lists.private_hosts)
    assert is_listed("eu.storage.corp", lists.private_hosts)
    assert not is_listed("storage.corp", lists.private_hosts)
    assert not is_listed("evilstorage.corp", lists.private_hosts)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://user:word@r.example.com/v2/?n=5&last=a", "https://r.example.com/v2/?n=5&last=a"),
        ("https://s3.example.com/blob?X-Amz-Signature=abc", "https://s3.example.com/blob?…"),
        ("https://[::1", "an unreadable URL"),
    ],
)
def test_what_is_shown_holds_no_secret(url, text):
    assert shown(url) == text


def test_an_origin_has_the_port_that_its_scheme_implies():
    assert origin_of("https://R.example.com/x") == ("https", "r.example.com", 443)
    assert origin_of("http://r.example.com:5000") == ("http", "r.example.com", 5000)


@pytest.mark.parametrize("host", ["example.com", "8.8.8.8", "2606:4700::1111", "256.256.256.256", "registry", ""])
def test_public_hosts_and_names_are_not_private(host):
    assert not is_private(host)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text):
    for url in (text, f"https://{text}", f"https://{text}/x"):
        try:
            split(url)
            resolve(HOME, url, home=HOME)
        except HttpFailure as refused:
            assert refused.hint  # noqa: PT017 - any text may be either
        shown(url)


@pytest.mark.parametrize(
    ("host", "networks", "expected"),
    [
        ("10.96.0.1", "10.0.0.0/8", True),
        ("10.96.0.1", ".svc, 10.96.0.0/12 ,localhost", True),
        ("10.96.0.1", "192.168.0.0/16,fd00::/8", False),
        ("[fd00::1]", "fd00::/8", True),
        ("kube.example", "10.0.0.0/8", False),
        ("10.96.0.1", "", False),
    ],
)
def test_networks_go_without_a_proxy_as_clusters_write_them(host, networks, expected):
    assert is_spared(host, networks) is expected
