"""When a destination may land: it is due, nothing pauses it, and what it needs was scanned. Never two landings at once.

Each destination has one worker. One that left and comes back while its landing goes on gets the same worker again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitTimes:
    """How long, in seconds.

    *coalesce*: a due destination waits for what else arrives, unless all that could arrive was asked for; *scans*: it waits
    for scans of its images that go on; *first_scans*: it waits for the slowest of its images that were never scanned;
    *clock*: between two looks at the clock.
    """

    coalesce: float = 0.5
    scans: float = 5.0
    first_scans: float = 10.0
    clock: float = 10.0


class DestinationWorker:
    """Lands one destination whenever it may, until it leaves. It is due when it is made.

    *is_rebuilt*: its branch is made anew from its base at each landing, so it never lands while a scan is missing; another
    one waits for missing scans too, but no slow registry holds it up for longer than `WaitTimes.first_scans`, and either waits
    for scans that go on, at most `WaitTimes.scans`. While *is_paused* no landing begins; one that has begun is finished.
    """

    def __init__(self, land: Callable[[], Awaitable[None]], waits: WaitTimes) -> None:
        self.is_rebuilt = False
        self.is_paused = False
        self._land = land
        self._waits = waits
        self._is_due = True
        self._is_leaving = False
        self._missing: set[ScanKey] = set()
        self._patient_until: float | None = None
        self._expected: set[ScanKey] = set()
        self._expected_until: float | None = None
        self._is_gathering = False
        self._is_gathered = False
        self._news = asyncio.Event()

    def due(self) -> None:
        """Report that something changed."""
        self._is_gathered &= self._is_due  # what was gathered before is not what comes along with this
        self._is_due = True
        self._news.set()

    def miss(self, listed: ScanKey) -> None:
        """Wait for a scan of *listed*."""
        self._missing.add(listed)
        self._news.set()

    def expect(self, *listed: ScanKey, is_all: bool = False) -> None:
        """Wait a little for scans of *listed*, which go on: what they find lands together with what is due.

        *is_all* says that something was found, and that nothing else can have been pushed together with it.
        """
        self._expected.update(listed)
        self._is_gathering |= is_all

    def arrived(self, listed: ScanKey) -> None:
        """Report that the scan of *listed* ended."""
        self._expected.discard(listed)
        if not self._expected:
            self._expected_until = None
            self._is_gathered |= self._is_gathering
            self._is_gathering = False
            self._news.set()

    async def settle(self) -> None:
        """Wait until no scan of its images goes on, at most `WaitTimes.scans`; a landing asks for that before it chooses."""
        await _until(lambda: not self._expected, self._news, seconds=self._waits.scans)

    def have(self, listed: ScanKey) -> None:
        """Report that *listed* was scanned or failed, or is not needed any more."""
        self._is_gathering |= self._missing == {listed}  # the last of what was never scanned: there is nothing else
        self._missing.discard(listed)
        self.arrived(listed)
        if not self._missing:
            self._patient_until = None
            self._news.set()

    def resume(self) -> None:
        """Be due, and wait for missing scans as after a start."""
        self.is_paused = False
        self._patient_until = self._expected_until = None
        self.due()

    def leave(self) -> None:
        """Begin no landing any more; `work` ends when the one that has begun is done."""
        self._is_leaving = True
        self._news.set()

    def stay(self) -> None:
        """Take back `leave` before `work` has ended: be due, and wait for no scan until told so."""
        self._is_leaving = False
        self._missing.clear()
        self._expected.clear()
        self._patient_until = self._expected_until = None
        self._is_gathering = self._is_gathered = False
        self.due()

    async def work(self) -> None:
        """Land again and again; ends after `leave`, raises what a landing raises."""
        while not self._is_leaving:
            if not self._may_land:
                await self._wait_for_news()
                continue
            await _until(lambda: self._is_gathered or self._is_leaving, self._news, seconds=self._waits.coalesce)
            if self._may_land:
                self._is_due, self._is_gathered, self._expected_until = False, False, None
                await self._land()

    @property
    def _may_land(self) -> bool:
        if not self._is_due or self.is_paused or self._is_leaving:
            return False
        now = asyncio.get_running_loop().time()
        if self._missing and (self.is_rebuilt or self._patient_until is None or now < self._patient_until):
            return False
        return not self._expected or (self._expected_until is not None and now >= self._expected_until)

    async def _wait_for_news(self) -> None:
        """Wait until something changes, or patience with slow registries ends."""
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._end_of_patience()):
                await self._news.wait()

    def _end_of_patience(self) -> float | None:
        """Return until when to wait for scans; None where something else has to happen first."""
        if self.is_paused:
            return None
        now = asyncio.get_running_loop().time()
        if self._missing and not self.is_rebuilt and self._patient_until is None:
            self._patient_until = now + self._waits.first_scans
        if self._expected and self._is_due and self._expected_until is None:
            self._expected_until = now + self._waits.scans
        limits = (self._patient_until if self._missing else None, self._expected_until if self._expected else None)
        return min((limit for limit in limits if limit is not None and limit > now), default=None) if self._is_due else None


async def _until(is_so: Callable[[], bool], news: asyncio.Event, *, seconds: float) -> None:
    """Wait until *is_so*, which is asked after each of the *news*, at most some *seconds*."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not is_so():
                news.clear()
                await news.wait()


