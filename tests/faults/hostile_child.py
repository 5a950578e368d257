"""Asks hostile registries and a healthy one, all at once and again and again, in a process whose memory is watched.

argv: the healthy host, then the hostile ones. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from updater.credentials.keychain import Keychain
from updater.errors import RegistryError
from updater.http.client import HttpClient
from updater.model.image import parse_name
from updater.registry.client import RegistryClient
from updater.registry.transport import RegistryTransport


def peak_of_this_process() -> int:
    """Give MiB. Not ru_maxrss: it counts the parent before the program was loaded, and a test runner grows."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


async def main() -> None:
    healthy, *hostile = sys.argv[1:]
    codes: Counter[str] = Counter()
    moves = 0

    async def suffer(client: RegistryClient, image: str) -> None:
        try:
            await client.tags(parse_name(image))
        except RegistryError as error:
            codes[error.code] += 1
        else:
            codes["listed"] += 1

    async with HttpClient() as http:
        client = RegistryClient(RegistryTransport(http, Keychain(environment={}, docker_configs=())))
        kinds = ("lists", "mappings", "words", "wide", "nested", "gzip", "endless")
        for _ in range(2):
            tasks = [asyncio.create_task(suffer(client, f"{host}/{kind}/x")) for host in hostile for kind in kinds]
            while not all(task.done() for task in tasks):
                moves += (await client.tags(parse_name(f"{healthy}/org/app"))).tags == ("1.0.0", "1.1.0")
                await asyncio.sleep(0.05)
            await asyncio.gather(*tasks)
    peak = peak_of_this_process()
    print(json.dumps({"codes": codes, "moves": moves, "peak": peak}))


asyncio.run(main())
