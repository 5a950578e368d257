"""The longest time for which the event loop stood still is served as a metric."""

from __future__ import annotations

import asyncio
import threading

from updater.daemon.loop_watch import LONGEST_BLOCK, Blocks, measure_blocks
from updater.reporting.metrics import Metrics


def test_the_longest_delay_is_told_until_it_leaves_the_window():
    blocks = Blocks(window=60)
    assert [blocks.add(now, delay) for now, delay in ((0, 0.1), (1, 3.0), (2, 0.2), (60, 0.0))] == [0.1, 3.0, 3.0, 3.0]
    assert blocks.add(61.5, 0.0) == 0.2
    assert blocks.add(63, 0.05) == 0.05


async def test_a_loop_that_is_held_up_is_seen():
    seen = asyncio.Event()

    class Watched(Metrics):
        def set(self, name, *labels, to):
            super().set(name, *labels, to=to)
            if to >= 0.3:
                seen.set()

    metrics = Watched()
    task = asyncio.create_task(measure_blocks(metrics))
    try:
        await asyncio.sleep(0)
        threading.Event().wait(1.0)
        async with asyncio.timeout(30):
            await seen.wait()
        assert metrics.registry.get_sample_value(LONGEST_BLOCK) >= 0.3
    finally:
        task.cancel()
