"""What the schedule promises: images and destinations are due apart, one landing serves all that came, stops are orderly."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.engine.making import BRANCH
from tests.fakes.eventually import until
from updater.engine.schedule import Plan, Schedule, WaitTimes
from updater.model.image import parse_name
from updater.model.scan_key import ScanKey

FAST, SLOW = ScanKey(parse_name("r.test/fast"), None), ScanKey(parse_name("r.test/slow"), None)
OTHER = replace(BRANCH, branch="other")


class Work:
    """Scans and landings that are counted, and may be made to wait."""

    def __init__(self):
        self.scans, self.landings = [], []
        self.gates = {}
        self.changes = True

    async def scan(self, listed):
        await self.gates.get(listed, asyncio.sleep)(0)
        self.scans.append(listed)
        return self.changes

    async def land(self, destination):
        self.landings.append((destination, "begun"))
        await self.gates.get(destination, asyncio.sleep)(0)
        self.landings.append((destination, "done"))

    def done(self, destination):
        return self.landings.count((destination, "done"))


def plan(**more):
    return Plan(
        images={FAST: 60, SLOW: 60},
        destinations={BRANCH: 60, OTHER: 60},
        waiting={FAST: (BRANCH,), SLOW: (OTHER,)},
        **more,
    )


@asynccontextmanager
async def running(made, work, *, wall=time.time, **waits):
    schedule = Schedule(made, scan=work.scan, land=work.land, waits=WaitTimes(**{"coalesce": 0.0} | waits), wall=wall)
    task = asyncio.create_task(schedule.run())
    try:
        yield schedule
    finally:
        schedule.stop()
        await asyncio.wait_for(task, 5)


def gate():
    event = asyncio.Event()

    async def wait(_):
        await event.wait()

    return event, wait


async def test_after_a_start_every_image_is_scanned_and_every_destination_lands():
    work = Work()
    async with running(plan(), work):
        await until(lambda: work.done(BRANCH) and work.done(OTHER))
    assert sorted(map(str, work.scans)) == ["r.test/fast", "r.test/slow"]


async def test_a_slow_registry_holds_up_only_its_own_destination():
    work = Work()
    opened, work.gates[SLOW] = gate()
    async with running(plan(), work):
        await until(lambda: work.done(BRANCH))
        assert work.done(OTHER) == 0
        opened.set()
        await until(lambda: work.done(OTHER))


async def test_after_a_while_a_destination_lands_without_its_slowest_image():
    work = Work()
    opened, work.gates[SLOW] = gate()
    async with running(plan(), work, first_scans=0.01):
        await until(lambda: work.done(OTHER))
        opened.set()


async def test_a_rebuilt_branch_never_lands_before_each_of_its_images_was_scanned():
    work = Work()
    opened, work.gates[SLOW] = gate()
    async with running(plan(rebuilt=frozenset({OTHER})), work, first_scans=0.01):
        await until(lambda: work.done(BRANCH))
        await asyncio.sleep(0.05)
        assert work.done(OTHER) == 0
        opened.set()
        await until(lambda: work.done(OTHER))


async def test_what_arrives_during_a_landing_lands_once_after_it():
    work = Work()
    opened, work.gates[BRANCH] = gate()
    async with running(plan(), work) as schedule:
        await until(lambda: (BRANCH, "begun") in work.landings)
        for _ in range(5):
            schedule.due(BRANCH)
        opened.set()
        await until(lambda: work.done(BRANCH) == 2)
        await asyncio.sleep(0.05)
        assert work.done(BRANCH) == 2


async def test_a_stop_lets_a_landing_that_has_begun_finish():
    work = Work()
    opened, work.gates[BRANCH] = gate()
    schedule = Schedule(plan(), scan=work.scan, land=work.land, waits=WaitTimes(coalesce=0.0))
    task = asyncio.create_task(schedule.run())
    await until(lambda: (BRANCH, "begun") in work.landings)
    schedule.stop()
    assert not schedule.is_running
    opened.set()
    await asyncio.wait_for(task, 5)
    assert work.done(BRANCH) == 1


async def test_what_is_due_next_can_be_asked():
    work = Work()
    async with running(plan(), work) as schedule:
        await until(lambda: work.scans)
        assert schedule.next_due(FAST) is not None
        assert schedule.next_due(ScanKey(parse_name("r.test/other"), None)) is None


async def test_a_clock_that_was_set_back_stops_no_work():
    work, times = Work(), iter([1000.0, 1000.0, -2600.0])
    last = [0.0]

    def wall():
        last[0] = next(times, last[0])
        return last[0]

    async with running(plan(), work, wall=wall, clock=0.02):
        await until(lambda: work.scans.count(FAST) == 2)


async def test_a_scan_that_the_end_cuts_off_is_no_error_in_the_log(caplog):
    begun = asyncio.Event()

    async def scan(_listed):
        begun.set()
        await asyncio.sleep(60)
        return True

    async def land(_destination):
        pass

    schedule = Schedule(plan(), scan=scan, land=land)
    running = asyncio.create_task(schedule.run())
    await begun.wait()
    schedule.stop()
    await running
    await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


MANY = [ScanKey(parse_name(f"r.test/app{number}"), None) for number in range(1000)]


def plan_of_many():
    return Plan(images=dict.fromkeys(MANY, 60), destinations={}, waiting={})


async def test_thousands_that_are_due_at_once_begin_some_at_a_time_and_the_loop_goes_on_between():
    work, seen = Work(), []
    async with running(plan_of_many(), work) as schedule:
        while len(work.scans) < len(MANY):
            seen.append(len(work.scans))
            await asyncio.sleep(0)
        seen.append(len(work.scans))
        assert max(after - before for before, after in itertools.pairwise(seen)) < len(MANY) / 2
        assert all(map(schedule.next_due, MANY))
    assert sorted(work.scans, key=str) == sorted(MANY, key=str)


async def test_what_is_gone_before_its_turn_came_is_never_scanned():
    work = Work()
    async with running(plan_of_many(), work) as schedule:
        while not work.scans:  # noqa: ASYNC110 - turn by turn: a wait by the clock may let them all have theirs
            await asyncio.sleep(0)
        schedule.replan(plan())
        await until(lambda: {FAST, SLOW} <= set(work.scans))
        begun = len(work.scans)
        assert begun < len(MANY)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(work.scans) == begun
        assert schedule.next_due(MANY[-1]) is None


async def test_after_a_pause_thousands_are_scanned_again_and_each_once():
    work = Work()
    async with running(plan_of_many(), work) as schedule:
        await until(lambda: len(work.scans) == len(MANY))
        schedule.pause()
        schedule.resume()
        await until(lambda: len(work.scans) >= 2 * len(MANY))
        for _ in range(50):
            await asyncio.sleep(0)
        assert sorted(work.scans, key=str) == sorted([*MANY, *MANY], key=str)


async def test_a_destination_is_due_at_the_moment_at_which_a_hold_ends_and_is_in_step_again_after_it():
    work = Work()
    async with running(plan(), work) as schedule:
        await until(lambda: work.done(BRANCH) == 1 and work.done(OTHER) == 1)
        before = schedule.next_due(BRANCH)
        schedule.due_at(BRANCH, datetime.now(UTC) + timedelta(seconds=0.3))
        schedule.due_at(OTHER, datetime.now(UTC) + timedelta(hours=9))
        schedule.due_at(replace(BRANCH, branch="gone"), datetime.now(UTC))
        await until(lambda: work.done(BRANCH) == 2)
        assert work.done(OTHER) == 1
        assert schedule.next_due(BRANCH) == before
