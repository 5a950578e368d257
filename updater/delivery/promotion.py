"""For how long the commits of followed subscriptions have run healthy: what promotion goes by.

Only healthy time that was seen counts, or that the object itself vouches for. While a workload is not healthy for a moment the
clock stands; where that lasts longer than its deadline, or where it is bad, the time starts anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from updater.delivery.commits import release_of
from updater.model.promotion import HealthyRun, RememberedRuns
from updater.model.release import DEADLINE, ReleaseVerdict
from updater.model.report import DestinationLanded, InventoryChanged, LandingEnd, ReleaseJudged

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from updater.model.release import Health, Release
    from updater.model.report import Report
    from updater.model.subscription import Destination, Subscription

    HealthReader = Callable[[Release, Collection[str]], Health]

MOST_RUNS: Final = 8
MOST_REVISIONS: Final = 200
_NOT_SEEN: Final = "not looked at yet since the start"


@dataclass(slots=True)
class _FollowedRuns:
    """What is known of one followed subscription: its runs, the latest first, and the release that stands.

    *seen* is when a run that another process saw was seen last. Until the first look of this process is over, *is_first*.
    """

    runs: tuple[HealthyRun, ...] = ()
    release: Release | None = None
    destination: Destination | None = None
    revisions: dict[str, None] = field(default_factory=dict)
    rejected: frozenset[str] = frozenset()
    seen: float | None = None
    is_first: bool = True
    place: str = ""

    @property
    def standing(self) -> HealthyRun | None:
        return next((run for run in self.runs if run.is_standing), None)

    def row(self, key: str, now: float) -> RememberedRuns:
        """Return what another process is to know, as of *now*."""
        return RememberedRuns(key=key, seen=self.seen or now, runs=self.runs, place=self.place)

    def move(self, place: str) -> None:
        """Begin anew in another *place*: only what stands is known to stand there too."""
        self.runs = tuple(replace(run, since=None, until=None) for run in self.runs if run.is_standing)
        self.seen, self.is_first, self.place = None, False, place

    def put(self, run: HealthyRun) -> None:
        self.runs = tuple(run if item.is_standing else item for item in self.runs)


class HealthyTimes:
    """Keeps the runs of every subscription that another one follows.

    *health* says what the cluster says of a release, given the revisions that hold it; *wake* is told the key of a subscription
    whose offers may be others now; *clock* gives Unix time.
    """

    def __init__(
        self,
        subscriptions: Iterable[Subscription],
        *,
        health: HealthReader,
        wake: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._health = health
        self._wake = wake
        self._clock = clock
        self._known: dict[str, _FollowedRuns] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._kept: dict[str, RememberedRuns] = {}
        self._follow(subscriptions, is_whole=False)

    def runs(self, key: str) -> tuple[HealthyRun, ...]:
        """Return the runs of a subscription, the latest first; what people rejected there is bad."""
        known = self._known.get(key)
        if known is None:
            return ()
        return tuple(replace(run, is_bad=True) if run.image.tag in known.rejected else run for run in known.runs)

    def recall(self, rows: Iterable[RememberedRuns]) -> None:
        """Take up what another process saw, of subscriptions of which nothing is known yet.

        What is of others is kept until every source was heard: theirs may be the next one.
        """
        self._kept = {row.key: row for row in rows if row.key not in self._known}
        self._take_up()

    def remembered(self) -> tuple[RememberedRuns, ...]:
        """Return what another process is to know, as of now."""
        now = self._clock()
        return (*(known.row(key, now) for key, known in self._known.items()), *self._kept.values())

    def hear(self, report: Report) -> None:
        """Take up what landed, and which releases are bad; never waits."""
        if isinstance(report, InventoryChanged):
            is_whole = all(source.subscriptions is not None for source in report.sources)
            self._follow(report.subscriptions, is_whole=is_whole)
        elif isinstance(report, ReleaseJudged) and report.verdict is ReleaseVerdict.BAD:
            self._spoil(report.release)
        elif isinstance(report, DestinationLanded) and report.notes is not None:
            for key in report.written.keys() & self._subscriptions.keys():
                self._landed(self._subscriptions[key], report)

    def judge(self, concerns: Callable[[str], bool] | None = None) -> None:
        """Look at the releases that stand of each key that a change *concerns*, None for all: call it now and then too."""
        for key in self._known:
            if (concerns is None or concerns(key)) and self._look(key):
                self._wake(key)

    def _look(self, key: str) -> bool:
        """Look at the release that stands at *key*; return whether what is offered may be another now."""
        known, now = self._known[key], self._clock()
        run = known.standing
        if run is None or known.release is None:
            return False
        after = self._judged(key, known, run, now)
        known.put(after)
        return replace(after, reason="") != replace(run, reason="")

    def _follow(self, subscriptions: Iterable[Subscription], *, is_whole: bool) -> None:
        """Keep the runs of what is followed now; those of others are forgotten once every source was heard."""
        every = {item.key: item for item in subscriptions}
        wanted = {item.gates.follows.subscription for item in every.values() if item.gates.follows is not None}
        self._subscriptions = {key: every[key] for key in wanted & every.keys()}
        for key, item in self._subscriptions.items():
            if (known := self._known.get(key)) is not None and known.place != (place := _place_of(item)):
                known.move(place)
                self._wake(key)
        for key in self._known.keys() - self._subscriptions.keys():
            self._kept[key] = self._known.pop(key).row(key, self._clock())
        self._take_up()
        if is_whole:
            self._kept.clear()

    def _take_up(self) -> None:
        for key in self._kept.keys() & self._subscriptions.keys():
            row, place = self._kept.pop(key), _place_of(self._subscriptions[key])
            if row.place not in {"", place}:
                continue  # nothing that ran elsewhere is known to run here
            runs = tuple(run for run in row.runs if run.image.name == self._subscriptions[key].image)
            known = self._known[key] = _FollowedRuns(runs=runs, seen=row.seen, place=place)
            if (run := known.standing) is not None and run.until is None:
                known.put(replace(run, until=row.seen, reason=_NOT_SEEN))  # until the first look of this process

    def _spoil(self, release: Release) -> None:
        known = self._known.get(release.subscription)
        if known is not None and any(run.revision == release.revision for run in known.runs):
            known.runs = tuple(
                replace(run, is_bad=True, since=None, until=None) if run.revision == release.revision else run
                for run in known.runs
            )
            self._wake(release.subscription)

    def _landed(self, subscription: Subscription, report: DestinationLanded) -> None:
        key = subscription.key
        known, found = self._known.get(key), release_of(subscription, report)
        before = (known.runs, known.rejected) if known else ((), frozenset())
        if found is None:
            if known is not None and known.destination in {None, report.destination}:
                del self._known[key]  # a person wrote there, or took our commit back
        else:
            known = self._known.setdefault(key, _FollowedRuns(place=_place_of(subscription)))
            self._stands(known, found, report)
        known = self._known.get(key)
        if known is not None and known.destination == report.destination:
            self._look(key)  # the cluster may have been faster than our report
            known.rejected = frozenset(report.rejected.get(key, ()))
            taken_back = {past.revision for past in report.recent if past.reverted_by is not None}
            known.runs = tuple(run for run in known.runs if run.is_standing or run.revision not in taken_back)
        if ((known.runs, known.rejected) if known else ((), frozenset())) != before:
            self._wake(key)

    def _stands(self, known: _FollowedRuns, release: Release, report: DestinationLanded) -> None:
        run = known.standing
        if run is not None and run.revision != release.revision and release.began.timestamp() < run.began:
            return  # an older commit on another branch
        if run is None or run.revision != release.revision:
            known.runs = (_begun(release), *_moved_on(known, release, self._clock()))[:MOST_RUNS]
            known.seen, known.is_first = None, known.release is None
            known.revisions.clear()
        elif run.image.digest is None or run.image.tag is None:
            known.put(replace(run, image=release.image))  # the trailers say more than the line
        known.release, known.destination = release, report.destination
        if report.head is not None and report.end is not LandingEnd.PUSHED:
            known.revisions[report.head] = None
            while len(known.revisions) > MOST_REVISIONS:
                del known.revisions[next(iter(known.revisions))]

    def _judged(self, key: str, known: _FollowedRuns, run: HealthyRun, now: float) -> HealthyRun:
        assert known.release is not None  # noqa: S101 - see `_look`
        health = self._health(known.release, known.revisions)
        if known.is_first and (health.is_blind or health.verdict is ReleaseVerdict.UNKNOWN):
            return replace(run, reason=health.reason or run.reason)  # it is about to be known
        run = replace(run, reason=health.reason)
        seen, known.seen, is_first, known.is_first = known.seen, None, known.is_first, False
        if run.is_bad or health.verdict is ReleaseVerdict.BAD:
            return replace(run, since=None, until=None)
        if health.verdict is not ReleaseVerdict.HEALTHY:
            delivery = self._subscriptions[key].delivery
            return _paused(run, now, since=min(seen or now, now), longest=delivery.deadline if delivery else DEADLINE)
        if is_first:
            return _first(run, health.since, seen, now)
        since = now if run.since is None else min(run.since, now)
        if run.until is not None and run.since is not None:
            since = min(now, since + max(0.0, now - run.until))  # the pause does not count
        return replace(run, since=since, until=None)


def _place_of(item: Subscription) -> str:
    """Return where a subscription is followed, as text that is the same for the same place."""
    delivery = item.delivery
    if delivery is None:
        return "-"
    cluster = delivery.cluster
    where = (cluster.kubeconfig, cluster.context) if cluster else ("", "")
    return " ".join(map(str, (*where, delivery.workload, delivery.agent)))


def _begun(release: Release) -> HealthyRun:
    return HealthyRun(revision=release.revision, image=release.image, began=release.began.timestamp())


def _moved_on(known: _FollowedRuns, release: Release, now: float) -> Iterator[HealthyRun]:
    """Yield what goes on being known of the runs before *release*; what that takes back is bad."""
    for run in known.runs:
        if not run.is_standing:
            yield run
        elif run.since is not None or run.is_bad or release.is_revert:
            until = min(at for at in (run.until, known.seen, now) if at is not None)
            yield replace(run, is_standing=False, until=until, is_bad=run.is_bad or release.is_revert)


def _paused(run: HealthyRun, now: float, *, since: float, longest: float) -> HealthyRun:
    if run.since is None:
        return run
    until = min(run.until if run.until is not None else since, now)
    return replace(run, since=None, until=None) if now - until > longest else replace(run, until=until)


def _first(run: HealthyRun, vouched: float | None, seen: float | None, now: float) -> HealthyRun:
    """Return a run that is healthy when this process looks first: what the object vouches for counts, and what was seen."""
    if vouched is not None:
        since = max(vouched, run.began, run.since or 0.0)
    elif run.since is not None:
        last = seen if run.until is None or seen is None else min(run.until, seen)
        since = run.since + max(0.0, now - (last if last is not None else now))
    else:
        since = now
    return replace(run, since=min(since, now), until=None)
