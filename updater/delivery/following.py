"""Follows every release from our commit to its verdict: it hears what landed, and asks what the cluster says."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.delivery.agents import shown_revisions
from updater.delivery.commits import release_of
from updater.delivery.finding import FoundWorkloads
from updater.delivery.found import NothingKnown, ReadObjects, WorkloadIndex
from updater.delivery.judging import joint_health, state_for
from updater.delivery.memory import ReleaseMemory
from updater.delivery.releases import FollowedRelease, Judgement, moment
from updater.delivery.reversal import another_image
from updater.delivery.state import is_asked_for
from updater.http.client import Clock
from updater.model.release import BadRelease, Health, OnBad, ReleaseVerdict
from updater.model.report import DestinationLanded, InventoryChanged, LandingEnd, ReleaseJudged, ReleaseProgressed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from updater.delivery.judging import KnownWorkloads
    from updater.delivery.state import WorkloadState
    from updater.model.image import ImageRef
    from updater.model.release import DeliveryOptions, Release, Workload
    from updater.model.report import Report
    from updater.model.subscription import Destination, Subscription

MOST_REVISIONS: Final = 200
_MOST_NAMED: Final = 3
_SHORTEST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 3600.0


class ReleaseFollower:
    """Follows releases of the subscriptions that say how. *publish* takes each verdict, `known` says what the cluster has.

    *memory* belongs to whoever made it, and outlives this.
    """

    def __init__(
        self,
        subscriptions: Iterable[Subscription],
        *,
        publish: Callable[[ReleaseJudged | ReleaseProgressed], None],
        memory: ReleaseMemory | None = None,
        surroundings: Clock | None = None,
    ) -> None:
        self.index = WorkloadIndex(NothingKnown())
        self._publish = publish
        self._around = surroundings or Clock()
        self._subscriptions = _followed(subscriptions)
        self._followed: dict[str, FollowedRelease] = {}
        self._places: dict[str, Destination] = {}
        self._memory = memory or ReleaseMemory()
        self._revisions: dict[str, dict[str, None]] = {}
        self.before: dict[str, frozenset[str]] = {}
        self._news = asyncio.Event()

    @property
    def known(self) -> KnownWorkloads:
        """What the cluster of updater has."""
        return self.index.known

    @known.setter
    def known(self, known: KnownWorkloads) -> None:
        self.index.put_known(None, known)

    @property
    def in_flight(self) -> int:
        """How many releases are followed."""
        return len(self._followed)

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The subscriptions whose releases are followed."""
        return tuple(self._subscriptions.values())

    @property
    def releases(self) -> Mapping[str, Release]:
        """The releases that are followed, by subscription key."""
        return {key: followed.release for key, followed in self._followed.items()}

    @property
    def arriving(self) -> frozenset[str]:
        """The subscriptions whose workload asks for the image of their release, which has no verdict yet."""
        return frozenset(key for key, followed in self._followed.items() if followed.health and followed.health.is_seen)

    def hear(self, report: Report) -> None:
        """Take up what landed; see `updater.reporting.stream.Listener`."""
        if isinstance(report, InventoryChanged):
            is_whole = all(source.subscriptions is not None for source in report.sources)
            self._changed(_followed(report.subscriptions), is_whole=is_whole)
        elif isinstance(report, DestinationLanded) and report.notes is not None:
            for key in report.written.keys() & self._subscriptions.keys():
                self._landed(self._subscriptions[key], report)

    def options_of(self, key: str) -> DeliveryOptions | None:
        """Return how the releases of a subscription are followed, None where they are not."""
        found = self._subscriptions.get(key)
        return found.delivery if found else None

    def found(self, key: str) -> FoundWorkloads:
        """Return what runs the image of a subscription."""
        item = self._subscriptions.get(key)
        return self.index.of(item) if item else FoundWorkloads()

    def states_of(self, release: Release) -> list[tuple[Workload, WorkloadState]]:
        """Return what each workload of a release says of itself now."""
        key = release.subscription
        known, revisions = self.index.known_for(self.options_of(key)), self._revisions.get(key, ())
        found = self.found(key).found
        return [(item.workload, state_for(release, item.workload, known, revisions)) for item in found]

    def changed(self) -> None:
        """Report that the cluster has other objects."""
        self._news.set()

    async def run(self) -> None:
        """Judge what is followed when time alone decides, and after each change, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait()):
                    await self._news.wait()
            self._news.clear()
            self.judge()

    def judge(self, keys: Iterable[str] | None = None) -> None:
        """Judge the releases of *keys*, None for every one that is followed."""
        now = self._around.wall()
        for key in [*self._followed] if keys is None else [key for key in keys if key in self._followed]:
            followed = self._followed[key]
            judgement = followed.judge(health_for(followed.release, self, self._revisions.get(key, ())), now)
            if judgement is not None:
                self._end(key, followed, judgement)
            elif (progressed := _progressed(followed, now)) is not None:
                self._publish(progressed)

    def _changed(self, now: dict[str, Subscription], *, is_whole: bool) -> None:
        """Follow what is asked for now; what was remembered of others is forgotten once every source was heard."""
        before, self._subscriptions = self._subscriptions, now
        self.index.forget([key for key, item in before.items() if key in now and now[key] is not item])
        memory = self._memory
        here = (self._followed, self._places, self._revisions, self.before)
        lasting = (memory.judged, memory.healthy, memory.orders, memory.bad) if is_whole else ()
        for known in (*here, *lasting):
            for key in known.keys() - now.keys():
                del known[key]
        for key in before.keys() - now.keys():
            self.index.leave(key)
        for key, followed in self._followed.items():
            followed.options = now[key].delivery or followed.options

    def _landed(self, subscription: Subscription, report: DestinationLanded) -> None:
        key, now = subscription.key, self._around.wall()
        if report.destination.method == "git" and key in report.paths:
            self.index.put_paths(key, report.destination, report.paths[key])
        found, before = release_of(subscription, report), self._followed.get(key)
        if found is None:
            if before is not None and self._places.get(key) == report.destination:
                self._end(key, before, Judgement(verdict=ReleaseVerdict.SUPERSEDED, reason="another value is written by now"))
            return
        if before is not None and before.release.revision != found.revision and found.began < before.release.began:
            return  # an older commit on another branch
        bad = self._memory.bad.get(key)
        if bad is not None and bad.revision == found.revision and _awaits_people(subscription):
            self._memory.judged[key] = found.revision
        if found.revision not in {self._memory.judged.get(key), before.release.revision if before else None}:
            if before is not None:
                self._end(key, before, Judgement(verdict=ReleaseVerdict.SUPERSEDED, reason=f"replaced by {found.image}"))
            if (runs := _running(self.states_of(found), found, before)) is not None:
                self._memory.healthy[key] = runs
            self._take_up(subscription, found, now)
            self._places[key] = report.destination
        if key in self._followed:
            _note_head(self._revisions.setdefault(key, {}), report)

    def _take_up(self, subscription: Subscription, release: Release, now: float) -> None:
        options = subscription.delivery
        assert options is not None  # noqa: S101 - others are not kept
        key = release.subscription
        self._followed[key] = followed = FollowedRelease(release=release, options=options, since=now)
        found = self.found(key)
        if followed.is_fresh:
            agents = {item.agent for item in found.found if item.agent}
            known = self.index.known_for(options)
            shown = (known.get(agent.kind, agent.namespace, agent.name) or {} for agent in agents)
            self.before[key] = frozenset().union(*map(shown_revisions, shown)) - {release.revision}
            names = ", ".join(map(str, found.workloads[:_MOST_NAMED])) or found.reason or "the cluster to be read"
            health = Health(verdict=ReleaseVerdict.PROGRESSING, reason="", workload=next(iter(found.workloads), None))
            followed.health = health
            self._publish(_report(followed, now, Judgement(verdict=ReleaseVerdict.PROGRESSING, reason=f"waiting for {names}")))
        self._news.set()

    def _end(self, key: str, followed: FollowedRelease, judgement: Judgement) -> None:
        del self._followed[key]
        self._revisions.pop(key, None)
        self.before.pop(key, None)
        self._memory.judged[key] = followed.release.revision
        if judgement.verdict is ReleaseVerdict.HEALTHY:
            self._memory.healthy[key] = followed.release.image
        elif judgement.verdict is ReleaseVerdict.BAD:
            release = followed.release
            self._memory.bad[key] = BadRelease(revision=release.revision, image=release.image, reason=judgement.reason)
        self._publish(_report(followed, self._around.wall(), judgement))
        self.index.forget((key,))

    def _wait(self) -> float:
        """Return for how many seconds nothing is decided by time alone."""
        now = self._around.wall()
        moments = [at for followed in self._followed.values() if (at := followed.next_at) > now]  # the others wait for an object
        return min(max(min(moments, default=float("inf")) - now, _SHORTEST_WAIT), _LONGEST_WAIT)


def health_for(release: Release, follower: ReleaseFollower, revisions: Collection[str]) -> Health:
    """Return what the cluster says of a release; *revisions* are those that are known to hold it."""
    key, read = release.subscription, set[tuple[str, str, str]]()
    options = follower.options_of(key)
    view = ReadObjects(follower.index.known_for(options), read)
    health = joint_health(release, follower.found(key), view, revisions, follower.before.get(key, frozenset()))
    follower.index.note(key, read)
    if options is not None and options.cluster is not None and health.verdict is not ReleaseVerdict.HEALTHY:
        return replace(health, reason=f"{health.reason} (cluster {options.cluster})")
    return health


def _running(states: list[tuple[Workload, WorkloadState]], release: Release, before: FollowedRelease | None) -> ImageRef | None:
    """Return what runs well before *release* comes, unless that is one whose verdict was still open."""
    if not states or any(state.images is None or state.verdict is not ReleaseVerdict.HEALTHY for _, state in states):
        return None
    runs = another_image([text for _, state in states for text in state.images or ()], release.image)
    return None if before is not None and runs is not None and is_asked_for(runs, before.release.image) else runs


def _report(followed: FollowedRelease, now: float, judgement: Judgement) -> ReleaseJudged:
    release = followed.release
    return ReleaseJudged(
        release=release,
        workload=followed.health.workload if followed.health else None,
        verdict=judgement.verdict,
        reason=judgement.reason,
        seconds=max(0.0, now - release.began.timestamp()) if followed.is_fresh else None,
        is_certain=judgement.is_certain,
        at=moment(now),
    )


def _progressed(followed: FollowedRelease, now: float) -> ReleaseProgressed | None:
    """Return how far a canary has come, None where that was told before."""
    health = followed.health
    if health is None or health.progress == followed.told:
        return None
    followed.told = health.progress
    return ReleaseProgressed(
        release=followed.release, workload=health.workload, progress=health.progress, reason=health.reason, at=moment(now)
    )


def _awaits_people(subscription: Subscription) -> bool:
    """Return whether a bad release is for a person to decide about: its verdict is final."""
    return subscription.delivery is not None and subscription.delivery.on_bad is OnBad.HOLD


def _note_head(known: dict[str, None], report: DestinationLanded) -> None:
    """Remember a head at which a release stands: an agent may be synced to any of them."""
    if report.head is None or report.end is LandingEnd.PUSHED:  # what was read then is older than what was pushed
        return
    known[report.head] = None
    while len(known) > MOST_REVISIONS:
        del known[next(iter(known))]


def _followed(subscriptions: Iterable[Subscription]) -> dict[str, Subscription]:
    return {item.key: item for item in subscriptions if item.delivery is not None}
