"""What a session promises of TLS: an authority may be a file or the text itself, and a broken one is said."""

from __future__ import annotations

import ssl

import pytest

from tests.fakes.certificates import Authority
from updater.http.exchange import Connection, FailureKind, HttpFailure
from updater.http.session import tls_context


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def test_an_authority_given_as_text_counts_like_the_file_that_holds_it(authority):
    from_file = tls_context(Connection(ca=str(authority.path)))
    from_text = tls_context(Connection(ca=authority.path.read_text()))
    assert isinstance(from_text, ssl.SSLContext)
    assert from_text.get_ca_certs() == from_file.get_ca_certs()


def test_a_broken_authority_is_a_failure_of_the_settings_that_does_not_repeat_the_text():
    with pytest.raises(HttpFailure) as caught:
        tls_context(Connection(ca="-----BEGIN CERTIFICATE-----\nsecret\n"))
    assert caught.value.trouble is FailureKind.SETTINGS
    assert "secret" not in caught.value.message
