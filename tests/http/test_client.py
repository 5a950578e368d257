"""Promises of the HTTP client, kept against real sockets."""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from tests.fakes.certificates import Authority
from tests.fakes.registry import FakeRegistry, always, times
from tests.fakes.still_time import StillTime
from updater.errors import UpdaterError
from updater.http.client import HttpClient
from updater.http.exchange import Connection, FailureKind, HttpFailure, HttpRequest, Pace
from updater.http.limits import Patience


@pytest.fixture
async def server():
    async with FakeRegistry() as server:
        yield server


@pytest.fixture
async def time():
    return StillTime()


@pytest.fixture
async def http(time):
    async with HttpClient(surroundings=time.surroundings()) as client:
        yield client


def get(server: FakeRegistry, path: str = "/v2/", **more) -> HttpRequest:
    return HttpRequest(url=f"{server.url}{path}", **more)


async def test_an_answer_has_status_headers_and_body(http, server):
    answer = await http.send(get(server))
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.header("docker-distribution-api-version") == "registry/2.0"
    assert answer.header("absent") is None
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


async def test_every_exchange_is_observed_with_host_status_and_seconds(server, time):
    seen = []
    async with HttpClient(observe=lambda *what: seen.append(what), surroundings=time.surroundings()) as http:
        await http.send(get(server))
        server.faults.append(times(1, 500))
        await http.send(get(server))
        port = server.port
        await server.stop()
        with pytest.raises(HttpFailure):
            await http.send(HttpRequest(url=f"http://127.0.0.1:{port}/"))
    assert [(host, status) for host, status, _ in seen] == [(f"127.0.0.1:{port}", status) for status in (200, 500, 200, 0, 0, 0)]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_passing_refusal_is_tried_again_with_growing_waits(http, server, time, status):
    server.faults.append(times(2, status))
    assert (await http.send(get(server))).status == 200
    assert sum(time.slept) == pytest.approx(0.5 + 1.0, abs=0.6)
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 501])
async def test_a_lasting_refusal_is_given_at_once(http, server, time, status):
    server.faults.append(times(9, status))
    assert (await http.send(get(server))).status == status
    assert (len(server.asked), time.slept) == (1, [])


async def test_tries_are_bounded(http, server):
    server.faults.append(times(99, 503))
    assert (await http.send(get(server))).status == 503
    assert len(server.asked) == 3


async def test_a_wait_that_is_asked_for_is_kept(http, server, time):
    server.faults.append(times(1, 429, headers={"Retry-After": "7"}))
    assert (await http.send(get(server))).status == 200
    assert sum(time.slept) == pytest.approx(7.0)


async def test_a_wait_that_is_too_long_ends_the_request_and_holds_for_the_whole_host(http, server, time):
    server.faults.append(times(1, 429, headers={"Retry-After": "300"}))
    answer = await http.send(get(server, lane="one"))
    assert (answer.status, http.wait_asked(answer)) == (429, 300.0)
    with pytest.raises(HttpFailure) as paused:
        await http.send(get(server, "/v2/other/tags/list", lane="other"))
    assert (paused.value.trouble, paused.value.retry_after) == (FailureKind.PAUSED, 300.0)
    assert len(server.asked) == 1, "nothing was sent meanwhile"
    time.now += 301
    assert (await http.send(get(server))).status == 200


async def test_a_used_up_limit_slows_the_whole_host_down(http, server, time):
    headers = {"ratelimit-limit": "100;w=1000", "ratelimit-remaining": "0;w=1000"}
    server.faults.append(times(1, 200, headers=headers))
    await http.send(get(server))
    await http.send(get(server, lane="other"))
    assert sum(time.slept) == pytest.approx(10.0)


async def test_a_rate_is_kept(http, server, time):
    await asyncio.gather(*(http.send(get(server, pace=Pace(concurrency=4, rate=2.0))) for _ in range(4)))
    assert max(time.slept) <= 1.5
    assert len(time.slept) == 3


