"""Promises of answers without an end, of private authorities, and of requests that may be sent only once."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from tests.fakes.certificates import Authority
from tests.fakes.registry import FakeRegistry, always, times
from tests.fakes.still_time import StillTime
from updater.http.client import HttpClient
from updater.http.exchange import Connection, FailureKind, HttpFailure, HttpRequest, Pace


@pytest.fixture
async def server():
    async with FakeRegistry() as server:
        yield server


@pytest.fixture
async def time():
    return StillTime()


@pytest.fixture
async def seen():
    return []


@pytest.fixture
async def http(time, seen):
    async with HttpClient(surroundings=time.surroundings(), observe=lambda *what: seen.append(what[:2])) as client:
        yield client


def get(server: FakeRegistry, path: str = "/watch", **more) -> HttpRequest:
    return HttpRequest(url=f"{server.url}{path}", **more)


async def read(http, request: HttpRequest, *, idle: float) -> tuple[list[bytes], HttpFailure]:
    """Give the lines that came before the stream failed, and how it failed."""
    found: list[bytes] = []
    try:
        async with http.stream(request, idle=idle) as stream:
            async for line in stream.lines():
                found.append(line)  # noqa: PERF401 - what came before the failure counts
    except HttpFailure as failure:
        return found, failure
    raise AssertionError("it did not fail")


def sends(*pieces: bytes, ends: str = "well"):
    async def answer(request):
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if ends == "never":
            await asyncio.sleep(5)
        if ends == "broken":
            request.transport.abort()
        return response

    return always("/watch", answer)


async def test_lines_come_as_they_are_sent_whatever_their_length(http, server, seen):
    long = b"x" * 300_000
    server.faults.append(sends(b'{"a"', b":1}\n\n", long + b"\nlast\n"))
    async with http.stream(get(server), idle=5) as stream:
        assert stream.status == 200
        assert [line async for line in stream.lines()] == [b'{"a":1}', long, b"last"]
    assert seen == [(server.host, 200)]


async def test_a_line_that_broke_off_is_not_given(http, server):
    server.faults.append(sends(b"whole\nhal"))
    async with http.stream(get(server), idle=5) as stream:
        assert [line async for line in stream.lines()] == [b"whole"]


async def test_a_line_beyond_its_cap_ends_the_stream(http, server):
    server.faults.append(sends(b"whole\n" + b"x" * 2000, ends="never"))
    found, failure = await read(http, get(server, limit=1000), idle=5)
    assert (found, failure.trouble) == ([b"whole"], FailureKind.TOO_LARGE)


@pytest.mark.parametrize(("ends", "trouble"), [("never", FailureKind.TIMEOUT), ("broken", FailureKind.BROKEN)])
async def test_a_stream_that_falls_silent_or_breaks_is_an_expected_failure(http, server, ends, trouble):
    server.faults.append(sends(b"whole\n", ends=ends))
    found, failure = await read(http, get(server), idle=0.1)
    assert (found, failure.trouble) == ([b"whole"], trouble)


async def test_of_a_refused_stream_the_answer_can_be_read(http, server):
    server.faults.append(times(1, 410, text="gone"))
    async with http.stream(get(server), idle=5) as stream:
        answer = await stream.answer()
    assert (answer.status, answer.body) == (410, b"gone")


async def test_a_refused_streams_answer_may_break_too(http, server):
    server.faults.append(sends(b"half", ends="broken"))
    with pytest.raises(HttpFailure) as failure:
        async with http.stream(get(server), idle=5) as stream:
            await stream.answer()
    assert failure.value.trouble is FailureKind.BROKEN


async def test_a_stream_that_cannot_be_opened_is_observed_and_said(http, server, seen):
    await server.stop()
    with pytest.raises(HttpFailure) as failure:
        async with http.stream(get(server), idle=5):
            pass
    assert failure.value.trouble is FailureKind.UNREACHABLE
    assert seen == [(server.host, 0)]


async def test_what_goes_wrong_with_the_reader_is_not_taken_for_the_servers_fault(http, server):
    server.faults.append(sends(b"whole\n"))
    with pytest.raises(ValueError, match="mine"):
        async with http.stream(get(server), idle=5):
            raise ValueError("mine")


async def test_streams_take_no_slot_of_their_host(http, server):
    server.faults.append(sends(b"whole\n", ends="never"))
    async with http.stream(get(server, pace=Pace(concurrency=1)), idle=5):
        assert (await http.send(get(server, "/v2/", pace=Pace(concurrency=1)))).status == 200


async def test_a_pause_that_was_asked_for_holds_for_streams_too(http, server, time):
    server.faults += [times(1, 429, part="/v2/", headers={"Retry-After": "7"}), sends(b"whole\n")]
    http._patience = type(http._patience)(attempts=1)
    assert (await http.send(get(server, "/v2/"))).status == 429
    async with http.stream(get(server), idle=5) as stream:
        assert stream.status == 200
    assert sum(time.slept) == pytest.approx(7.0)


@pytest.mark.parametrize(("status", "asked"), [(429, 3), (503, 3), (500, 1), (504, 1)])
async def test_what_may_not_be_repeated_is_tried_again_only_where_nothing_was_done(http, server, status, asked):
    server.faults.append(times(9, status))
    assert (await http.send(get(server, method="POST", body=b"x", is_repeatable=False))).status == status
    assert len(server.asked) == asked


async def test_what_may_not_be_repeated_is_not_sent_again_after_a_broken_answer(http, server):
    server.faults.append(sends(b"half", ends="broken"))
    with pytest.raises(HttpFailure):
        await http.send(get(server, method="POST", is_repeatable=False))
    assert len(server.asked) == 1


class TestPrivateAuthority:
    @pytest.fixture
    def authority(self, tmp_path):
        return Authority(tmp_path)

    async def test_it_alone_is_trusted_and_a_certificate_is_shown_from_text(self, http, authority, tmp_path):
        pair = authority.issue("client")
        known = Connection(authority=authority.path.read_text(), client_pem=pair.certificate.read_text() + pair.key.read_text())
        (tmp_path / "other").mkdir()
        async with FakeRegistry(tls=authority.server_context(authority.issue("server"), wants_client=True)) as server:
            assert (await http.send(get(server, "/v2/", connection=known))).status == 200
            async with http.stream(get(server, "/v2/", connection=known), idle=5) as stream:
                assert stream.status == 200
            other = Connection(authority=Authority(tmp_path / "other").path.read_text(), client_pem=known.client_pem)
            with pytest.raises(HttpFailure) as failure:
                await http.send(get(server, "/v2/", connection=other))
            assert failure.value.trouble is FailureKind.TLS
            unverified = Connection(client_pem=known.client_pem, insecure=True)
            assert (await http.send(get(server, "/v2/", connection=unverified))).status == 200

    async def test_a_stream_that_is_left_in_its_midst_leaves_nothing_open(self, http, authority):
        async with FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server:
            server.faults.append(sends(b"whole\n", ends="never"))
            known = Connection(authority=authority.path.read_text())
            async with http.stream(get(server, connection=known), idle=5) as stream:
                assert await anext(stream.lines()) == b"whole"
                connection = stream._response.connection
            assert connection is not None
            assert connection.closed

    async def test_the_name_that_the_certificate_must_have_can_be_given(self, http, authority):
        async with FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server:
            right = Connection(authority=authority.path.read_text(), server_name="localhost")
            assert (await http.send(get(server, "/v2/", connection=right))).status == 200
            wrong = Connection(authority=authority.path.read_text(), server_name="kubernetes.default")
            with pytest.raises(HttpFailure) as failure:
                await http.send(get(server, "/v2/", connection=wrong))
            assert failure.value.trouble is FailureKind.TLS

    @pytest.mark.parametrize("what", ["authority", "client_pem"])
    async def test_a_text_that_is_no_certificate_is_said_without_showing_it(self, http, server, what):
        with pytest.raises(HttpFailure) as failure:
            await http.send(get(server, "/v2/", connection=Connection(**{what: "secret nonsense"})))
        assert failure.value.trouble is FailureKind.SETTINGS
        assert "nonsense" not in f"{failure.value} {Connection(**{what: 'secret nonsense'})!r}"

    async def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(self, http, server, authority):
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

        pair = authority.issue("client")
        key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
        locked = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        ).decode()
        with pytest.raises(HttpFailure) as failure:
            await http.send(get(server, "/v2/", connection=Connection(client_pem=pair.certificate.read_text() + locked)))
        assert failure.value.trouble is FailureKind.SETTINGS

    async def test_a_way_to_connect_that_was_retired_can_be_used_again(self, http, server):
        way = Connection(client_pem=None)
        for _ in range(3):
            assert (await http.send(get(server, "/v2/", connection=way))).status == 200
            await http.retire(way)


async def test_retiring_a_way_that_was_never_used_does_nothing():
    async with HttpClient() as http:
        await http.retire(Connection())
