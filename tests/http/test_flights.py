"""Promises about work that is shared."""

from __future__ import annotations

import asyncio

import pytest

from updater.errors import RegistryUnavailable
from updater.http.single_flight import SingleFlight


async def test_the_same_work_at_one_time_is_done_once():
    flights, done = SingleFlight(), []

    async def work() -> int:
        done.append(1)
        await asyncio.sleep(0)
        return 7

    assert await asyncio.gather(*(flights.share("key", work) for _ in range(100))) == [7] * 100
    assert len(done) == 1
    assert await flights.share("key", work) == 7
    assert len(done) == 2


async def test_other_work_is_not_held_up():
    flights = SingleFlight()

    async def stuck() -> None:
        await asyncio.Event().wait()

    async def quick() -> str:
        return "done"

    waiting = asyncio.create_task(flights.share("one", stuck))
    await asyncio.sleep(0)
    assert await flights.share("other", quick) == "done"
    waiting.cancel()


async def test_its_error_is_everybodys_error():
    flights = SingleFlight()

    async def work() -> None:
        await asyncio.sleep(0)
        raise RegistryUnavailable("down")

    results = await asyncio.gather(*(flights.share("key", work) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, RegistryUnavailable) for result in results)


async def test_nobodys_cancellation_is_anothers():
    flights, begun, gate = SingleFlight(), [], asyncio.Event()

    async def work() -> str:
        begun.append(1)
        await gate.wait()
        return "done"

    tasks = [asyncio.create_task(flights.share("key", work)) for _ in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()  # one who waits
    tasks[0].cancel()  # the one who works: another takes over
    for _ in range(5):
        await asyncio.sleep(0)
    gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results[:2]] == [True, True]
    assert results[2:] == ["done", "done"]
    assert len(begun) == 2


async def test_an_error_nobody_waits_for_is_still_raised_to_who_worked():
    flights = SingleFlight()

    async def work() -> None:
        raise RegistryUnavailable("down")

    with pytest.raises(RegistryUnavailable):
        await flights.share("key", work)
