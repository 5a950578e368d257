"""Promises about `insecure`: it holds for the host it is set at, and a credential goes to no other host without verified TLS."""

from __future__ import annotations

import socket

import pytest
from aiohttp import web

from tests.fakes.certificates import Authority
from tests.fakes.registry import FakeRegistry, always, wants_bearer
from tests.fakes.still_time import StillTime
from tests.fakes.token_server import TokenServer
from updater.credentials.keychain import Keychain
from updater.errors import RegistryError
from updater.http.client import HttpClient
from updater.model.credential import parse_credential_ref
from updater.model.image import parse_name
from updater.registry.client import RegistryClient
from updater.registry.endpoints import RegistryEntry
from updater.registry.transport import RegistryTransport

OTHER = "auth.example.com"


@pytest.fixture
def other_host(monkeypatch):
    """Let the other host be this machine."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **rest: real("127.0.0.1" if host == OTHER else host, *more, **rest)
    )


@pytest.fixture
async def http():
    async with HttpClient(surroundings=StillTime().surroundings()) as client:
        yield client


@pytest.fixture
async def tokens(tmp_path):
    authority = Authority(tmp_path)
    async with TokenServer(tls=authority.server_context(authority.issue("server"))) as server:
        server.users["usr"] = "PASSWORD"
        yield server


def client(http, *entries: RegistryEntry) -> RegistryClient:
    return RegistryClient(RegistryTransport(http, Keychain(environment={"REG": "usr:PASSWORD"}, docker_configs=())), entries)


def lax(server: FakeRegistry, **more) -> RegistryEntry:
    reference = parse_credential_ref("env:REG")
    return RegistryEntry(prefix=server.host, url=server.url, insecure=True, credentials=reference, **more)


@pytest.mark.parametrize("lists", [(), (OTHER,)])
async def test_the_token_server_on_another_host_is_verified(http, tokens, other_host, lists):
    """Neither unverified TLS nor plain HTTP carries the password there, wherever that host may be."""
    async with FakeRegistry() as server:
        server.push("org/app", "1.0.0")
        for scheme in ("https", "http"):
            realm = f'Bearer realm="{scheme}://{OTHER}:{tokens.port}/token",service="s"'
            server.faults[:] = [wants_bearer(lambda _name, realm=realm: realm, tokens.is_ours)]
            with pytest.raises(RegistryError):
                await client(http, lax(server, private_hosts=lists)).tags(parse_name(f"{server.host}/org/app"))
    assert tokens.asked == []


async def test_a_token_server_that_is_marked_itself_is_asked_as_it_is_marked(http, tokens, other_host):
    async with FakeRegistry() as server:
        server.push("org/app", "1.0.0")
        realm = f'Bearer realm="https://{OTHER}:{tokens.port}/token",service="s"'
        server.faults.append(wants_bearer(lambda _name: realm, tokens.is_ours))
        marked = RegistryEntry(prefix=OTHER, insecure=True)
        assert (await client(http, lax(server), marked).tags(parse_name(f"{server.host}/org/app"))).tags == ("1.0.0",)
    assert len(tokens.asked) == 1


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_redirect_to_another_host_is_verified(http, tmp_path, other_host, scheme):
    """What `insecure` allows ends at the redirect."""
    authority = Authority(tmp_path)
    tls = authority.server_context(authority.issue("server")) if scheme == "https" else None
    async with FakeRegistry(tls=tls) as storage, FakeRegistry() as server:
        storage.push("org/app", "6.6.6")
        location = f"{scheme}://{OTHER}:{storage.port}/v2/org/app/tags/list"
        server.faults.append(always("/tags/", lambda _: web.Response(status=302, headers={"Location": location})))
        with pytest.raises(RegistryError):
            await client(http, lax(server, private_hosts=(OTHER,))).tags(parse_name(f"{server.host}/org/app"))
        assert storage.asked == []


@pytest.mark.parametrize("is_listed", [True, False])
async def test_only_a_registry_of_the_settings_is_sent_on_with_a_client_certificate_of_ours(http, tmp_path, is_listed):
    """Another one would be given the token that a token server grants to us, whom it knows by that certificate."""
    authority = Authority(tmp_path)
    mine = authority.issue("mine")
    tls = authority.server_context(authority.issue("server"), wants_client=True)
    async with TokenServer(tls=tls) as tokens, FakeRegistry() as server:
        server.push("org/app", "1.0.0")
        realm = f'Bearer realm="https://localhost:{tokens.port}/token",service="s"'
        server.faults.append(wants_bearer(lambda _: realm, tokens.is_ours))
        entries = [RegistryEntry(prefix="localhost", ca=str(authority.path), client_certificate=str(mine.certificate))]
        entries += [RegistryEntry(prefix=server.host)] if is_listed else []
        registry, image = client(http, *entries), parse_name(f"{server.host}/org/app")
        if is_listed:
            assert (await registry.tags(image)).tags == ("1.0.0",)
        else:
            with pytest.raises(RegistryError):
                await registry.tags(image)
            assert tokens.asked == []
