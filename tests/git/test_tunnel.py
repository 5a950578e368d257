"""Git over HTTP, HTTPS and SSH through proxies that pass bytes on."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket

import pytest

from tests.fakes.git_server import GitServer
from tests.fakes.ssh_server import SshServer, make_key
from tests.real.parts import free_port, require
from updater.errors import GitDenied, GitError, GitUnavailable
from updater.git.access import GitAccess

pytestmark = pytest.mark.real
USER, WORD = "me", "p@ss:word"
LOGIN = "me:p%40ss%3Aword"


class Tunnels:
    """A proxy of RFC 1928 with the names and passwords of RFC 1929, or one that takes CONNECT; `asked` is where it connected."""

    def __init__(self, kind="socks", *, wants_login=True):
        self.kind = kind
        self.wants_login = wants_login
        self.asked = []
        self.tasks = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for _ in range(3):  # what was closed lets go of its socket in the next rounds of the loop
            await asyncio.sleep(0)

    def url(self, login=LOGIN):
        scheme = "socks5" if self.kind == "socks" else "http"
        return f"{scheme}://{login}{'@' if login else ''}127.0.0.1:{self.port}"

    async def serve(self, reader, writer):
        self.tasks.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            try:
                place = await (self.socks(reader, writer) if self.kind == "socks" else self.connect(reader, writer))
                if place is not None:
                    self.asked.append(place)
                    await self.pass_on(place, reader, writer)
            finally:
                writer.close()

    async def socks(self, reader, writer):
        _, count = await reader.readexactly(2)
        offered = await reader.readexactly(count)
        method = 2 if self.wants_login else 0
        if method not in offered:
            writer.write(b"\x05\xff")
            return None
        writer.write(bytes([5, method]))
        if method == 2:
            name = await reader.readexactly((await reader.readexactly(2))[1])
            word = await reader.readexactly((await reader.readexactly(1))[0])
            is_known = (name.decode(), word.decode()) == (USER, WORD)
            writer.write(b"\x01\x00" if is_known else b"\x01\x01")
            if not is_known:
                return None
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = socket.inet_ntoa(await reader.readexactly(4))
        port = int.from_bytes(await reader.readexactly(2), "big")
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        return host, port

    async def connect(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        pair = base64.b64encode(f"{USER}:{WORD}".encode()).decode()
        if self.wants_login and f"basic {pair}".lower() not in head.lower():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return None
        host, _, port = head.split()[1].rpartition(":")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        return host, int(port)

    @staticmethod
    async def pass_on(place, reader, writer):
        onward, back = await asyncio.open_connection(*place)
        try:
            await Tunnels.copy_both((reader, writer), (onward, back))
        finally:
            back.close()

    @staticmethod
    async def copy_both(near, far):
        (reader, writer), (onward, back) = near, far

        async def copy(source, target):
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            target.close()

        await asyncio.gather(copy(reader, back), copy(onward, writer))


async def test_http_goes_through_socks_with_a_login_and_the_proxy_resolves_the_name(server, mirrors, repository, commit):
    async with Tunnels() as tunnels:
        mirror = mirrors(server.url("fleet.git", "localhost"), GitAccess(proxy=tunnels.url()))
        head = await mirror.look("main")
        await mirror.fetch("main")
        await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"1"})])
        assert repository.show("x") == b"1"
        assert set(tunnels.asked) == {("localhost", server.port)}


async def test_https_is_verified_through_socks(repository, mirrors, authority):
    context = authority.context(authority.issue("server"))
    with GitServer(repository.path.parent, tls=context) as server:
        async with Tunnels(wants_login=False) as tunnels:
            access = GitAccess(proxy=tunnels.url(""), ca=authority.ca)
            assert (await mirrors(server.url("fleet.git"), access).look("main")).revision == repository.head()
            assert tunnels.asked


@pytest.mark.parametrize("kind", ["socks", "http"])
async def test_ssh_goes_through_a_proxy(repository, mirrors, tmp_path, kind):
    program = require("sshd")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    key = make_key(folder / "key")
    with SshServer(folder, program, authorized=[folder / "key.pub"]) as server:
        async with Tunnels(kind) as tunnels:
            access = GitAccess(private_key=key, known_hosts=server.known_hosts, proxy=tunnels.url())
            assert (await mirrors(server.url(repository.path), access).look("main")).revision == repository.head()
            assert tunnels.asked == [("127.0.0.1", server.port)]


@pytest.mark.parametrize("kind", ["socks", "http"])
async def test_a_proxy_that_refuses_its_user_is_told_without_the_password(mirrors, kind):
    url = "http://localhost/fleet.git" if kind == "socks" else "ssh://git@localhost/fleet.git"
    async with Tunnels(kind) as tunnels:
        access = GitAccess(proxy=tunnels.url("me:wrong-word"), known_hosts=b"")
        with pytest.raises(GitDenied) as caught:
            await mirrors(url, access).look("main")
    assert caught.value.code == "git-proxy"
    assert "wrong-word" not in str(caught.value)


async def test_a_proxy_that_is_not_there_is_told(mirrors):
    with pytest.raises(GitUnavailable) as caught:
        await mirrors("http://localhost/x.git", GitAccess(proxy=f"socks5://127.0.0.1:{free_port()}")).look("main")
    assert caught.value.code == "git-unreachable"


async def test_a_proxy_behind_tls_cannot_carry_ssh(mirrors):
    with pytest.raises(GitError) as caught:
        await mirrors("ssh://git@localhost/x.git", GitAccess(proxy="https://proxy:3128", known_hosts=b"")).look("main")
    assert caught.value.code == "git-url"
