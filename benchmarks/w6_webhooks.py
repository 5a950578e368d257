"""W6: a registry tells of each push: seconds from the push to the commit on the remote; and a flood of deliveries.

Run it by hand: `python benchmarks/w6_webhooks.py [--pushes 200] [--images 20] [--flood 10] [--rate 1000]`. The registry is
Debian's docker-registry with its own notifications, the Git server is git's http-backend. Goals: p99 of 200 pushes ≤ 1 s;
1,000 deliveries a second for 10 s: memory flat, and every listed image that was pushed is committed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp
from stage import ROOT, BareRepository, GitServer

from tests.real.parts import find, free_port
from tests.real.registries import Lab, started, write_config

PATIENCE = 60.0
SECRET = "bench-secret"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pushes", type=int, default=200)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--flood", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=1000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="w6-"))
    try:
        asyncio.run(bench(folder, options))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def bench(folder: Path, options) -> None:
    program = find("docker-registry")
    if program is None:
        raise SystemExit("docker-registry is not installed")
    own, web, metrics = free_port(), free_port(), free_port()
    config = write_config(folder, own)
    hook = f"{{name: u, url: 'http://127.0.0.1:{web}/webhooks/registry', headers: {{Authorization: [Bearer {SECRET}]}}, "
    config.write_text(config.read_text() + f"notifications: {{endpoints: [{hook}timeout: 5s, threshold: 3, backoff: 1s}}]}}\n")
    async with started([program, "serve", str(config)], own):
        lab = Lab("docker-registry", f"127.0.0.1:{own}", f"http://127.0.0.1:{own}")
        names = [f"i{number}" for number in range(options.images)]
        for name in names:
            await lab.push(f"o/{name}", "1.0.0")
        files = {
            f"{name}.yaml": f'image: {lab.host}/o/{name}:1.0.0 # {{"$imagepolicy": "ns:{name}"}}\n'.encode() for name in names
        }
        repository = BareRepository.make(folder / "repos" / "fleet.git", files)
        with GitServer(folder / "repos") as server, ExitStack() as stack:
            settings = configured(folder, lab, server.url("fleet.git"), names, (web, metrics))
            process = stack.enter_context(running(settings))
            await until_ready(metrics, process)
            await asyncio.sleep(5)  # what the registry kept back until somebody listened
            await measure(lab, repository, names, options, process)
            if options.flood:
                await flood(lab, repository, names, options, (web, process))


def configured(folder, lab, url, names, ports) -> Path:
    web, metrics = ports
    subscriptions = "".join(
        f'  - {{key: {name}, image: "{lab.host}/o/{name}", policy: {{semver: {{range: ">=1.0.0"}}}}, '
        f'targets: [{{git: {{url: "{url}"}}, marker: "ns:{name}"}}]}}\n'
        for name in names
    )
    path = folder / "updater.yaml"
    path.write_text(f"""\
interval: 1h
git: {{author: {{name: bench, email: bench@example.org}}}}
state: {folder / "state"}
listen: {{metrics: "127.0.0.1:{metrics}", web: "127.0.0.1:{web}"}}
registries: [{{prefix: "{lab.host}", url: "{lab.url}", insecure: true, rate: 1000/s}}]
web: {{webhooks: [{{name: registry, kind: distribution, secret: "env:W6_SECRET"}}]}}
subscriptions:
{subscriptions}""")
    return path


class running:  # noqa: N801 - a context
    def __init__(self, settings) -> None:
        self.settings = settings

    def __enter__(self):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "W6_SECRET": SECRET}
        command = [sys.executable, "-m", "updater", "run", "-c", str(self.settings)]
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=sys.stderr if os.environ.get("W6_LOG") else subprocess.DEVNULL,
        )
        return self.process

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


async def until_ready(port: int, process) -> None:
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
        while process.poll() is None:
            try:
                async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                    if 'updater_outcomes_total{method="git",status="unchanged"}' in await answer.text():
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise SystemExit("it ended")


async def until_written(repository, name: str, tag: str) -> float:
    """Wait until the branch has *tag*: its head is a file, which costs nothing to read."""
    head = repository.path / "refs/heads/main"
    seen = ""
    async with asyncio.timeout(PATIENCE):
        while True:
            now = head.read_text() if head.exists() else "packed"
            if now != seen:
                at, seen = time.perf_counter(), now
                if tag.encode() in await asyncio.to_thread(repository.show, f"{name}.yaml", "main"):
                    return at
            await asyncio.sleep(0.002)


async def measure(lab, repository, names, options, process) -> None:
    """Push one image after the other, each after a while, and note when its commit is there."""
    took = []
    for number in range(options.pushes):
        name, tag = names[number % len(names)], f"1.1.{number}"
        await lab.push(f"o/{name}", tag)
        pushed = time.perf_counter()  # the registry has answered: the event leaves about now
        took.append(await until_written(repository, name, tag) - pushed)
        await asyncio.sleep(random.uniform(0.05, 0.3))
    took.sort()
    p50, p99 = statistics.median(took), took[min(len(took) - 1, int(len(took) * 0.99))]
    print(f"W6 {len(took)} pushes: p50 {p50:.2f} s, p99 {p99:.2f} s, longest {took[-1]:.2f} s (goal p99 <= 1 s)")
    print(f"   load {os.getloadavg()[0]:.0f}, {memory(process):.0f} MB")


async def flood(lab, repository, names, options, place) -> None:
    """Send deliveries of listed and unlisted images at a rate, while a tenth of the images is really pushed."""
    web, process = place
    before = memory(process)
    url = f"http://127.0.0.1:{web}/webhooks/registry"
    headers = {"Authorization": "Basic " + base64.b64encode(f"x:{SECRET}".encode()).decode()}
    began, sent, statuses, high = time.perf_counter(), 0, {}, before
    pushed = {}

    async def one(session, number: int) -> None:
        listed = number % 2 == 0
        path = f"o/{names[number % len(names)]}" if listed else f"other/r{number}"
        event = {"action": "push", "target": {"repository": path, "tag": f"9.{number}"}, "request": {"host": lab.host}}
        async with session.post(url, data=json.dumps({"events": [event]}), headers=headers) as answer:
            statuses[answer.status] = statuses.get(answer.status, 0) + 1

    connector = aiohttp.TCPConnector(limit=64)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        while (now := time.perf_counter() - began) < options.flood:
            while sent < now * options.rate:
                group.create_task(one(session, sent))
                sent += 1
            if len(pushed) < len(names) // 10 * (now / options.flood + 0.1) and len(pushed) < len(names):
                name = names[len(pushed)]
                pushed[name] = f"2.0.{len(pushed)}"
                await lab.push(f"o/{name}", pushed[name])
            high = max(high, memory(process))
            await asyncio.sleep(0.01)
    ended = time.perf_counter() - began
    for name, tag in pushed.items():
        await until_written(repository, name, tag)
    print(f"   flood: {sent} deliveries in {ended:.1f} s, statuses {statuses}")
    print(
        f"   memory {before:.0f} MB before, {high:.0f} MB at most, {memory(process):.0f} MB after; {len(pushed)} pushes committed"
    )


def memory(process) -> float:
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
