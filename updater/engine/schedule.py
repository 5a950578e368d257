"""Whose time it is: one job an image, one job and one worker a destination; the only home of APScheduler.

An image is due for a scan, a destination for a look and a landing, never a pair of both. A slow
registry therefore delays nobody else, and a destination lands once for all that arrived within its
short coalescing delay. Images of one destination are due together with it, by the wall clock. What is
subscribed to may change at any time, and so may who is the leader.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import sys
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.base import STATE_RUNNING
from apscheduler.triggers.base import BaseTrigger

from updater.engine.destination_worker import DestinationWorkers, WaitTimes
from updater.engine.pending_scans import PendingScans
from updater.engine.phases import Phases
from updater.inventory.plan import Plan
from updater.model.scan_key import ScanKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator

    from apscheduler.job import Job

    from updater.model.subscription import Destination

__all__ = ["Plan", "Schedule", "WaitTimes"]

CLOCK_STEP: Final = 1.0
AT_ONCE: Final = 100
_FAR_OFF: Final = 2  # intervals
_SHORTLY: Final = timedelta(seconds=1)  # what holds again at once must not keep the loop busy


class Schedule:
    """Runs a plan until told to stop; *scan* says whether what it found differs from before.

    *wall* gives seconds since 1970, *spread* numbers from 0 to 1, by which destinations are due apart. Every method is called
    from the event loop, before `run` or while it runs.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        scan: Callable[[ScanKey], Awaitable[bool]],
        land: Callable[[Destination], Awaitable[None]],
        waits: WaitTimes | None = None,
        wall: Callable[[], float] = time.time,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._waits = waits or WaitTimes()
        self._wall = wall
        self._plan = plan
        self._is_paused = False
        self._stopping = asyncio.Event()
        self._workers = DestinationWorkers(land, self._waits)

        async def look(destination: Destination) -> None:
            self.due(destination)

        def again(images: Iterable[ScanKey]) -> None:
            self._jobs.run_now(images)

        self._rounds = PendingScans(scan, self._workers, is_open=self._is_open, again=again)
        self._jobs: _Jobs = _Jobs(self._rounds.scan, look, Phases(spread))
        self.replan(plan)

    async def run(self) -> None:
        """Work until `stop` is called; landings that have begun are finished."""
        self._jobs.start(self._plan)
        if self._is_open():
            self._jobs.resume()
        try:
            async with asyncio.TaskGroup() as group:
                self._workers.start(group)
                clock = mind_the_clock(self._jobs.run_now, self._stopping, wall=self._wall, every=self._waits.clock)
                await clock  # a plan without destinations is fine, and runs too
        finally:
            self._stopping.set()
            self._jobs.end()

    def stop(self) -> None:
        """Take no more work; `run` returns when the landings that have begun are done."""
        self._stopping.set()
        self._jobs.pause()
        self._workers.leave()

    def replan(
        self, plan: Plan, *, changed: Collection[Destination] = frozenset(), afresh: Collection[ScanKey] = frozenset()
    ) -> None:
        """Work by *plan* from now on. What did not change keeps its time, and a landing that has begun is finished.

        What is new is due at once, and so are the destinations in *changed*, whose subscriptions are others now. Images in
        *afresh* (`updater.engine.scanner.Scans.follow`) count as never scanned. A scan that began before
        this counts neither for them nor for a new image.
        """
        if self._stopping.is_set():
            return
        self._plan = plan
        self._workers.fit(plan.destinations, plan.rebuilt)
        self._rounds.begin(plan, afresh)
        for worker in self._workers.of(changed):
            worker.due()
        self._jobs.fit(plan)
        self._jobs.run_now(listed for listed in afresh if listed in plan.images)

    def pause(self) -> None:
        """Scan and land nothing until `resume`; what has begun is finished."""
        self._is_paused = True
        self._workers.pause()
        self._jobs.pause()

    def resume(self) -> None:
        """Work as after a start: everything is due, and what was scanned before counts as never scanned."""
        if not self._is_paused or self._stopping.is_set():
            return
        self._is_paused = False
        self._rounds.begin(self._plan, afresh=self._plan.images)
        self._workers.resume()
        self._jobs.run_now(self._plan.images)
        self._jobs.resume()

    @property
    def is_running(self) -> bool:
        """Whether `run` works, paused or not, and was not told to stop."""
        return self._jobs.has_started and not self._stopping.is_set()

    @property
    def is_paused(self) -> bool:
        """Whether nothing is scanned and landed until `resume`."""
        return self._is_paused

    def due(self, destination: Destination) -> None:
        """Report that something changed for *destination*; one that is not planned, or not any more, is let be."""
        for worker in self._workers.of([destination]):
            worker.due()

    def due_at(self, destination: Destination, moment: datetime) -> None:
        """Let a destination be due at *moment* too, if its interval does not come earlier; one that is not planned is let be."""
        self._jobs.run_at(destination, moment)

    def scan_afresh(self, listed: ScanKey) -> None:
        """Scan an image now, and do not count a scan that began before; one that is not planned is let be."""
        if listed in self._plan.images and self._is_open():
            self.replan(self._plan, afresh={listed})

    def ask(self, images: Iterable[ScanKey]) -> None:
        """Scan *images* now and land their destinations, because somebody said that they changed; others are let be."""
        self._rounds.ask(images)

    async def settle(self, destination: Destination) -> None:
        """Wait until no scan for *destination* goes on, for a few seconds at most."""
        for worker in self._workers.of([destination]):
            await worker.settle()

    def next_due(self, what: ScanKey | Destination) -> datetime | None:
        """Return when an image or a destination is due next, in UTC; None where nothing is planned, or all is paused."""
        return None if self._is_paused else self._jobs.next_time(what)

    def _is_open(self) -> bool:
        return not (self._is_paused or self._stopping.is_set())


