"""What is handed on to the replica that leads is told as not sent, as not known, or as what it answered."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from tests.engine.making import subscription
from tests.real.parts import free_port
from updater.daemon import fleet_desk
from updater.daemon.fleet_acts import FleetActs
from updater.daemon.fleet_desk import FleetDesk
from updater.daemon.process import Process
from updater.web.acts import NOT_KNOWN, NOT_SENT
from updater.web.sessions import SessionSigner

SIGNER = SessionSigner(key=b"k" * 32, wall=time.time)
PATH = "/api/v1/subscriptions/shop%2Fweb/hold"


class Registrar:
    async def signer(self):
        return SIGNER


def silent(writer):
    writer.close()


def reset(writer):
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.close()


def answered(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    writer.close()


@asynccontextmanager
async def leader(end):
    """One that reads a request and then *end*s."""
    asked = []

    async def serve(reader, writer):
        asked.append(await reader.readuntil(b'"freeze"}'))
        end(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def handed_on(folder, address):
    async with Process(folder) as process:
        process.leading = SimpleNamespace(leader_address=address)
        acts = FleetActs(process, lambda: None, Registrar(), None)
        return await acts.hand_on(PATH, {"reason": "freeze"}, "jane")


@pytest.mark.parametrize(("end", "status"), [(silent, NOT_KNOWN), (reset, NOT_KNOWN), (answered, 200)])
async def test_an_answer_that_is_lost_is_not_known_and_nothing_is_sent_twice(tmp_path, end, status):
    async with leader(end) as (address, asked):
        found, _ = await handed_on(tmp_path, address)
    assert (found, len(asked)) == (status, 1)
    assert PATH.encode() in asked[0]


@pytest.mark.parametrize("is_known", [False, True])
async def test_what_reaches_nobody_is_not_sent(tmp_path, is_known):
    address = f"http://127.0.0.1:{free_port()}" if is_known else ""
    assert (await handed_on(tmp_path, address))[0] == NOT_SENT


async def test_previews_wait_for_each_other_and_for_other_looks_at_repositories(tmp_path, monkeypatch):
    now, most = [0], [0]

    async def look(_generation, _process, _item, _decided=None):
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0)
        now[0] -= 1
        return ()

    monkeypatch.setattr(fleet_desk, "dry_landings", look)
    async with Process(tmp_path) as process:
        generation = SimpleNamespace(subscriptions=(subscription("web"),))
        desk = FleetDesk(process, lambda: generation)
        acts = FleetActs(process, lambda: generation, Registrar(), desk)
        await asyncio.gather(*(acts.preview(None, "web") for _ in range(50)))
    assert most == [fleet_desk.LOOKS_AT_ONCE]


async def test_who_acts_does_not_wait_behind_those_who_read(tmp_path, monkeypatch):
    looking, going_on = asyncio.Semaphore(0), asyncio.Event()
    web = subscription("web")

    async def look(_generation, _process, item, decided=None):
        assert item is web
        if decided is item:  # a preview
            looking.release()
            await going_on.wait()
        return ()

    monkeypatch.setattr(fleet_desk, "dry_landings", look)
    async with Process(tmp_path) as process:
        generation = SimpleNamespace(subscriptions=(web,))
        desk = FleetDesk(process, lambda: generation)
        acts = FleetActs(process, lambda: generation, Registrar(), desk)
        readers = [asyncio.create_task(acts.preview(None, "web")) for _ in range(50)]
        async with asyncio.timeout(60):
            for _ in range(fleet_desk.LOOKS_AT_ONCE):
                await looking.acquire()
            assert await acts._taken_back(generation, web) == ({}, ())
            going_on.set()
            await asyncio.gather(*readers)
