"""For how long the event loop answered nothing: a heartbeat that comes late was held up by somebody."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from updater.reporting.metrics import Metrics

LONGEST_BLOCK: Final = "updater_event_loop_longest_block_seconds"
BEAT: Final = 0.25
WINDOW: Final = 60.0


class Blocks:
    """The delays of the last *window* seconds, of which only those are kept that can still be the longest."""

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._delays: deque[tuple[float, float]] = deque()

    def add(self, now: float, delay: float) -> float:
        """Add a delay that ended at *now*, and return the longest of the window, in seconds."""
        while self._delays and self._delays[-1][1] <= delay:
            self._delays.pop()
        self._delays.append((now, delay))
        while self._delays[0][0] < now - self._window:
            self._delays.popleft()
        return self._delays[0][1]


async def measure_blocks(metrics: Metrics) -> None:
    """Measure until cancelled; the gauge has the longest delay of the last minute."""
    loop = asyncio.get_running_loop()
    blocks = Blocks()
    while True:
        due = loop.time() + BEAT
        await asyncio.sleep(BEAT)
        now = loop.time()
        metrics.set(LONGEST_BLOCK, to=blocks.add(now, max(now - due, 0.0)))