class _Jobs:
    """The jobs of APScheduler: one an image, which runs at once, one a destination, whose worker is due by itself first.

    Many of them are made, and run now, some at a time: thousands at once would keep the loop from probes and the Lease.
    """

    def __init__(
        self, scan: Callable[[ScanKey], Awaitable[None]], look: Callable[[Destination], Awaitable[None]], phases: Phases
    ) -> None:
        self._scan = scan
        self._look = look
        self._phases = phases
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._jobs: dict[ScanKey | Destination, Job] = {}
        self._seconds: dict[ScanKey | Destination, float] = {}
        self._wanted: dict[ScanKey | Destination, float] = {}
        self._waiting: dict[ScanKey | Destination, None] = {}
        self._is_working_off = False
        self._numbers = itertools.count()  # a readable id would cost more than the job
        self.has_started = False

    def start(self, plan: Plan) -> None:
        """Have the jobs of *plan*, paused."""
        self._scheduler.start(paused=True)
        self.has_started = True
        self.fit(plan)

    def fit(self, plan: Plan) -> None:
        """Have the jobs of *plan*, and keep the times of those that stay; does nothing before `start`."""
        if not self.has_started:
            return
        # a mapping is invariant in its keys: these are only read
        wanted: dict[ScanKey | Destination, float] = {**plan.images, **plan.destinations}  # type: ignore[dict-item]
        self._wanted = wanted
        moved = self._phases.fit(plan, time.time())
        if not moved and wanted == self._seconds:  # like sets of dicts, this hashes none of 10,000 keys again
            return
        with _one_wake_up(self._scheduler):
            for what in set(self._seconds) - set(wanted):
                self._jobs.pop(what).remove()
                del self._seconds[what]
            now = datetime.now(UTC)
            if moved or {**wanted, **self._seconds} != wanted:
                for what, seconds in self._seconds.items():
                    if what in moved or seconds != wanted[what]:
                        self._renew(what, wanted[what], now)
                self._seconds = {what: wanted[what] for what in self._seconds}
        self.run_now(set(wanted) - set(self._seconds))

    def run_now(self, whats: Iterable[ScanKey | Destination] | None = None) -> None:
        """Run the jobs of *whats* now, or all of them, and make those that there are not yet; does nothing before `start`.

        Some of them at once, what remains between other things of the loop.
        """
        if not self.has_started:
            return
        self._waiting |= dict.fromkeys(self._jobs if whats is None else whats)
        if not self._is_working_off:
            self._work_off()

    def _work_off(self) -> None:
        if not self.has_started:
            return
        some = list(itertools.islice(self._waiting, AT_ONCE))
        now = datetime.now(UTC)
        with _one_wake_up(self._scheduler):
            for what in some:
                del self._waiting[what]
                if what in self._jobs:
                    self._jobs[what].modify(next_run_time=now)
                elif what in self._wanted:
                    self._seconds[what] = self._wanted[what]
                    self._jobs[what] = self._add(what, self._wanted[what], now)
        self._is_working_off = bool(self._waiting)
        if self._is_working_off:
            asyncio.get_running_loop().call_soon(self._work_off)

    def run_at(self, what: ScanKey | Destination, moment: datetime) -> None:
        """Run a job at *moment*, or in a second if that has passed, unless it runs earlier; after that it is in step again."""
        found = self._jobs.get(what)
        moment = max(moment, datetime.now(UTC) + _SHORTLY)
        if self.has_started and found is not None and found.next_run_time is not None and moment < found.next_run_time:
            found.modify(next_run_time=moment)

    def next_time(self, what: ScanKey | Destination) -> datetime | None:
        """Return when a job runs next; None where there is none."""
        found = self._jobs.get(what)
        return found.next_run_time if found else None

    async def _scan_until_end(self, listed: ScanKey) -> None:
        """Scan; at the end a scan is cancelled, which APScheduler would log as an error with its traceback."""
        try:
            await self._scan(listed)
        except asyncio.CancelledError:
            if self.has_started:
                raise

    def pause(self) -> None:
        """Run nothing until `resume`."""
        if self.has_started:
            self._scheduler.pause()

    def resume(self) -> None:
        """Run what became due, once each."""
        if self.has_started:
            self._scheduler.resume()

    def end(self) -> None:
        """Run nothing any more."""
        self.has_started = False
        self._scheduler.shutdown(wait=False)

    def _renew(self, what: ScanKey | Destination, seconds: float, now: datetime) -> None:
        job, trigger = self._jobs[what], _Beat(seconds, self._phases.of(what))
        # of the old time and the new one the earlier: intervals that change often must not put a scan off for ever
        job.modify(trigger=trigger, next_run_time=min(job.next_run_time, trigger.get_next_fire_time(None, now)))

    def _add(self, what: ScanKey | Destination, seconds: float, now: datetime) -> Job:
        trigger, is_image = _Beat(seconds, self._phases.of(what)), isinstance(what, ScanKey)
        return self._scheduler.add_job(
            self._scan_until_end if is_image else self._look,
            trigger,
            args=[what],
            id=str(next(self._numbers)),
            name=str(what),
            next_run_time=now if is_image else trigger.get_next_fire_time(None, now),
            # a late run is still wanted, and several late ones are one
            misfire_grace_time=None,
            coalesce=True,
            # a scan that finds another one going on ends at once, and that one scans again if need be: see `Rounds.scan`
            max_instances=sys.maxsize,
        )


