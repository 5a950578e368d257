"""Promises about names that another server chose: what they resolve to is checked, and exactly that is connected to."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.fakes.registry import FakeRegistry, always
from tests.fakes.still_time import StillTime
from updater.http.client import HttpClient
from updater.http.exchange import Connection, FailureKind, HttpFailure, HttpRequest
from updater.http.resolving import GuardedResolver, PrivateAddress

NAME = "storage.example.com"


class Names:
    """Answers for one name, in turn, the last one for ever; other names are as they are."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    def getaddrinfo(self, host, port, *args, **kwargs):
        if host != NAME:
            return self.real(host, port, *args, **kwargs)
        self.asked += 1
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        place = (address, port, 0, 0) if ":" in address else (address, port)
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)]

    real = staticmethod(socket.getaddrinfo)


@pytest.fixture
def named(monkeypatch):
    def install(*addresses: str) -> Names:
        names = Names(*addresses)
        monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
        return names

    return install


@pytest.fixture
async def http():
    async with HttpClient(surroundings=StillTime().surroundings()) as client:
        yield client


@asynccontextmanager
async def listening(host: str):
    """A server that counts connections and speaks no TLS."""
    came = []

    async def serve(_reader, writer):
        came.append(writer.get_extra_info("sockname")[0])
        writer.close()

    try:
        server = await asyncio.start_server(serve, host, 0)
    except OSError:
        pytest.skip(f"{host} cannot be listened on here")
    async with server:
        yield server.sockets[0].getsockname()[1], came


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1", "fe80::1"])
async def test_a_redirect_to_a_name_that_means_a_private_address_is_refused(http, named, address):
    """No connection is made, and the error names the address and the setting."""
    named(address)
    async with FakeRegistry() as server:
        server.faults.append(always("/v2/", lambda _: _redirect(f"https://{NAME}:{server.port}/x")))
        with pytest.raises(HttpFailure, match="private network") as refused:
            await http.send(HttpRequest(url=f"{server.url}/v2/"))
        assert refused.value.trouble is FailureKind.REDIRECT
        assert "private_hosts" in refused.value.hint
        assert len(server.asked) == 1


async def test_a_name_is_asked_for_once_and_the_checked_address_is_connected_to(http, named):
    """A name that means another address a moment later is not asked again between check and connection."""
    names = named("127.0.0.2", "127.0.0.1")
    async with listening("127.0.0.2") as (port, came), FakeRegistry() as server:
        server.faults.append(always("/v2/", lambda _: _redirect(f"https://{NAME}:{port}/x")))
        connection = Connection(private_hosts=("127.0.0.2/32",))
        with pytest.raises(HttpFailure):  # it speaks no TLS
            await http.send(HttpRequest(url=f"{server.url}/v2/", connection=connection))
    assert set(came) == {"127.0.0.2"}
    assert names.asked == 1, "of the addresses that it means, one answer counts"


async def test_a_private_host_that_is_listed_by_name_is_connected_to(http, named):
    named("127.0.0.1")
    async with listening("127.0.0.1") as (port, came), FakeRegistry() as server:
        server.faults.append(always("/v2/", lambda _: _redirect(f"https://{NAME}:{port}/x")))
        with pytest.raises(HttpFailure):
            await http.send(HttpRequest(url=f"{server.url}/v2/", connection=Connection(private_hosts=("*.example.com",))))
    assert came


async def test_the_host_that_the_user_named_may_be_private(http, named):
    """What is checked is what another server chose: a registry of one's own network needs no setting."""
    named("127.0.0.1")
    async with FakeRegistry() as server:
        assert (await http.send(HttpRequest(url=f"http://{NAME}:{server.port}/v2/"))).status == 200


async def test_one_private_address_among_several_is_enough_to_refuse(named):
    class Several:
        async def resolve(self, host, port=0, family=socket.AF_INET):
            return [{"host": "8.8.8.8"}, {"host": "10.0.0.1"}]

        async def close(self):
            return

    with pytest.raises(PrivateAddress):
        await GuardedResolver((), Several()).resolve(NAME)
    assert len(await GuardedResolver(("10.0.0.0/8",), Several()).resolve(NAME)) == 2


def _redirect(location: str):
    return web.Response(status=302, headers={"Location": location})
