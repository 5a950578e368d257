"""Knows what one loaded configuration asks for: its scans, its landings, its schedule."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from updater.daemon.access import access_for, signer_for
from updater.daemon.facts import Facts
from updater.editors import make_editors
from updater.engine.decide import failed
from updater.engine.landing import Landing, Parts, land
from updater.engine.scan import Scans
from updater.engine.schedule import Plan, Schedule
from updater.errors import UpdaterError
from updater.model.listed import listed_for
from updater.model.subscription import GitBranch
from updater.registry.asking import Asking
from updater.registry.client import RegistryClient
from updater.writeback.git import GitWriter, Pen
from updater.writeback.message import commit_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from updater.daemon.process import Process
    from updater.engine.landing import Writer
    from updater.git.access import Access
    from updater.model.listed import Listed
    from updater.model.outcome import Outcome
    from updater.model.subscription import Destination, Subscription
    from updater.model.view import PastCommit
    from updater.sources.file import Loaded

LONGEST_PAUSE: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Who does the work of a generation; *writer* is *git*, or what stands before it, *access* how Git URLs are reached."""

    scans: Scans
    git: GitWriter
    writer: Writer
    access: Callable[[str, str], Awaitable[Access]]


class Generation:
    """One configuration at work. Build it with `start`; what it was given is not changed afterwards."""

    def __init__(self, loaded: Loaded, process: Process, crew: Crew) -> None:
        self.loaded = loaded
        self.crew = crew
        self._process = process
        self.schedule: Schedule | None = None

    @classmethod
    async def start(
        cls, loaded: Loaded, process: Process, *, wrap: Callable[[Writer], Writer] = lambda writer: writer
    ) -> Generation:
        """Put a generation together; *wrap* may stand between a landing and its writer. Raises `ConfigError`."""
        settings, subscriptions = loaded.settings, loaded.snapshot.subscriptions
        signer = await signer_for(settings, process.keychain)

        async def access(url: str, credential: str) -> Access:
            return await access_for(url, settings, process.keychain, credential=credential)

        registry = RegistryClient(Asking(process.http, process.keychain), settings.registry_entries, facts=Facts(process))
        git = GitWriter(
            mirror=process.mirror,
            editors=make_editors(settings.text_markers),
            pen=Pen(message=commit_message, signer=lambda _: signer, now=_now, rule=" ".join(settings.text_markers)),
            known=lambda: _marker_names(subscriptions),
            count=process.metrics.count,
        )
        crew = Crew(scans=Scans(registry, process.cache, subscriptions), git=git, writer=wrap(git), access=access)
        return cls(loaded, process, crew)

    def take_over(self) -> None:
        """Let the process reach Git as this generation says; call it when no other one works any more."""
        self._process.access_for = self.crew.access
        self._process.ours |= {subscription.voice.email.lower() for subscription in self.loaded.snapshot.subscriptions}

    @property
    def is_running(self) -> bool:
        """Whether the schedule runs."""
        return self.schedule is not None and self.schedule.is_running

    async def once(self, subscriptions: Sequence[Subscription], *, is_dry: bool) -> tuple[Landing, ...]:
        """Scan all images of *subscriptions*, then land all their destinations, side by side.

        A branch that is made anew at each landing takes the other subscriptions of it along, or it would drop what they hold.
        """
        destinations = _destinations(subscriptions)
        whole = _with_companions(subscriptions, self.loaded.snapshot.subscriptions, _rebuilt(destinations))
        images = dict.fromkeys(listed_for(subscription) for subscription in whole)
        await asyncio.gather(*(self.scan(listed) for listed in images))
        return tuple(await asyncio.gather(*(self.land(item, whole, is_dry=is_dry) for item in destinations)))

    async def scan(self, listed: Listed) -> bool:
        """Scan one image; says whether what it offers differs from before. A failure stands until the next scan."""
        has_changed = await self.crew.scans.scan(listed)
        failure = self.crew.scans.failure(listed)
        self._process.metrics.count("updater_scans_total", listed.image.registry, failure.code if failure else "ok")
        if failure:
            self._process.log.warning(
                "scan failed", image=str(listed.image), detail=failure.message, code=failure.code, hint=failure.hint
            )
        return has_changed

    async def land(self, destination: Destination, subscriptions: Sequence[Subscription], *, is_dry: bool = False) -> Landing:
        """Land one destination, and report; a bug ends its targets as failed, with the traceback in the log."""
        started = time.monotonic()
        parts = Parts(
            writer=self.crew.writer, choose=self.crew.scans.choose, identify=self.crew.scans.identify, pause=self._pause
        )
        try:
            landing = await land(destination, subscriptions, parts, is_dry=is_dry)
        except Exception:  # an unexpected exception ends one destination, and others go on
            self._process.log.exception("bug", destination=str(destination))
            error = UpdaterError("a bug in updater ended this landing; the log has its traceback", code="bug")
            landing = Landing(destination=destination, outcomes=failed(subscriptions, destination, error), choices={})
        if not is_dry:
            await self._process.reporter.report(landing, time.monotonic() - started)
        return landing

    async def history(self, subscriptions: Sequence[Subscription], limit: int) -> list[tuple[GitBranch, tuple[PastCommit, ...]]]:
        """Give our own commits among the last *limit* of every branch that *subscriptions* write, newest first."""
        branches = [item for item in _destinations(subscriptions) if isinstance(item, GitBranch)]
        return [(branch, await self.crew.git.history(branch, limit)) for branch in branches]

    async def last_outcomes(self) -> tuple[Outcome, ...]:
        """Give the last outcome of every target that the cache remembers."""
        return await self._process.cache.outcomes()

    async def run(self) -> None:
        """Work by the schedule until `stop`."""
        self.schedule = Schedule(self._plan(), scan=self.scan, land=self._land_all)
        await self.schedule.run()

    def stop(self) -> None:
        """Take no more work; `run` returns when landings that have begun are done."""
        if self.schedule:
            self.schedule.stop()

    async def _land_all(self, destination: Destination) -> None:
        await self.land(destination, self.loaded.snapshot.subscriptions)

    async def _pause(self, attempt: int) -> None:
        self._process.metrics.count("updater_replays_total")
        await asyncio.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.05 * 2**attempt)))  # noqa: S311 - jitter, no secret

    def _plan(self) -> Plan:
        images: dict[Listed, float] = {}
        destinations: dict[Destination, float] = {}
        waiting: defaultdict[Listed, dict[Destination, None]] = defaultdict(dict)
        for subscription in self.loaded.snapshot.subscriptions:
            listed = listed_for(subscription)
            images[listed] = min(subscription.interval, images.get(listed, subscription.interval))
            for destination in _destinations([subscription]):
                waiting[listed][destination] = None
                destinations[destination] = min(subscription.interval, destinations.get(destination, subscription.interval))
        return Plan(
            images=images,
            destinations=destinations,
            waiting={listed: tuple(wanted) for listed, wanted in waiting.items()},
            rebuilt=_rebuilt(destinations),
        )


def _now() -> datetime:
    return datetime.now(UTC)


def _destinations(subscriptions: Sequence[Subscription]) -> tuple[Destination, ...]:
    return tuple(dict.fromkeys(target.destination for item in subscriptions for target in item.targets))


def _rebuilt(destinations: Iterable[Destination]) -> frozenset[Destination]:
    """Name the destinations whose branch is made anew from its base at each landing."""
    return frozenset(item for item in destinations if isinstance(item, GitBranch) and item.push != item.branch)


def _with_companions(
    chosen: Sequence[Subscription], known: Sequence[Subscription], rebuilt: frozenset[Destination]
) -> tuple[Subscription, ...]:
    companions = (item for item in known if any(target.destination in rebuilt for target in item.targets))
    return tuple(dict.fromkeys((*chosen, *companions)))


def _marker_names(subscriptions: Sequence[Subscription]) -> frozenset[str]:
    return frozenset(
        target.locator.name
        for subscription in subscriptions
        for target in subscription.targets
        if target.editor == "marker" and target.locator.name
    )
