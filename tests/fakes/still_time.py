"""Time that passes only when somebody sleeps, and chance that is always the same."""

from __future__ import annotations

import asyncio

from updater.http.client import Clock


class StillTime:
    """A clock for tests: `slept` lists every wait."""

    def __init__(self, now: float = 1000.0, wall: float = 1_800_000_000.0) -> None:
        self.now = now
        self._offset = wall - now
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def clock(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self._offset

    def surroundings(self, random: float = 1.0) -> Clock:
        return Clock(clock=self.clock, wall=self.wall, sleep=self.sleep, random=lambda: random)