async def test_no_more_requests_than_allowed_are_under_way(http, server):
    inside = most = 0

    async def slow(_request):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.005)
        inside -= 1
        return web.Response()

    server.faults.append(always("/v2/", slow))
    await asyncio.gather(*(http.send(get(server, pace=Pace(concurrency=3))) for _ in range(12)))
    assert most == 3


async def test_a_server_that_is_down_is_tried_a_few_times_and_then_left_alone(time):
    async with (
        HttpClient(patience=Patience(broken_in_a_row=4), surroundings=time.surroundings()) as http,
        FakeRegistry() as server,
    ):
        request = get(server)
        await server.stop()
        troubles = []
        for _ in range(3):
            with pytest.raises(HttpFailure) as failure:
                await http.send(request)
            troubles.append(failure.value.trouble)
            time.now += 0.1
        assert troubles == [FailureKind.UNREACHABLE, FailureKind.DOWN, FailureKind.DOWN]


async def test_a_broken_answer_is_asked_for_again(http, server):
    async def cut(request):
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        request.transport.abort()
        return response

    server.faults.append(always("/cut", cut))
    with pytest.raises(HttpFailure) as failure:
        await http.send(get(server, "/cut"))
    assert failure.value.trouble is FailureKind.BROKEN
    assert len(server.asked) == 3


async def test_a_server_that_says_nothing_ends_in_a_timeout(server, time):
    async def sleepy(_request):
        await asyncio.sleep(5)

    server.faults.append(always("/sleepy", sleepy))
    async with HttpClient(patience=Patience(total_timeout=0.05, attempts=1), surroundings=time.surroundings()) as http:
        with pytest.raises(HttpFailure) as failure:
            await http.send(get(server, "/sleepy"))
    assert failure.value.trouble is FailureKind.TIMEOUT


class TestSize:
    @pytest.mark.parametrize("is_chunked", [False, True])
    async def test_an_answer_beyond_its_limit_is_refused_and_not_read(self, http, server, is_chunked):
        sent = 0

        async def endless(request):
            nonlocal sent
            response = web.StreamResponse()
            if is_chunked:
                response.enable_chunked_encoding()
            else:
                response.content_length = 10**9
            await response.prepare(request)
            while sent < 10**9:
                await response.write(b"x" * 65536)
                sent += 65536
            return response

        server.faults.append(always("/big", endless))
        with pytest.raises(HttpFailure) as failure:
            await http.send(get(server, "/big", limit=100_000))
        assert failure.value.trouble is FailureKind.TOO_LARGE
        assert sent < 50_000_000

    async def test_an_answer_of_exactly_its_limit_is_fine(self, http, server):
        server.faults.append(times(1, 200, part="/exact", text="x" * 1000))
        assert len((await http.send(get(server, "/exact", limit=1000))).body) == 1000

    async def test_a_gzip_bomb_is_refused_by_its_decoded_size(self, http, server):
        bomb = gzip.compress(b"0" * 50_000_000)
        server.faults.append(always("/bomb", lambda _: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})))
        with pytest.raises(HttpFailure) as failure:
            await http.send(get(server, "/bomb", limit=1_000_000))
        assert failure.value.trouble is FailureKind.TOO_LARGE

    @pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)])
    async def test_an_encoding_we_did_not_ask_for_is_still_read(self, http, server, coding, encode):
        body = encode(b'{"tags": []}' * 5000)
        server.faults.append(always("/coded", lambda _: web.Response(body=body, headers={"Content-Encoding": coding})))
        assert (await http.send(get(server, "/coded"))).body == b'{"tags": []}' * 5000

    @pytest.mark.parametrize(("coding", "body"), [("br", b"x"), ("gzip", b"this is no gzip")])
    async def test_an_encoding_that_cannot_be_read_is_said(self, http, server, coding, body):
        server.faults.append(always("/coded", lambda _: web.Response(body=body, headers={"Content-Encoding": coding})))
        with pytest.raises(HttpFailure) as failure:
            await http.send(get(server, "/coded"))
        assert failure.value.trouble is FailureKind.PROTOCOL

    async def test_of_an_error_page_only_the_beginning_is_read(self, http, server):
        server.faults.append(always("/page", lambda _: web.Response(status=404, text="x" * 1_000_000)))
        answer = await http.send(get(server, "/page"))
        assert (answer.status, len(answer.body)) == (404, 65536)

    async def test_headers_larger_than_usual_are_read(self, http, server):
        server.faults.append(always("/header", lambda _: web.Response(headers={"Link": "x" * 20_000})))
        assert len((await http.send(get(server, "/header"))).header("Link")) == 20_000

    async def test_headers_without_end_are_refused(self, http, server):
        server.faults.append(always("/header", lambda _: web.Response(headers={"Link": "x" * 200_000})))
        with pytest.raises(HttpFailure) as failure:
            await http.send(get(server, "/header"))
        assert failure.value.trouble is FailureKind.PROTOCOL


