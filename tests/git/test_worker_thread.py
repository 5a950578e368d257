"""Blocking work runs one piece at a time, and what nobody waits for any more never starts."""

import asyncio
import threading

import pytest

from updater.git.worker_thread import WorkerThread


async def test_work_is_done_in_order_one_at_a_time():
    worker, running, most, order = WorkerThread(), [], [], []

    def work(number):
        running.append(number)
        most.append(len(running))
        order.append(number)
        running.remove(number)
        return number

    answers = await asyncio.gather(*(asyncio.wrap_future(worker.submit(lambda n=n: work(n))) for n in range(50)))
    assert answers == order == list(range(50))
    assert max(most) == 1


async def test_cancelled_work_never_starts_and_running_work_ends():
    worker, gate, done = WorkerThread(), threading.Event(), []
    first = asyncio.wrap_future(worker.submit(lambda: (gate.wait(5), done.append("first"))))
    second = asyncio.wrap_future(worker.submit(lambda: done.append("second")))
    third = asyncio.wrap_future(worker.submit(lambda: done.append("third")))
    await asyncio.sleep(0.01)
    first.cancel()
    second.cancel()
    await asyncio.sleep(0)
    gate.set()
    await third
    assert done == ["first", "third"]


async def test_an_error_reaches_whoever_waits_and_the_next_work_runs():
    worker = WorkerThread()
    with pytest.raises(ZeroDivisionError):
        await asyncio.wrap_future(worker.submit(lambda: 1 // 0))
    assert await asyncio.wrap_future(worker.submit(lambda: 2)) == 2


async def test_no_thread_is_left_when_there_is_nothing_to_do():
    worker = WorkerThread()
    await asyncio.wrap_future(worker.submit(lambda: None))
    for _ in range(100):
        if not any(thread.name == "git" for thread in threading.enumerate()):
            break
        await asyncio.sleep(0.01)
    assert not worker._is_running
