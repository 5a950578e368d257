"""What sessions promise: an authority may be a file or the text itself, a broken one is said, and their number is bounded."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from aiohttp import web

from tests.fakes.certificates import Authority
from tests.fakes.registry import FakeRegistry, always
from updater.http.budget import Budget
from updater.http.exchange import Connection, FailureKind, HttpFailure, HttpRequest
from updater.http.limits import Patience
from updater.http.session import Sessions, tls_context


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


class TestManyConnections:
    """Objects of a cluster may name connections without end."""

    async def test_of_more_sessions_than_are_kept_the_one_unused_for_longest_is_closed(self):
        async with FakeRegistry() as server:
            sessions = Sessions(Patience(), Budget(), most=2)
            made = [HttpRequest(url=f"{server.url}/v2/", connection=Connection(server_name=name)) for name in "abc"]
            for request in (made[0], made[1], made[0], made[2]):
                await sessions.exchange(request)
            assert [connection.server_name for connection in sessions._open] == ["a", "c"]
            await sessions.close()

    async def test_a_session_with_something_in_flight_is_not_closed(self):
        asked, go = asyncio.Event(), asyncio.Event()

        async def slow(_request):
            asked.set()
            await go.wait()
            return web.Response(text="whole")

        async with FakeRegistry() as server:
            server.faults.append(always("/slow", slow))
            sessions = Sessions(Patience(), Budget(), most=1)
            waiting = asyncio.create_task(sessions.exchange(HttpRequest(url=f"{server.url}/slow")))
            await asked.wait()
            for name in "abc":
                await sessions.exchange(HttpRequest(url=f"{server.url}/v2/", connection=Connection(server_name=name)))
            go.set()
            assert (await waiting).body == b"whole"
            assert len(sessions._open) <= 2
            await sessions.close()


def test_an_authority_is_trusted_besides_a_client_certificate_given_as_text(authority):
    pair = authority.issue("client")
    pem = pair.certificate.read_text() + pair.key.read_text()
    for ca in (str(authority.path), authority.path.read_text()):
        context = tls_context(Connection(ca=ca, client_pem=pem))
        assert isinstance(context, ssl.SSLContext)
        assert tls_context(Connection(ca=ca)).get_ca_certs() == context.get_ca_certs()
    assert pem not in repr(Connection(client_pem=pem))