class TestRedirects:
    async def test_a_redirect_within_the_server_keeps_what_was_sent(self, http, server):
        server.faults.append(always("/from", lambda _: web.Response(status=307, headers={"Location": "/v2/"})))
        answer = await http.send(get(server, "/from", headers={"Authorization": "Basic abc"}))
        assert (answer.status, answer.url) == (200, f"{server.url}/v2/")
        assert [asked.authorization for asked in server.asked] == ["Basic abc", "Basic abc"]

    async def test_another_server_is_not_told_who_we_are(self, http, server):
        async with FakeRegistry() as storage:
            target = f"{storage.url}/v2/?X-Signature=secret%2Fword"
            server.faults.append(always("/blob", lambda _: web.Response(status=302, headers={"Location": target})))
            request = get(server, "/blob", headers={"Authorization": "Bearer abc", "Cookie": "a=b", "Accept": "x/y"})
            assert (await http.send(request)).status == 200
            assert storage.asked[0].authorization is None
            assert "Cookie" not in storage.asked[0].headers
            assert storage.asked[0].headers["Accept"] == "x/y"
            assert storage.asked[0].query == "X-Signature=secret/word"

    async def test_redirects_are_bounded(self, http, server):
        server.faults.append(always("/round", lambda _: web.Response(status=302, headers={"Location": "/round"})))
        with pytest.raises(HttpFailure, match="more than 5 times") as failure:
            await http.send(get(server, "/round"))
        assert failure.value.trouble is FailureKind.REDIRECT
        assert len(server.asked) == 6

    async def test_a_redirect_into_the_private_network_is_refused_without_its_secrets(self, http, server):
        target = "http://169.254.169.254/latest?token=secret"
        server.faults.append(always("/x", lambda _: web.Response(status=302, headers={"Location": target})))
        with pytest.raises(HttpFailure) as failure:
            await http.send(get(server, "/x"))
        assert failure.value.trouble is FailureKind.REDIRECT
        assert "secret" not in str(failure.value)

    async def test_a_redirect_without_a_place_is_an_answer(self, http, server):
        server.faults.append(always("/x", lambda _: web.Response(status=302)))
        assert (await http.send(get(server, "/x"))).status == 302

    async def test_what_is_posted_goes_to_no_other_server(self, http, server):
        async with FakeRegistry() as other:
            server.faults.append(always("/x", lambda _: web.Response(status=307, headers={"Location": f"{other.url}/v2/"})))
            with pytest.raises(HttpFailure):
                await http.send(get(server, "/x", method="POST", body=b"refresh_token=secret"))
            assert other.asked == []

    async def test_what_is_posted_may_move_within_the_server(self, http, server):
        async def take(request):
            return web.Response(body=await request.read())

        server.faults += [
            always("/x", lambda _: web.Response(status=307, headers={"Location": "/taken"})),
            always("/taken", take),
        ]
        assert (await http.send(get(server, "/x", method="POST", body=b"form"))).body == b"form"


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path):
        return Authority(tmp_path)

    async def test_a_server_is_trusted_by_its_authority_only(self, http, authority):
        async with FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server:
            with pytest.raises(HttpFailure) as failure:
                await http.send(get(server))
            assert failure.value.trouble is FailureKind.TLS
            assert "ca:" in failure.value.hint
            answer = await http.send(get(server, connection=Connection(ca=str(authority.path))))
            assert answer.status == 200

    @pytest.mark.parametrize("way", ["ca", "authority"])
    async def test_a_bundle_may_name_its_authorities_in_any_language(self, http, authority, way):
        pem = "# F\u0151tan\u00fas\u00edtv\u00e1ny\n" + authority.path.read_text()
        async with FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server:
            assert (await http.send(get(server, connection=Connection(**{way: pem})))).status == 200

    async def test_certificates_go_unverified_only_where_that_was_set(self, http, authority):
        async with FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server:
            assert (await http.send(get(server, connection=Connection(insecure=True)))).status == 200

    @pytest.mark.parametrize("key_suffix", [".key", ".pem"])
    async def test_a_client_certificate_is_shown_with_its_key_inside_or_beside_it(self, http, authority, key_suffix):
        pair = authority.issue("client", key_suffix=key_suffix)
        if key_suffix == ".pem":
            pair.certificate.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
        async with FakeRegistry(tls=authority.server_context(authority.issue("server"), wants_client=True)) as server:
            known = Connection(ca=str(authority.path), client_certificate=str(pair.certificate))
            assert (await http.send(get(server, connection=known))).status == 200
            unverified = replace(known, ca=None, insecure=True)
            assert (await http.send(get(server, connection=unverified))).status == 200
            with pytest.raises(HttpFailure):
                await http.send(get(server, connection=Connection(ca=str(authority.path))))

    async def test_a_renewed_authority_is_read_again(self, tmp_path, authority, monkeypatch):
        monkeypatch.setattr("updater.http.session._FILES_CHECKED_EVERY", 0.0)
        (tmp_path / "old").mkdir()
        trusted = tmp_path / "trusted.pem"
        trusted.write_bytes(Authority(tmp_path / "old").path.read_bytes())
        async with HttpClient() as http, FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server:
            request = get(server, connection=Connection(ca=str(trusted)))
            with pytest.raises(HttpFailure):
                await http.send(request)
            trusted.write_bytes(authority.path.read_bytes())
            assert (await http.send(request)).status == 200
            assert (await http.send(request)).status == 200
            trusted.write_bytes(authority.path.read_bytes() + b"\n")
            assert (await http.send(request)).status == 200

    @pytest.mark.parametrize("content", [None, b"this is no certificate"])
    async def test_files_that_cannot_be_used_are_named(self, http, server, tmp_path, content):
        path = tmp_path / "x.pem"
        if content:
            path.write_bytes(content)
        for connection in (Connection(ca=str(path)), Connection(client_certificate=str(path))):
            with pytest.raises(HttpFailure, match=re.escape(str(path))) as failure:
                await http.send(get(server, connection=connection))
            assert failure.value.trouble is FailureKind.SETTINGS

    async def test_plain_http_spoken_to_a_tls_port_is_said(self, http, authority):
        async with FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server:
            with pytest.raises(HttpFailure):
                await http.send(HttpRequest(url=f"http://{server.host}/v2/"))

    async def test_tls_spoken_to_a_plain_port_is_said(self, http, server):
        with pytest.raises(HttpFailure) as failure:
            await http.send(HttpRequest(url=f"https://{server.host}/v2/"))
        assert failure.value.trouble is FailureKind.TLS


