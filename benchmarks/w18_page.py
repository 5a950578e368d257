"""W18: the page of 5,000 subscriptions: first byte, size, and what an update costs that reaches 50 open pages.

Run it by hand: `python benchmarks/w18_page.py [--subscriptions 5000] [--pages 50] [--updates 60]`. The server is a process of
its own, whose CPU is read from the system; one update a second. Goals: first byte ≤ 100 ms, HTML ≤ 300 KB gzipped; an update
reaches every page in ≤ 1 s at ≤ 5 % of a core.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import aiohttp
from aiohttp import web
from stage import ROOT

sys.path.insert(0, str(ROOT))

from tests.inventory.asking import MAIN, asked
from tests.reporting.making import ended, inventory, landed
from updater.daemon.fleet_desk import FleetDesk
from updater.model.outcome import Status
from updater.reporting.last_outcomes import LastOutcomes
from updater.web.app import serve
from updater.web.health import FleetHealth, ReplicaView
from updater.web.page.rendering import row_id
from updater.web.page.routes import Page

UPDATES_EVERY = 1.0


class Desk(FleetDesk):
    """The desk of the daemon over outcomes alone."""

    async def health(self):
        nothing = dict.fromkeys(("sources", "registries", "hosts", "budgets", "problems"), ())
        return FleetHealth(version="1", at=datetime.now(UTC), waits_for="", replica=ReplicaView(is_leader=True), **nothing)


def keys_of(count: int) -> list[str]:
    return [f"namespace-{number % 50}/app-{number:05}" for number in range(count)]


async def served(count: int) -> None:
    """Be the server: `/change` lets the next subscription move, and says which."""
    last = LastOutcomes()
    listeners = [last]
    reports = SimpleNamespace(join=listeners.append)
    process = SimpleNamespace(last_outcomes=last, reports=reports, may_write=lambda: True, leading=None)
    desk = Desk(process, lambda: None)
    keys = keys_of(count)

    def tell(report) -> None:
        for listener in listeners:
            listener.hear(report)

    tell(inventory(*(asked(key, MAIN) for key in keys)))
    tell(landed(*(ended(key) for key in keys)))
    moved = 0

    async def change(_request: web.Request) -> web.Response:
        nonlocal moved
        key = keys[moved % 100]
        moved += 1
        tell(landed(ended(key, status=Status.UPDATED if moved % 200 < 100 else Status.UNCHANGED), minutes=moved))
        return web.json_response({"row": row_id(key)})

    app = web.Application()
    app.add_routes([web.get("/change", change), *Page(desk).routes()])
    runner = await serve(app, "127.0.0.1:0")
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def cpu(process: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def first_bytes(session: aiohttp.ClientSession, base: str, rounds: int = 20) -> tuple[list[float], int]:
    """Return the milliseconds to the first byte, and the bytes of the page when compressed. A change comes before each."""
    spans, body = [], b""
    for _ in range(rounds):
        async with session.get(f"{base}/change") as answer:
            await answer.read()
        started = time.perf_counter()
        async with session.get(f"{base}/") as answer:
            spans.append((time.perf_counter() - started) * 1000)
            body = await answer.read()
    return spans, len(gzip.compress(body))


class OpenPage:
    """One open page: what it was sent, and when."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self.is_open = asyncio.Event()

    async def follow(self, session: aiohttp.ClientSession, base: str) -> None:
        async with session.get(f"{base}/live") as answer:
            async for line in answer.content:
                self.is_open.set()
                if line.startswith(b"event: row-"):
                    self.seen[line[7:].strip().decode()] = time.perf_counter()


async def bench(options) -> None:
    command = (sys.executable, __file__, "--serve", "--subscriptions", str(options.subscriptions))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 - before anything runs
    try:
        base = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:
            spans, size = await first_bytes(session, base)
            print(
                f"first byte: median {statistics.median(spans):.0f} ms, longest {max(spans):.0f} ms; {size / 1024:.0f} KB gzipped"
            )
            await updates(session, base, process.pid, options)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def updates(session: aiohttp.ClientSession, base: str, server: int, options) -> None:
    pages = [OpenPage() for _ in range(options.pages)]
    following = [asyncio.create_task(page.follow(session, base)) for page in pages]
    await asyncio.gather(*(page.is_open.wait() for page in pages))
    before, started, sent = cpu(server), time.perf_counter(), {}
    for _ in range(options.updates):
        moment = time.perf_counter()
        async with session.get(f"{base}/change") as answer:
            sent[(await answer.json())["row"]] = moment
        await asyncio.sleep(UPDATES_EVERY)
    used, elapsed = cpu(server) - before, time.perf_counter() - started
    for task in following:
        task.cancel()
    spans = sorted(page.seen[row] - moment for page in pages for row, moment in sent.items() if row in page.seen)
    lost = len(pages) * len(sent) - len(spans)
    told = f"median {statistics.median(spans):.2f} s, longest {spans[-1]:.2f} s"
    print(f"{len(pages)} pages, {len(sent)} updates, {lost} lost: {told}")
    print(f"CPU of the server: {used / elapsed * 100:.1f} % of a core")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=5000)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    asyncio.run(served(options.subscriptions) if options.serve else bench(options))


if __name__ == "__main__":
    main()
