"""How followed subscriptions ran, in one generation: watched by this process, or recalled from what another one saw."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from updater.delivery.promotion import HealthyTimes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from updater.daemon.process import Process
    from updater.delivery.promotion import HealthReader
    from updater.model.promotion import HealthyRun, RememberedRuns
    from updater.model.subscription import Destination, Subscription

#: every how many seconds it is noted what is healthy still: so much of it a restart may cost
NOTED_EVERY: Final = 30.0


class RecalledRuns:
    """The runs as another process saw them last, for one that does not look at the cluster."""

    def __init__(self, asked: Callable[[], tuple[Subscription, ...]], process: Process) -> None:
        self._asked = asked
        self._process = process
        self._rows: dict[str, RememberedRuns] = {}

    async def recall(self) -> None:
        """Take up what was seen before this, if anybody follows."""
        if any(item.gates.follows is not None for item in self._asked()):
            self._rows = {row.key: row for row in await _remembered(self._process)}

    def runs(self, key: str) -> Iterable[HealthyRun]:
        """Return the runs of a subscription, the latest first."""
        return self._rows[key].runs if key in self._rows else ()


class WatchedRuns:
    """Keeps how long followed subscriptions ran healthy, and lets who follows land; *health* is what the cluster says."""

    def __init__(self, asked: Callable[[], tuple[Subscription, ...]], process: Process, health: HealthReader) -> None:
        self._asked = asked
        self._process = process
        self._land: Callable[[Destination], None] = lambda _destination: None
        self.times = HealthyTimes(asked(), health=health, wake=self._changed, clock=process.wall)

    async def recall(self) -> None:
        """Take up what was seen before this."""
        self.times.recall(await _remembered(self._process))

    def joined(self, land: Callable[[Destination], None]) -> None:
        """Let destinations land by *land* from now on."""
        self._land = land

    async def run(self) -> None:
        """Note every now and then what is healthy still, until cancelled."""
        try:
            while True:
                await asyncio.sleep(NOTED_EVERY)
                self.times.judge()
                await self._process.cache.remember_runs(self.times.remembered())
        finally:
            self._process.releases.runs = self.times.remembered()

    def _changed(self, key: str) -> None:
        """Let those land who follow *key*."""
        for item in self._asked():
            if item.gates.follows is not None and item.gates.follows.subscription == key:
                for target in item.targets:
                    self._land(target.destination)


async def _remembered(process: Process) -> Iterable[RememberedRuns]:
    """Return what the generation before this, or else another process, saw."""
    return process.releases.runs or await process.cache.runs()
