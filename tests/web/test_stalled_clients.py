"""Who asks and never reads: others are served meanwhile, what is kept for it is bounded, and it is dropped."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from collections import deque
from contextlib import asynccontextmanager, closing
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from tests.web.shown import fleet
from tests.web.site import opened
from updater.web import app as serving
from updater.web.app import serve
from updater.web.page import routes
from updater.web.sse import WRITE_AHEAD, EventStreams

PATIENCE = 120.0
SILENT = 6
MOST_KEPT = SILENT * (WRITE_AHEAD + 1024 * 1024) + 32 * 1024 * 1024


async def asks(port, path):
    """Return a connection that asked for *path*, and of which nothing is read."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    await asyncio.get_running_loop().sock_sendall(made, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return made


async def waits_for(question):
    async with asyncio.timeout(PATIENCE):
        while not question():  # noqa: ASYNC110 - it is asked of the server, which tells nobody
            await asyncio.sleep(0.02)


@asynccontextmanager
async def reading(session, url):
    """Read a stream to its end, and yield the last lines of it."""
    lines = deque(maxlen=2000)

    async def read():
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            async for line in answer.content:
                lines.append(line.decode())

    task = asyncio.create_task(read())
    try:
        yield lines
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def streams(monkeypatch):
    """Hold the streams of the page that is made next."""
    made = []

    def make(log, render):
        made.append(EventStreams(log, render=render, slowest=2.0, together=0.02))
        return made[-1]

    monkeypatch.setattr(routes, "EventStreams", make)
    return made


async def test_open_pages_that_never_read_are_dropped_at_a_bounded_price_while_another_is_told_everything(streams):
    shown = fleet(100)
    async with opened(shown) as site, reading(site.session, f"{site.base}/live") as lines:
        port = int(site.base.rpartition(":")[2])
        silent = [await asks(port, "/live") for _ in range(SILENT)]
        await waits_for(lambda: streams[0].clients == SILENT + 1)
        tracemalloc.start()
        try:
            async with asyncio.timeout(PATIENCE):
                while streams[0].clients > 1:
                    for key in list(shown.rows):
                        shown.happens(key, state="failed", reason="x" * 900, hint="y" * 900)
                    await asyncio.sleep(0.03)
            assert tracemalloc.get_traced_memory()[1] < MOST_KEPT
        finally:
            tracemalloc.stop()
        assert (await site.get("/"))[0] == 200
        shown.rows["app-0007"] = replace(shown.rows["app-0007"], reason="the last news")
        shown.happens("app-0007")
        await waits_for(lambda: any("the last news" in line for line in list(lines)))
        for each in silent:
            each.close()


async def test_an_answer_that_nobody_reads_is_given_up(monkeypatch):
    """Without it the answer, as large as a page of the API may be, is kept for as long as the connection lives."""
    monkeypatch.setattr(serving, "STALLED", 1.0)

    async def large(_request):
        return web.Response(body=b"x" * 32_000_000)

    app = web.Application()
    app.router.add_get("/large", large)
    runner = await serve(app, "127.0.0.1:0")
    port = runner.addresses[0][1]
    try:
        with closing(await asks(port, "/large")):
            await waits_for(lambda: len(runner.server.connections) == 1)
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/large") as answer:
                assert len(await answer.read()) == 32_000_000
            await waits_for(lambda: not runner.server.connections)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: local"], ids=["nothing", "half-a-header"])
async def test_a_connection_that_never_sends_a_whole_request_is_ended(monkeypatch, begun):
    monkeypatch.setattr(serving, "IDLE", 0.5)
    runner = await serve(web.Application(), "127.0.0.1:0")
    try:
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(begun)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
    finally:
        await runner.cleanup()
