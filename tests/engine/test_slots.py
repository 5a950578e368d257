"""Promises about slots for scans: nobody holds them all, and who holds few comes first."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from updater.engine.slots import Slots


class Holder:
    """Takes slots for hosts, and says who got one."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.held: list[str] = []
        self.ends: dict[str, list[asyncio.Event]] = {}
        self.tasks: list[asyncio.Task] = []

    async def want(self, host: str, count: int = 1) -> None:
        for _ in range(count):
            self.tasks.append(asyncio.create_task(self._hold(host)))
        await self.settled()

    async def _hold(self, host: str) -> None:
        end = asyncio.Event()
        async with self.slots.slot(host):
            self.held.append(host)
            self.ends.setdefault(host, []).append(end)
            await end.wait()

    async def end(self, host: str) -> None:
        self.ends[host].pop(0).set()
        await self.settled()

    async def settled(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture
async def holder():
    async with AsyncExitStack() as stack:

        def make(*args, **more) -> Holder:
            made = Holder(Slots(*args, **more))
            stack.push_async_callback(made.close)
            return made

        yield make


async def test_one_host_holds_its_share_and_another_gets_a_slot_at_once(holder):
    scans = holder(64, 16)
    await scans.want("slow", 80)
    assert scans.held.count("slow") == 16
    await scans.want("healthy")
    assert "healthy" in scans.held


async def test_many_slow_hosts_leave_slots_for_who_holds_none(holder):
    scans = holder(64, 16)
    for number in range(10):
        await scans.want(f"slow{number}", 80)
    for number in range(5):
        await scans.want(f"healthy{number}")
    assert {f"healthy{number}" for number in range(5)} <= set(scans.held)
    assert len(scans.held) <= 64


async def test_a_free_slot_goes_to_the_host_that_holds_the_fewest(holder):
    scans = holder(4, 4)
    await scans.want("a", 9)
    await scans.want("b", 1)
    await scans.want("c", 1)
    held = len(scans.held)
    await scans.end("a")
    assert scans.held[held:] == ["c"]


async def test_a_host_that_was_too_slow_is_scanned_one_at_a_time_until_it_is_well(holder):
    scans = holder(64, 16)
    scans.slots.slow("host")
    await scans.want("host", 20)
    assert scans.held.count("host") == 1
    scans.slots.well("host")
    await scans.end("host")
    assert scans.held.count("host") == 17


async def test_who_gives_up_waiting_or_is_cancelled_inside_leaves_no_slot_behind(holder):
    scans = holder(4, 4)
    await scans.want("a", 9)
    for task in scans.tasks:
        task.cancel()
    await scans.settled()
    scans.held.clear()
    await scans.want("b", 9)
    assert len(scans.held) == 3, "the last quarter is for hosts that hold none"
    await scans.want("c")
    assert scans.held.count("c") == 1


async def test_every_scan_gets_its_turn(holder):
    scans = holder(4, 2)
    for host in "abc":
        await scans.want(host, 5)
    for _ in range(15):
        host = next(host for host, ends in scans.ends.items() if ends)
        await scans.end(host)
    assert len(scans.held) == 15
