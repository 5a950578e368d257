"""Follows every release from our commit to its verdict: it hears what landed, and asks what the cluster says."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from updater.delivery.commits import release_of
from updater.delivery.judging import KnownWorkloads, state_for
from updater.delivery.kinds import KINDS
from updater.delivery.memory import ReleaseMemory
from updater.delivery.releases import FollowedRelease, Judgement, moment
from updater.delivery.reversal import another_image
from updater.delivery.state import health_of, is_asked_for
from updater.http.client import Clock
from updater.model.release import BadRelease, Health, ReleaseVerdict
from updater.model.report import DestinationLanded, InventoryChanged, LandingEnd, ReleaseJudged

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from updater.delivery.state import WorkloadState
    from updater.kube.kinds import Object
    from updater.model.release import DeliveryOptions, Release
    from updater.model.report import Report
    from updater.model.subscription import Destination, Subscription

MOST_REVISIONS: Final = 200
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
        publish: Callable[[ReleaseJudged], None],
        memory: ReleaseMemory | None = None,
        surroundings: Clock | None = None,
    ) -> None:
        self.known: KnownWorkloads = _NothingKnown()
        self._publish = publish
        self._around = surroundings or Clock()
        self._subscriptions = _followed(subscriptions)
        self._followed: dict[str, FollowedRelease] = {}
        self._places: dict[str, Destination] = {}
        self._memory = memory or ReleaseMemory()
        self._revisions: dict[str, dict[str, None]] = {}
        self._news = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """How many releases are followed."""
        return len(self._followed)

    def hear(self, report: Report) -> None:
        """Take up what landed; see `updater.reporting.stream.Listener`."""
        if isinstance(report, InventoryChanged):
            self._subscriptions = _followed(report.subscriptions)
            memory = self._memory
            for known in (
                self._followed,
                self._places,
                self._revisions,
                memory.judged,
                memory.healthy,
                memory.orders,
                memory.bad,
            ):
                for key in known.keys() - self._subscriptions.keys():
                    del known[key]
        elif isinstance(report, DestinationLanded) and report.notes is not None:
            for key in report.written.keys() & self._subscriptions.keys():
                self._landed(self._subscriptions[key], report)

    def options_of(self, key: str) -> DeliveryOptions | None:
        """Return how the releases of a subscription are followed, None where they are not."""
        found = self._subscriptions.get(key)
        return found.delivery if found else None

    def state_of(self, release: Release) -> WorkloadState | None:
        """Return what the workload of a release says of itself now."""
        options = self.options_of(release.subscription)
        revisions = self._revisions.get(release.subscription, ())
        return state_for(release, options.workload, self.known, revisions) if options else None

    def changed(self) -> None:
        """Report that the cluster has other objects."""
        self._news.set()

    async def run(self) -> None:
        """Judge what is followed after each change, and when time alone decides, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait()):
                    await self._news.wait()
            self._news.clear()
            self.judge()

    def judge(self) -> None:
        """Judge every release that is followed."""
        now = self._around.wall()
        for key, followed in list(self._followed.items()):
            judgement = followed.judge(health_for(followed.release, self, self._revisions.get(key, ())), now)
            if judgement is not None:
                self._end(key, followed, judgement)

    def _landed(self, subscription: Subscription, report: DestinationLanded) -> None:
        key, now = subscription.key, self._around.wall()
        found, before = release_of(subscription, report), self._followed.get(key)
        if found is None:
            if before is not None and self._places.get(key) == report.destination:
                self._end(key, before, Judgement(verdict=ReleaseVerdict.SUPERSEDED, reason="another value is written by now"))
            return
        if before is not None and before.release.revision != found.revision and found.began < before.release.began:
            return  # an older commit on another branch
        if found.revision not in {self._memory.judged.get(key), before.release.revision if before else None}:
            if before is not None:
                self._end(key, before, Judgement(verdict=ReleaseVerdict.SUPERSEDED, reason=f"replaced by {found.image}"))
            self._note_healthy(found, before)
            self._take_up(subscription, found, now)
            self._places[key] = report.destination
        if key in self._followed:
            _note_head(self._revisions.setdefault(key, {}), report)

    def _take_up(self, subscription: Subscription, release: Release, now: float) -> None:
        options = subscription.delivery
        assert options is not None  # noqa: S101 - others are not kept
        is_rollout = KINDS[options.workload.kind].is_rollout
        self._followed[release.subscription] = followed = FollowedRelease(
            release=release, options=options, since=now, is_rollout=is_rollout
        )
        if followed.is_fresh:
            self._tell(followed, Judgement(verdict=ReleaseVerdict.PROGRESSING, reason=f"waiting for {options.workload}"))
        self._news.set()

    def _note_healthy(self, release: Release, before: FollowedRelease | None) -> None:
        """Remember what runs well before *release* comes, unless that is one whose verdict was still open."""
        state = self.state_of(release)
        if state is None or state.images is None or state.verdict is not ReleaseVerdict.HEALTHY:
            return
        runs = another_image(state.images, release.image)
        if runs is not None and (before is None or not is_asked_for(runs, before.release.image)):
            self._memory.healthy[release.subscription] = runs

    def _end(self, key: str, followed: FollowedRelease, judgement: Judgement) -> None:
        del self._followed[key]
        self._revisions.pop(key, None)
        self._memory.judged[key] = followed.release.revision
        if judgement.verdict is ReleaseVerdict.HEALTHY:
            self._memory.healthy[key] = followed.release.image
        elif judgement.verdict is ReleaseVerdict.BAD:
            release = followed.release
            self._memory.bad[key] = BadRelease(revision=release.revision, image=release.image, reason=judgement.reason)
        self._tell(followed, judgement)

    def _tell(self, followed: FollowedRelease, judgement: Judgement) -> None:
        now, release = self._around.wall(), followed.release
        self._publish(
            ReleaseJudged(
                release=release,
                workload=followed.options.workload,
                verdict=judgement.verdict,
                reason=judgement.reason,
                seconds=max(0.0, now - release.began.timestamp()) if followed.is_fresh else None,
                is_certain=judgement.is_certain,
                at=moment(now),
            )
        )

    def _wait(self) -> float:
        """Return for how many seconds nothing is decided by time alone."""
        now = self._around.wall()
        moments = [at for followed in self._followed.values() if (at := followed.next_at) > now]  # the others wait for an object
        return min(max(min(moments, default=float("inf")) - now, _SHORTEST_WAIT), _LONGEST_WAIT)


def health_for(release: Release, follower: ReleaseFollower, revisions: Collection[str]) -> Health:
    """Return what the cluster says of a release; *revisions* are those that are known to hold it."""
    options = follower.options_of(release.subscription)
    if options is None:
        return Health(verdict=ReleaseVerdict.UNKNOWN, reason="its releases are not followed")
    return health_of(state_for(release, options.workload, follower.known, revisions), release.image)


def _note_head(known: dict[str, None], report: DestinationLanded) -> None:
    """Remember a head at which a release stands: an agent may be synced to any of them."""
    if report.head is None or report.end is LandingEnd.PUSHED:  # what was read then is older than what was pushed
        return
    known[report.head] = None
    while len(known) > MOST_REVISIONS:
        del known[next(iter(known))]


def _followed(subscriptions: Iterable[Subscription]) -> dict[str, Subscription]:
    return {item.key: item for item in subscriptions if item.delivery is not None}


class _NothingKnown:
    """What is known before there is a way to the cluster."""

    def is_known(self, _kind: str, _namespace: str) -> bool:
        return False

    def get(self, _kind: str, _namespace: str, _name: str) -> Object | None:
        return None
