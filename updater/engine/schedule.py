"""Knows whose time it is: one job an image, one job and one worker a destination; the only home of APScheduler.

An image is due for a scan, a destination for a look and a landing, never a pair of both. A slow
registry therefore delays nobody else, and a destination lands once for all that arrived within its
short coalescing delay.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from updater.model.listed import Listed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from updater.model.subscription import Destination

JITTER: Final = 0.1
CLOCK_STEP: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When what is due: seconds by image and by destination, and which destinations wait for which image.

    *rebuilt* are the destinations whose branch is made anew from its base at each landing: they never land
    before each of their images was scanned or failed.
    """

    images: Mapping[Listed, float]
    destinations: Mapping[Destination, float]
    waiting: Mapping[Listed, tuple[Destination, ...]]
    rebuilt: frozenset[Destination] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long, in seconds.

    *coalesce*: a due destination waits for what else arrives; *first_scans*: after a start it waits for its slowest image;
    *clock*: between two looks at the clock.
    """

    coalesce: float = 0.5
    first_scans: float = 10.0
    clock: float = 10.0


class Schedule:
    """Runs a plan until told to stop; *scan* says whether what it found differs from before.

    *wall* gives seconds since 1970.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        scan: Callable[[Listed], Awaitable[bool]],
        land: Callable[[Destination], Awaitable[None]],
        waits: Waits | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._waits = waits or Waits()
        self._wall = wall
        self._plan = plan
        self._scan = scan
        self._land = land
        self._due = {destination: asyncio.Event() for destination in plan.destinations}
        self._unscanned = {destination: set[Listed]() for destination in plan.destinations}
        for listed, destinations in plan.waiting.items():
            for destination in destinations:
                self._unscanned[destination].add(listed)
        self._scanned = {destination: asyncio.Event() for destination in plan.destinations}
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop` is called; landings that have begun are finished."""
        self._add_jobs()
        for destination, missing in self._unscanned.items():
            if not missing:
                self._scanned[destination].set()
        self._scheduler.start()
        try:
            async with asyncio.TaskGroup() as group:
                for destination in self._plan.destinations:
                    group.create_task(self._work(destination))
                clock = mind_the_clock(self._scheduler, self._stopping, wall=self._wall, every=self._waits.clock)
                await clock  # a plan without destinations is fine, and runs too
        finally:
            self._scheduler.shutdown(wait=False)

    def stop(self) -> None:
        """Take no more work; `run` returns when the landings that have begun are done."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.pause()
        for event in (*self._due.values(), *self._scanned.values()):
            event.set()

    @property
    def is_running(self) -> bool:
        """Whether jobs are run now."""
        return bool(self._scheduler.running) and not self._stopping.is_set()

    def due(self, destination: Destination) -> None:
        """Say that something changed for *destination*."""
        self._due[destination].set()

    def next_due(self, what: Listed | Destination) -> datetime | None:
        """Say when an image or a destination is due next, in UTC."""
        job = self._scheduler.get_job(f"{type(what).__name__} {what!r}")
        return job.next_run_time if job else None

    def _add_jobs(self) -> None:
        now = datetime.now(UTC)
        for listed, seconds in self._plan.images.items():
            self._add(self._scan_safely, listed, seconds, now)
        for destination, seconds in self._plan.destinations.items():
            self._add(self._look_later, destination, seconds, now)

    def _add(self, job: Callable[..., Awaitable[None]], what: Listed | Destination, seconds: float, now: datetime) -> None:
        self._scheduler.add_job(
            job,
            IntervalTrigger(seconds=seconds, jitter=seconds * JITTER, timezone=UTC),
            args=[what],
            id=f"{type(what).__name__} {what!r}",
            next_run_time=now,
            # a late run is still wanted, several late ones are one; a second while the first runs is not
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )

    async def _scan_safely(self, listed: Listed) -> None:
        has_changed = True
        try:
            has_changed = await self._scan(listed)
        finally:
            for destination in self._plan.waiting.get(listed, ()):
                self._note_scan(destination, listed, has_changed=has_changed)

    def _note_scan(self, destination: Destination, listed: Listed, *, has_changed: bool) -> None:
        missing = self._unscanned[destination]
        missing.discard(listed)
        if not missing:
            self._scanned[destination].set()
        if has_changed:
            self._due[destination].set()

    async def _look_later(self, destination: Destination) -> None:
        self._due[destination].set()

    async def _work(self, destination: Destination) -> None:
        await self._wait_for_first_scans(destination)
        while not self._stopping.is_set():
            await self._due[destination].wait()
            if self._stopping.is_set():
                return
            await asyncio.sleep(self._waits.coalesce)
            self._due[destination].clear()
            await self._land(destination)

    async def _wait_for_first_scans(self, destination: Destination) -> None:
        """Land once for all images after a start, but let no slow registry hold up the others for long."""
        limit = None if destination in self._plan.rebuilt else self._waits.first_scans
        try:
            async with asyncio.timeout(limit):
                await self._scanned[destination].wait()
        except TimeoutError:
            return


async def mind_the_clock(
    scheduler: AsyncIOScheduler, stopping: asyncio.Event, *, wall: Callable[[], float], every: float
) -> None:
    """Run everything now after the clock was set back: the next times would lie in a far future. Ends with *stopping*."""
    offset = wall() - time.monotonic()
    while not stopping.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), every)
        now = wall() - time.monotonic()
        if now < offset - CLOCK_STEP:
            for job in scheduler.get_jobs():
                job.modify(next_run_time=datetime.now(UTC))
        offset = now