class DestinationWorkers:
    """The worker of every destination: those that are wanted, and those that left and finish what they do."""

    def __init__(self, land: Callable[[Destination], Awaitable[None]], waits: WaitTimes) -> None:
        self._land = land
        self._waits = waits
        self._at_work: dict[Destination, DestinationWorker] = {}
        self._leaving: dict[Destination, DestinationWorker] = {}
        self._rebuilt: frozenset[Destination] = frozenset()
        self._group: asyncio.TaskGroup | None = None
        self._is_paused = False

    def of(self, destinations: Iterable[Destination]) -> Iterable[DestinationWorker]:
        """Return the workers of those *destinations* that have one."""
        return [self._at_work[item] for item in destinations if item in self._at_work]

    def fit(self, destinations: Iterable[Destination], rebuilt: frozenset[Destination]) -> None:
        """Let every destination that is not wanted any more go, and give every new one a worker."""
        wanted, known = set(destinations), set(self._at_work)  # sets of dicts hash nothing again, and there may be 5,000
        for destination in known - wanted:
            worker = self._at_work.pop(destination)
            worker.leave()
            if self._group:
                self._leaving[destination] = worker
        for destination in wanted - known:
            self._hire(destination).is_rebuilt = destination in rebuilt
        for destination in self._rebuilt ^ rebuilt:
            for worker in self.of([destination]):
                worker.is_rebuilt = destination in rebuilt
        self._rebuilt = rebuilt

    def start(self, group: asyncio.TaskGroup) -> None:
        """Let the workers, and those that come later, work as tasks of *group*."""
        self._group = group
        for destination, worker in self._at_work.items():
            group.create_task(self._employ(destination, worker))

    def pause(self) -> None:
        """Begin no landing until `resume`."""
        self._is_paused = True
        for worker in self._at_work.values():
            worker.is_paused = True

    def resume(self) -> None:
        """Let every destination be due."""
        self._is_paused = False
        for worker in self._at_work.values():
            worker.resume()

    def leave(self) -> None:
        """Begin no landing any more: the group ends when those that have begun are done."""
        for worker in self._at_work.values():
            worker.leave()

    def _hire(self, destination: Destination) -> DestinationWorker:
        worker = self._leaving.pop(destination, None)
        if worker:
            worker.stay()
        else:
            worker = DestinationWorker(partial(self._land, destination), self._waits)
            if self._group:
                self._group.create_task(self._employ(destination, worker))
        worker.is_paused = self._is_paused
        self._at_work[destination] = worker
        return worker

    async def _employ(self, destination: Destination, worker: DestinationWorker) -> None:
        try:
            await worker.work()
        finally:
            if self._leaving.get(destination) is worker:
                del self._leaving[destination]
