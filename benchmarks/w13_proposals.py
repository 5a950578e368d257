"""W13p: a hundred pull requests of one repository: what its forge is asked, and how often Git is asked for files.

Run it by hand: `python benchmarks/w13_proposals.py [--proposals 100] [--kind github]`. Goals: one listing for the repository
and pass, at most 3 requests for each that changed, none for those that did not; one fetch.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.flows.test_proposals import proposing

LINE = 'image: {host}/o/app:1.0.0  # {{"$imagepolicy": "ns:a{number}"}}\n'


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--proposals", type=int, default=100)
    parser.add_argument("--kind", default="github")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="w13p-") as folder:
        asyncio.run(bench(Path(folder), options))


async def bench(folder: Path, options) -> None:
    async with proposing(folder, options.kind, "lost", "{}") as life:
        spread(life, options.proposals)
        life.push("1.1.0")
        print(f"W13p {options.proposals} pull requests of one repository on a fake {options.kind}")
        await passed(life, "opened")
        await passed(life, "as they were")
        life.push("1.2.0")
        await passed(life, "all changed")
        life.fleet.repository.commit({"README.md": b"people work too\n"})
        await passed(life, "the base moved")


def spread(life, count: int) -> None:
    """Let each of many files have a pull request of its own."""
    (text,) = life.fleet.subscriptions
    host = life.fleet.registry.host
    life.fleet.repository.commit(
        {f"apps/a{number}.yaml": LINE.format(host=host, number=number).encode() for number in range(count)}
    )
    life.fleet.subscriptions = [
        text.replace("key: app", f"key: a{number}").replace("ns:app", f"ns:a{number}") for number in range(count)
    ]


async def passed(life, what: str) -> None:
    """Make a pass by a new process, and print what it asked."""
    life.forge.asked.clear()
    started = time.perf_counter()
    async with life.fleet.opened() as generation:
        landings = await generation.once(generation.loaded.snapshot.subscriptions, is_dry=False)
        figures = generation._process.render_metrics().decode()
    seconds = time.perf_counter() - started
    kinds = dict(re.findall(r'^updater_git_requests_total\{kind="([a-z_]+)"\} ([0-9]+)', figures, re.MULTILINE))
    statuses = {str(outcome.status) for landing in landings for outcome in landing.outcomes}
    changed = len(life.forge.changes())
    print(
        f"    {what}: {len(life.forge.asked)} requests to the forge ({changed} of them changes), {kinds.get('fetch', 0)} fetches,"
        f" {kinds.get('push', 0)} pushes, {seconds:.1f} s; {', '.join(sorted(statuses))}"
    )


if __name__ == "__main__":
    main()
