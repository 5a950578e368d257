"""W6: CPU of the process for one delivery: read, verified, parsed, looked up among the listed images, answered.

Run it by hand: `python benchmarks/w6_receiver.py [--deliveries 10000] [--connections 16]`. The sender is a process of its own
over kept connections; half of the deliveries name listed images. Beside it stands aiohttp alone, which reads the body and
answers. Goal: 0.5 ms, so that 1,000 a second are half of a core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import stage  # noqa: F401 - the root of the project comes into the path
from aiohttp import web

from tests.flows.fleet import fleet
from updater.daemon import webhooks
from updater.web.app import serve
from updater.web.receiving import web_application

SECRET = "bench-secret"
LISTED = 20
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--send-to", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    asyncio.run(send(options) if options.send_to else bench(options))


async def send(options) -> None:
    await asyncio.gather(*(send_some(options, first) for first in range(options.connections)))


async def send_some(options, first: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", options.send_to)
    for number in range(first, options.deliveries, options.connections):
        path = f"o/i{number % LISTED}" if number % 2 == 0 else f"other/r{number}"
        target = {"repository": path, "tag": f"9.{number}"}
        event = {"action": "push", "target": target, "request": {"host": os.environ["W6_HOST"]}}
        body = json.dumps({"events": [event]}).encode()
        head = f"POST /webhooks/registry HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: {len(body)}"
        writer.write(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert b" 202 " in answer, answer
        await reader.readexactly(int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))


async def bench(options) -> None:
    os.environ |= {"W6_SECRET": SECRET, "UPDATER_LISTEN__WEB": "127.0.0.1:0"}
    webhooks.BURST = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        async with fleet(Path(folder)) as made:
            os.environ["W6_HOST"] = made.registry.host
            for number in range(LISTED):
                made.add(f"i{number}", f'marker: "ns:i{number}"')
            made.extra = 'web: {webhooks: [{name: registry, kind: distribution, secret: "env:W6_SECRET"}]}'
            async with made.opened() as generation:
                ours = await serve(web_application(webhooks.WebhookDesk(generation._process, lambda: generation)), "127.0.0.1:0")
                bare = await serve(nothing(), "127.0.0.1:0")
                for _ in range(ROUNDS):
                    taken, floor = await cpu(ours, options), await cpu(bare, options)
                    load = os.getloadavg()[0]
                    print(f"W6 {taken:.2f} ms of CPU a delivery, aiohttp alone {floor:.2f} ms (goal <= 0.5 ms; load {load:.0f})")
                for each in (ours, bare):
                    await each.cleanup()


def nothing() -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=202, text="accepted\n")

    app = web.Application()
    app.router.add_post("/webhooks/{name}", answer)
    return app


async def cpu(runner, options) -> float:
    """Return the milliseconds of CPU that one delivery costs this process."""
    before = time.process_time()
    named = {"--deliveries": options.deliveries, "--connections": options.connections, "--send-to": runner.addresses[0][1]}
    flags = [str(part) for pair in named.items() for part in pair]
    sender = await asyncio.create_subprocess_exec(sys.executable, __file__, *flags)
    if await sender.wait():
        raise SystemExit("the sender ended")
    return (time.process_time() - before) * 1000 / options.deliveries


if __name__ == "__main__":
    main()
