"""What goes wrong on real sockets is said in plain words, by registries, Git by HTTP and Git by SSH alike."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from tests.fakes.certificates import Authority
from tests.real.parts import free_port
from updater.errors import GitError
from updater.git.access import GitAccess
from updater.git.mirror import Mirror
from updater.http.client import HttpClient
from updater.http.exchange import Connection, HttpFailure, HttpRequest
from updater.http.limits import Patience

FOREIGN = re.compile(r"Errno|_ssl\.c|[A-Z][a-z]+(Error|Exception|Connection)\b|message=|0x[0-9a-f]|aiohttp|urllib3|\[SSL|b'|None")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@asynccontextmanager
async def serving(answer=b"", tls=None, *, waits_for=b"\r\n\r\n"):
    """A server that reads a request, sends *answer* and closes; yields its port."""

    async def talk(reader, writer):
        try:
            if answer.startswith(b"HTTP/"):
                await (reader.readuntil(waits_for) if waits_for else reader.read(1))
            writer.write(answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def by_http(url, folder, ca=None):
    async with HttpClient(patience=Patience(attempts=1, connect_timeout=5.0, total_timeout=20.0)) as http:
        with pytest.raises(HttpFailure) as caught:
            await http.send(HttpRequest(url=f"{url}/v2/", connection=Connection(ca=ca)))
    return caught.value


async def by_git(url, folder, ca=None):
    mirror = Mirror(f"{url}/fleet.git", folder / "mirror", GitAccess(ca=ca))
    try:
        with pytest.raises(GitError) as caught:
            await mirror.look("main")
    finally:
        await mirror.close()
    return caught.value


both = pytest.mark.parametrize("ask", [by_http, by_git])


def check(error, words, hint=""):
    said = f"{error.message} | {error.hint}"
    assert words in error.message, said
    assert hint in error.hint, said
    assert not FOREIGN.search(said), said


@both
async def test_a_port_on_which_nobody_listens(ask, tmp_path):
    check(await ask(f"http://127.0.0.1:{free_port()}", tmp_path), "connection refused")


@both
async def test_a_name_that_does_not_resolve(ask, tmp_path):
    check(await ask("https://registry.invalid", tmp_path), "the host name cannot be resolved")


@both
async def test_a_certificate_of_an_unknown_authority(ask, tmp_path, authority):
    async with serving(tls=authority.server_context(authority.issue("server"))) as port:
        error = await ask(f"https://127.0.0.1:{port}", tmp_path)
    check(error, "the server's certificate was issued by an authority that is not trusted", "ca")


@both
async def test_a_certificate_that_has_expired(ask, tmp_path, authority):
    pair = authority.issue("server", ends_in=-timedelta(days=1))
    async with serving(tls=authority.server_context(pair)) as port:
        error = await ask(f"https://127.0.0.1:{port}", tmp_path, str(authority.path))
    check(error, "the server's certificate has expired", "renew")


@both
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_for_another_host(ask, tmp_path, authority, host):
    pair = authority.issue("server", host="other.example.org")
    async with serving(tls=authority.server_context(pair)) as port:
        error = await ask(f"https://{host}:{port}", tmp_path, str(authority.path))
    check(error, f"the server's certificate is for another host name than {host}", "host name")


@both
async def test_a_server_that_speaks_no_tls(ask, tmp_path):
    async with serving(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 2, waits_for=b"") as port:
        error = await ask(f"https://127.0.0.1:{port}", tmp_path)
    check(error, "the server does not speak TLS on this port", "http://")


@both
async def test_a_server_that_greets_before_it_is_asked(ask, tmp_path):
    async with serving(b"220 mail.example.org ESMTP ready\r\n" * 4) as port:
        error = await ask(f"https://127.0.0.1:{port}", tmp_path)
    check(error, "the server does not speak TLS on this port", "http://")


@both
@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
        b"",
    ],
    ids=["ssh", "status", "header", "long", "length", "chunk", "short", "gzip", "nothing"],
)
async def test_an_answer_outside_http(ask, tmp_path, answer):
    async with serving(answer) as port:
        error = await ask(f"http://127.0.0.1:{port}", tmp_path)
    said = f"{error.message} | {error.hint}"
    assert f"127.0.0.1:{port}" in said
    assert not FOREIGN.search(said), said


async def test_a_git_server_of_ssh_that_is_none(tmp_path):
    async with serving(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 99, waits_for=b"") as port:
        check(await by_git(f"ssh://git@127.0.0.1:{port}", tmp_path), "the server does not speak SSH on this port")
    check(await by_git(f"ssh://git@127.0.0.1:{free_port()}", tmp_path), "connection refused")
    check(await by_git("ssh://git@forge.invalid", tmp_path), "the host name cannot be resolved")
