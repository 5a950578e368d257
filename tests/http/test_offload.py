"""Large answers are worked on beside the event loop, and given up; small ones cost no thread."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from updater.http.offload import SMALL, offload


@pytest.mark.parametrize(("size", "is_beside"), [(SMALL, False), (SMALL + 1, True)])
async def test_only_large_work_runs_in_a_thread_of_its_own(size, is_beside):
    ran_in = await offload(threading.current_thread, size)
    assert (ran_in is not threading.current_thread()) is is_beside


async def test_the_loop_goes_on_while_large_work_runs():
    begun, go_on = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        assert go_on.wait(60)
        return "done"

    waiting = asyncio.create_task(offload(work, SMALL + 1))
    assert await asyncio.to_thread(begun.wait, 60)
    go_on.set()  # by the loop, which work would hold up if it ran there
    assert await waiting == "done"


async def test_work_that_takes_too_long_is_given_up_and_what_it_finds_later_is_dropped():
    go_on, ended = threading.Event(), threading.Event()

    def work() -> None:
        go_on.wait(60)
        ended.set()

    with pytest.raises(TimeoutError):
        await offload(work, SMALL + 1, seconds=0.01)
    go_on.set()
    assert await asyncio.to_thread(ended.wait, 60)
    await asyncio.sleep(0)


async def test_what_work_raises_reaches_who_asked():
    with pytest.raises(ZeroDivisionError):
        await offload(lambda: 1 // 0, SMALL + 1)


async def test_the_end_of_the_program_waits_for_no_work():
    found: list[threading.Thread] = []

    def work() -> None:
        found.append(threading.current_thread())

    await offload(work, SMALL + 1)
    assert found[0].daemon


async def test_one_large_answer_is_worked_on_at_a_time_and_one_that_is_given_up_holds_up_nobody():
    working, most = 0, 0
    stuck = threading.Event()

    def work():
        nonlocal working, most
        working += 1
        most = max(most, working)
        time.sleep(0.01)
        working -= 1
        return "read"

    assert await asyncio.gather(*(offload(work, SMALL + 1) for _ in range(4))) == ["read"] * 4
    assert most == 1
    with pytest.raises(TimeoutError):
        await offload(stuck.wait, SMALL + 1, seconds=0.01)
    assert await offload(work, SMALL + 1) == "read"
    stuck.set()