@contextmanager
def _one_wake_up(scheduler: AsyncIOScheduler) -> Iterator[None]:
    """Let *scheduler* look at its jobs once after all changes, not after each."""
    was_running = scheduler.state == STATE_RUNNING
    if was_running:
        scheduler.pause()
    try:
        yield
    finally:
        if was_running:
            scheduler.resume()


class _Beat(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """Every so many *seconds* from the moment *at* on: what ran at another time too comes back into step."""

    def __init__(self, seconds: float, at: float) -> None:
        self._seconds = seconds
        self._at = at

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """Return the first moment after *now*; one that lies far off, as after a clock was set back, is no beginning."""
        passed = math.floor((now.timestamp() - self._at) / self._seconds)
        first = 0 if -_FAR_OFF <= passed < 0 else passed + 1
        moments = (datetime.fromtimestamp(self._at + (first + more) * self._seconds, UTC) for more in range(2))
        return next(moment for moment in moments if moment > now)


async def mind_the_clock(
    run_all: Callable[[], None], stopping: asyncio.Event, *, wall: Callable[[], float], every: float
) -> None:
    """Run everything now after the clock was set back: the next times would lie in a far future. Ends with *stopping*."""
    offset = wall() - time.monotonic()
    while not stopping.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), every)
        now = wall() - time.monotonic()
        if now < offset - CLOCK_STEP:
            run_all()
        offset = now
