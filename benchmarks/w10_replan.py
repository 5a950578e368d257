"""W10: subscriptions that change while the daemon runs: what a plan, a join, a pause and steady wake-ups cost for 5,000 of them.

Run it by hand: `python benchmarks/w10_replan.py [--subscriptions 5000]`. Nothing is scanned or landed for real. Goal: a plan in
which one changed costs at most 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from stage import median

from updater.engine.scanner import Scanner
from updater.engine.schedule import Plan, Schedule, WaitTimes
from updater.inventory.index import SubscriptionIndex
from updater.inventory.inventory import Inventory
from updater.inventory.merge import Merger
from updater.model.image import parse_name
from updater.model.publishing import PushBranch
from updater.model.snapshot import Snapshot
from updater.model.subscription import GitBranch, Locator, Origin, PolicySpec, Subscription, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

STEADY = 20.0
ROUNDS = 9


def asked(number: int, interval: float = 120.0) -> Subscription:
    branch = GitBranch(
        url=f"https://git.test/fleet{number}.git", branch="main", publishing=PushBranch("auto" if number % 2 else "main")
    )
    return Subscription(
        key=f"argocd/app{number}/web",
        image=parse_name(f"r.test/team/app{number}"),
        policy=PolicySpec("semver", {"range": ">=1"}),
        targets=(Target(destination=branch, editor="marker", locator=Locator(name="a:b"), interval=interval),),
        origin=Origin(kind="Application", name=f"argocd/app{number}"),
        interval=interval,
    )


def planned(subscriptions: list[Subscription]) -> Plan:
    return SubscriptionIndex(subscriptions).plan(is_complete=True)


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    into.append((time.perf_counter() - started) * 1000)


def show(what: str, milliseconds: list[float]) -> None:
    print(f"{what:40} {median(milliseconds):8.1f} ms")


class Bench:
    """A schedule whose scans and landings are counted only."""

    def __init__(self, plan: Plan) -> None:
        self.landed = self.scanned = 0
        self.schedule = Schedule(plan, scan=self._scan, land=self._land, waits=WaitTimes(coalesce=0.05))
        self._running = asyncio.create_task(self.schedule.run())

    async def _scan(self, _listed: object) -> bool:
        self.scanned += 1
        return False

    async def _land(self, _destination: object) -> None:
        self.landed += 1

    async def until(self, landed: int) -> None:
        while self.landed < landed:  # noqa: ASYNC110 - a count of its own
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self.schedule.stop()
        await self._running


async def change(subscriptions: list[Subscription]) -> None:
    plan, bench = planned(subscriptions), Bench(planned(subscriptions))
    start: list[float] = []
    with timed(start):
        await bench.until(len(subscriptions))
    show("start until all landed", start)
    replans: list[float] = []
    for number in range(ROUNDS):
        other = planned([*subscriptions[:-1], asked(len(subscriptions) + number)])
        with timed(replans):
            bench.schedule.replan(other)
        await asyncio.sleep(0.1)
        bench.schedule.replan(plan)
        await asyncio.sleep(0.1)
    show("replan, one of them is another", replans)
    pauses: list[float] = []
    for _ in range(3):
        before = bench.landed
        bench.schedule.pause()
        with timed(pauses):
            bench.schedule.resume()
        await bench.until(before + len(subscriptions))
    show("resume", pauses)
    await bench.stop()


async def steady(count: int) -> None:
    bench = Bench(planned([asked(number, interval=12.0) for number in range(count)]))
    await bench.until(count)
    before, cpu = bench.scanned, time.process_time()
    await asyncio.sleep(STEADY)
    a_job = (time.process_time() - cpu) / max(bench.scanned - before, 1)
    print(f"{'steady, at an interval of 2 minutes':40} {a_job * count / 120 * 100:8.2f} % of a core")
    await bench.stop()


def join(subscriptions: list[Subscription]) -> None:
    joiner = Merger()
    times: dict[str, list[float]] = {"join, one is another": [], "join, nothing is": []}
    for number in range(ROUNDS):
        here = Snapshot(subscriptions=(*subscriptions[:-1], replace(subscriptions[-1], interval=100.0 + number)))
        given = {"file": Snapshot(), "applications": here}
        for found in times.values():
            with timed(found):
                joiner(given)
    for what, found in times.items():
        show(what, found)


def follow(subscriptions: list[Subscription]) -> None:
    """What one changed subscription costs from the join to the plan: all that is done before the schedule hears of it."""
    asked = Inventory(Snapshot(), ["applications"])
    scans = Scanner(None, None)  # type: ignore[arg-type]  # nothing is scanned here
    asked.take("applications", Snapshot(subscriptions=tuple(subscriptions)))
    scans.follow(asked.by_image, asked.by_image)
    steps: dict[str, list[float]] = {"take, one is another": [], "follow": [], "plan": []}
    for number in range(ROUNDS):
        here = Snapshot(subscriptions=(*subscriptions[:-1], replace(subscriptions[-1], interval=100.0 + number)))
        with timed(steps["take, one is another"]):
            change = asked.take("applications", here)
        with timed(steps["follow"]):
            scans.follow(asked.by_image, change.images)
        with timed(steps["plan"]):
            _ = asked.plan
    for what, found in steps.items():
        show(what, found)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=5000)
    count = parser.parse_args().subscriptions
    subscriptions = [asked(number) for number in range(count)]
    plans: list[float] = []
    for _ in range(ROUNDS):
        with timed(plans):
            planned(subscriptions)
    show("plan of all", plans)
    join(subscriptions)
    follow(subscriptions)
    asyncio.run(change(subscriptions))
    asyncio.run(steady(count))


if __name__ == "__main__":
    main()
