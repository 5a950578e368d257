"""Promises about addresses that the other side names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.http.address import is_private, is_spared, origin_of, resolve, shown, split
from updater.http.exchange import HttpFailure, Trouble

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
        "https://user:word@storage.example.com/x",
        "ftp://storage.example.com/x",
        "https://[::1/x",
        "https://host:99999/x",
    ],
)
def test_a_place_inside_or_outside_of_tls_is_refused(reference):
    with pytest.raises(HttpFailure) as refused:
        resolve(HOME, reference, home=HOME)
    assert refused.value.trouble in {Trouble.REDIRECT, Trouble.PROTOCOL}
    assert refused.value.hint
    assert "word" not in refused.value.message


def test_a_registry_on_a_private_address_may_name_its_own_host():
    home = "https://10.0.0.4:5000/v2/"
    assert resolve(home, "https://10.0.0.4:9000/blob", home=home) == "https://10.0.0.4:9000/blob"
    with pytest.raises(HttpFailure):
        resolve(home, "https://10.0.0.5:9000/blob", home=home)


def test_tls_may_be_left_only_where_plain_http_was_allowed():
    assert resolve(HOME, "http://storage.example.com/x", home=HOME, allow_plain=True) == "http://storage.example.com/x"


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
