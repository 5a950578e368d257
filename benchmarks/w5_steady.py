"""W5: 5,000 subscriptions steady for 10 passes: memory flat, CPU as a share of a core at an interval of 2 minutes.

Run it by hand: `python benchmarks/w5_steady.py [--subscriptions 5000] [--passes 10]`. The registry is a process of its own;
the passes are those of the daemon (every image scanned, every destination looked at and decided), one after the other.
CPU of one pass divided by 120 s is the share. Goals: memory at most 150 MB and flat, CPU at most 5 %.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stage import ROOT, BareRepository, configuration, marked, median, subscription

INTERVAL = 120.0
IMAGES_A_REPOSITORY = 500


def serve(images: int) -> None:
    """The registry, as a process of its own: prints its host, and serves until it is ended."""
    from updater.cli.embedded_registry import EmbeddedRegistry

    async def forever() -> None:
        async with EmbeddedRegistry() as served:
            for number in range(images):
                for tag in ("1.0.0", "1.0.1", "1.1.0-rc.1", "latest"):
                    served.push(f"bench/i{number}", tag)
            print(served.host, flush=True)
            await asyncio.Event().wait()

    asyncio.run(forever())


async def passes(config: Path, count: int) -> list[dict[str, float]]:
    from updater.cli.collector import settle
    from updater.daemon.one_shot import opened

    settle()  # as the program does

    rows = []
    async with opened([str(config)]) as generation:
        subscriptions = generation.subscriptions
        for _ in range(count):
            wall, cpu = time.perf_counter(), time.process_time()
            landings = await generation.once(subscriptions, is_dry=False)
            statuses = {outcome.status.value for landing in landings for outcome in landing.outcomes}
            rows.append(
                {
                    "wall": time.perf_counter() - wall,
                    "cpu": time.process_time() - cpu,
                    "rss": rss(),
                    "statuses": ",".join(sorted(statuses)),
                }
            )
    return rows


def rss() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=5000)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
    elif options.measure:
        print(json.dumps(asyncio.run(passes(options.measure, options.passes))))
    else:
        bench(options)


def bench(options) -> None:
    folder = Path(tempfile.mkdtemp(prefix="w5-"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(options.subscriptions)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        host = server.stdout.readline().strip()
        config = make(folder, host, options.subscriptions)
        done = subprocess.run(
            [sys.executable, __file__, "--measure", str(config), "--passes", str(options.passes)],
            stdout=subprocess.PIPE, text=True, check=True, env=environment,
        )  # fmt: skip
        rows = json.loads(done.stdout.splitlines()[-1])
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
    steady = rows[1:]
    cpu = median([row["cpu"] for row in steady])
    print(f"W5  {options.subscriptions} subscriptions, {options.passes} passes; statuses {rows[-1]['statuses']}")
    print(f"    memory {rows[0]['rss']:.0f} MB after the first pass, {rows[-1]['rss']:.0f} MB after the last (goal <= 150, flat)")
    print(f"    CPU {cpu:.2f} s a pass: {100 * cpu / INTERVAL:.1f} % of a core at 2 min (goal <= 5)")
    print(f"    wall {median([row['wall'] for row in steady]):.2f} s a pass, first {rows[0]['wall']:.2f} s")


def make(folder: Path, host: str, count: int) -> Path:
    """Local bare repositories of 500 marked files each; all images at their newest version."""
    texts = []
    for start in range(0, count, IMAGES_A_REPOSITORY):
        numbers = range(start, min(start + IMAGES_A_REPOSITORY, count))
        path = folder / "repos" / f"fleet{start}.git"
        files = {f"apps/i{n}.yaml": marked(host, f"i{n}", "1.0.1") for n in numbers}
        BareRepository.make(path, files)
        texts += [subscription(f"i{number}", host, str(path)) for number in numbers]
    return configuration(folder, host, "".join(texts))


if __name__ == "__main__":
    main()
