"""What is promised to who asks a daemon to stop: work that hangs is left, work that is done counts."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from updater.daemon.signals import Signals
from updater.errors import ConfigError


async def give(value):
    return value


async def test_work_that_ends_gives_what_it_gives():
    assert await Signals().unless_stopped(give(3)) == 3


async def test_what_work_raises_is_raised():
    async def fail():
        raise ConfigError("no", hint="yes", code="source")

    with pytest.raises(ConfigError):
        await Signals().unless_stopped(fail())


async def test_a_stop_cancels_work_that_hangs_and_waits_for_its_end():
    signals, ended = Signals(), []

    async def hang():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    asyncio.get_running_loop().call_later(0.01, signals.ask_stop)
    assert await signals.unless_stopped(hang()) is None
    assert ended == ["ended"]
    assert signals.reload.is_set()  # who waits for a reload alone wakes up too


async def test_who_waits_is_cancelled_with_the_work():
    signals, begun = Signals(), asyncio.Event()

    async def hang():
        begun.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(signals.unless_stopped(hang()))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize(("number", "stops"), [(signal.SIGTERM, True), (signal.SIGINT, True), (signal.SIGHUP, False)])
async def test_signals_are_heard_from_the_first_moment(number, stops):
    signals, loop = Signals(), asyncio.get_running_loop()
    signals.listen()
    try:
        os.kill(os.getpid(), number)
        await asyncio.wait_for(signals.reload.wait(), 5)
        assert signals.stop.is_set() is stops
    finally:
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(one)