class TestProxies:
    async def test_a_proxy_that_is_set_is_used(self, http, server):
        request = HttpRequest(url="http://registry.example.com/v2/", connection=Connection(proxy=server.url))
        assert (await http.send(request)).status == 200
        assert server.asked[0].headers["Host"] == "registry.example.com"

    @pytest.mark.parametrize("where", ["setting", "environment"])
    async def test_a_socks_proxy_is_refused_with_what_works(self, http, monkeypatch, where):
        proxy = "socks5://127.0.0.1:9" if where == "setting" else None
        monkeypatch.setenv("http_proxy", "socks5h://127.0.0.1:9")
        with pytest.raises(HttpFailure) as caught:
            await http.send(HttpRequest(url="http://registry.example.com/v2/", connection=Connection(proxy=proxy)))
        assert (caught.value.trouble, "http or https proxy" in caught.value.hint) == (FailureKind.SETTINGS, True)

    async def test_the_environment_names_a_proxy_and_who_goes_without(self, http, server, monkeypatch):
        monkeypatch.setenv("http_proxy", server.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert (await http.send(HttpRequest(url="http://registry.example.com/v2/"))).status == 200
        assert server.asked[-1].headers["Host"] == "registry.example.com"
        assert (await http.send(get(server))).status == 200
        assert server.asked[-1].headers["Host"] == server.host

    async def test_an_address_goes_without_a_proxy_where_its_network_does(self, http, server, monkeypatch):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", ".svc, 127.0.0.0/8")
        assert (await http.send(get(server))).status == 200

    async def test_a_proxy_that_refuses_is_said(self, http, server):
        request = HttpRequest(url="https://registry.example.com/v2/", connection=Connection(proxy=server.url))
        with pytest.raises(HttpFailure, match="proxy refused") as failure:
            await http.send(request)
        assert failure.value.trouble is FailureKind.UNREACHABLE


@asynccontextmanager
async def raw_server(answer: bytes):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: gopher://x/\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_no_foreign_exception_ever_leaves(http, answer):
    async with raw_server(answer) as port:
        with pytest.raises(UpdaterError) as failure:
            await http.send(HttpRequest(url=f"http://127.0.0.1:{port}/v2/"))
    assert isinstance(failure.value, HttpFailure)
    assert failure.value.code.startswith("http-")
    assert failure.value.hint


@pytest.mark.parametrize(
    "url", ["", "registry.example.com", "https://", "https://host:x/", "http://a..b.invalid/", "http://\u200b.invalid/"]
)
async def test_an_address_that_leads_nowhere_is_an_expected_failure(http, url):
    with pytest.raises(HttpFailure):
        await http.send(HttpRequest(url=url))


async def test_who_is_cancelled_gives_the_turn_back(http, server):
    entered = asyncio.Event()

    async def stuck(_request):
        entered.set()
        await asyncio.sleep(5)

    server.faults.append(always("/stuck", stuck))
    task = asyncio.create_task(http.send(get(server, "/stuck", pace=Pace(concurrency=1))))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await http.send(get(server, pace=Pace(concurrency=1)))).status == 200


async def test_a_closed_client_may_be_used_again(http, server):
    await http.send(get(server))
    await http.close()
    assert (await http.send(get(server))).status == 200


def test_a_proxys_password_is_never_shown():
    assert "word" not in repr(Connection(proxy="http://user:word@proxy.example.com"))


def test_the_client_costs_no_import_of_aiohttp_before_its_first_request():
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    code = (
        "import sys, updater.http.client, updater.registry.client, updater.credentials.keychain; print('aiohttp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


async def test_a_proxy_may_want_user_and_password(http, server):
    proxy = f"http://user:word@127.0.0.1:{server.port}"
    request = HttpRequest(url="http://registry.example.com/v2/", connection=Connection(proxy=proxy))
    assert (await http.send(request)).status == 200
    assert server.asked[0].headers["Proxy-Authorization"] == "Basic dXNlcjp3b3Jk"
