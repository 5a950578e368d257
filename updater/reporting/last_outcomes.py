"""What became of each subscription last: for `updater status`, and for a page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from updater.model.outcome import Status, fold
from updater.model.release import ReleaseVerdict
from updater.model.report import (
    DestinationLanded,
    InventoryChanged,
    ReleaseJudged,
    ReleaseProgressed,
    SelectionMade,
    TargetsRefused,
)
from updater.model.view import trailer_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from updater.model.candidate import Candidate
    from updater.model.outcome import Outcome
    from updater.model.progress import Progress
    from updater.model.report import Report
    from updater.model.subscription import Destination, Origin, Subscription
    from updater.model.view import PastCommit
    from updater.model.written import Written


GLOB: Final = frozenset("*?[")
MOST_WRITTEN: Final = 20


def naming(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells of a key whether one of *patterns* names it.

    A pattern is a key, a glob, or an Application (``namespace/name``) with its images; no pattern names all. A glob is tried on
    every key, the others are looked up.
    """
    if not patterns:
        return lambda _key: True
    plain, globs = frozenset(patterns), globs_of(patterns)

    def is_named(key: str) -> bool:
        namespace, _, rest = key.partition("/")
        name, slash, _ = rest.partition("/")
        return (
            key in plain
            or (bool(slash) and f"{namespace}/{name}" in plain)
            or any(fnmatchcase(key, pattern) for pattern in globs)
        )

    return is_named


def is_named(key: str, patterns: Sequence[str]) -> bool:
    """Return whether one of *patterns* names *key*; see `naming`, which is for many keys."""
    return naming(patterns)(key)


def globs_of(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return those of *patterns* that are globs, each once."""
    return tuple(dict.fromkeys(pattern for pattern in patterns if not GLOB.isdisjoint(pattern)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionStatus:
    """One subscription at this moment; None where it is not known yet.

    *written* are the distinct values that stand at its targets, *running* what the cluster says where nothing is written,
    *chosen* the tag that should stand, *since* when *state* began, as far as this process has seen, *last_change* when we
    changed a value last, *held_by* the code of what holds it, *verdict* what the cluster made of our last commit.

    *chosen_at* is when the chosen tag was pushed, built or seen first, whichever is known. *code*, *hint* and *opens_at* are
    those of the outcome that *state* comes from, *release* is what was reported last of a release, *progress* how far its canary
    has come.
    """

    key: str
    image: str | None
    written: tuple[str, ...] = ()
    running: str | None = None
    chosen: str | None = None
    state: Status | None = None
    reason: str | None = None
    since: datetime | None = None
    last_change: datetime | None = None
    held_by: str | None = None
    verdict: str | None = None
    origin: Origin | None = None
    policy: str | None = None
    chosen_at: datetime | None = None
    code: str | None = None
    hint: str | None = None
    opens_at: datetime | None = None
    release: ReleaseJudged | None = None
    progress: Progress | None = None

    def row(self) -> Mapping[str, Any]:
        """Return the row of `updater status`, None for what is not known; `plain` makes it ready for JSON."""
        return {
            "key": self.key,
            "image": self.image,
            "written": self.written[:MOST_WRITTEN],
            "running": self.running,
            "chosen": self.chosen,
            "state": self.state,
            "reason": self.reason,
            "since": self.since,
            "last_change": self.last_change,
            "held_by": self.held_by,
            "verdict": self.verdict,
            "verdict_at": self.release.at if self.release else None,
            "workload": str(self.release.workload) if self.release and self.release.workload else None,
            "code": self.code,
            "progress": self.progress,
        }


@dataclass(slots=True)
class _Known:
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    written: dict[Destination, tuple[Written, ...]] = field(default_factory=dict)
    chosen: Candidate | None = None
    state: Status | None = None
    since: datetime | None = None
    changed: datetime | None = None
    release: ReleaseJudged | None = None
    progress: Progress | None = None


class LastOutcomes:
    """Remembers the last outcome of every target, and what was seen beside it; `heard` counts what may have changed that."""

    name: Final = "last outcomes"

    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}
        self._known: dict[str, _Known] = {}
        self._changes = _LastChanges()
        self._touched: dict[str, int] = {}
        self._replaced = 0
        self.heard = 0

    def hear(self, report: Report) -> None:
        """Remember one report."""
        self.heard += 1
        if isinstance(report, DestinationLanded):
            self._landed(report)
        elif isinstance(report, SelectionMade) and report.subscription in self._subscriptions:
            named = report.selection.chosen or report.selection.held
            self._of(report.subscription).chosen = named
            self._touch(report.subscription)
        elif isinstance(report, TargetsRefused):
            self._take(report.outcomes, report.at)
        elif isinstance(report, InventoryChanged):
            self._changed(report)
        elif isinstance(report, ReleaseJudged | ReleaseProgressed) and report.release.subscription in self._subscriptions:
            _take_release(self._of(report.release.subscription), report)
            self._touch(report.release.subscription)

    def touched_since(self, heard: int) -> Sequence[str] | None:
        """Return the keys whose status may be another than after *heard* reports; None for all."""
        if heard < self._replaced:
            return None
        return [key for key, number in self._touched.items() if number > heard]

    def _touch(self, *keys: str) -> None:
        self._touched.update(dict.fromkeys(keys, self.heard))

    def statuses(self, keys: Sequence[str] = (), *, is_public: bool = True) -> Iterator[SubscriptionStatus]:
        """Yield the status of every subscription that *keys* name, and of what is asked for and refused, by key.

        With *is_public* a reason has no words of a server: whoever reads it may not be allowed to see them.
        """
        is_named = naming(keys)
        for key in sorted(self._subscriptions.keys() | self._known.keys()):
            if is_named(key):
                status = self._status(key)
                yield status if is_public else replace(status, reason=_detail(self._known.get(key, _Known())))

    def statuses_of(self, keys: Iterable[str]) -> Iterator[SubscriptionStatus]:
        """Yield the status of each of *keys* that is known, at the price of these alone."""
        for key in keys:
            if key in self._subscriptions or key in self._known:
                yield self._status(key)

    def counts(self) -> Mapping[Status | None, int]:
        """Return how many subscriptions there are of each state, None before the first."""
        keys = self._subscriptions.keys() | self._known.keys()
        return Counter(self._known[key].state if key in self._known else None for key in keys)

    def _landed(self, report: DestinationLanded) -> None:
        if named := self._changes.take(report.destination, report.recent):
            self._touch(*(key for key in self._known if trailer_key(key) in named))
        for key, written in report.written.items():
            if key in self._subscriptions and self._of(key).written.get(report.destination) != written:
                self._of(key).written[report.destination] = written
                self._touch(key)
        # a landing that had begun may end after its subscription is gone
        self._take([outcome for outcome in report.outcomes if outcome.key in self._subscriptions], report.at)

    def _take(self, outcomes: Sequence[Outcome], at: datetime) -> None:
        for outcome in outcomes:
            known = self._of(outcome.key)
            if outcome.revision or known.outcomes.get(outcome.target) != outcome:
                self._touch(outcome.key)
            known.outcomes[outcome.target] = outcome
            if outcome.revision:
                known.changed = at
        for key in {outcome.key for outcome in outcomes}:
            known = self._known[key]
            state = fold(outcome.status for outcome in known.outcomes.values())
            if state is not known.state:
                known.state, known.since = state, at

    def _changed(self, report: InventoryChanged) -> None:
        self._replaced, self._touched = self.heard, {}
        before, self._subscriptions = self._subscriptions, {item.key: item for item in report.subscriptions}
        for key, known in list(self._known.items()):
            now = self._subscriptions.get(key)
            if now is None:
                del self._known[key]
            elif before.get(key) is not now:  # other targets, another policy: what was said of those that are gone is over
                targets = {str(target) for target in now.targets}
                known.outcomes = {text: item for text, item in known.outcomes.items() if text in targets}
                known.written = {place: item for place, item in known.written.items() if place in report.destinations}
                _forget_other(known, before.get(key), now)
        self._changes.keep(report.destinations)

    def _of(self, key: str) -> _Known:
        return self._known.setdefault(key, _Known())

    def _status(self, key: str) -> SubscriptionStatus:
        known, item = self._known.get(key, _Known()), self._subscriptions.get(key)
        leading = next((outcome for outcome in known.outcomes.values() if outcome.status is known.state), None)
        running = next((target.running for target in item.targets if target.running), None) if item else None
        changes = [moment for moment in (self._changes.last(key), known.changed) if moment]
        return SubscriptionStatus(
            key=key,
            image=str(item.image) if item else None,
            written=tuple(dict.fromkeys(_value(value) for values in known.written.values() for value in values)),
            running=_value(running) if running else None,
            chosen=known.chosen.tag if known.chosen else None,
            state=known.state,
            reason=leading.told if leading else None,
            since=known.since,
            last_change=max(changes, default=None),
            held_by=leading.code if leading and leading.status is Status.HELD else None,
            verdict=known.release.verdict.value if known.release else None,
            origin=item.origin if item else None,
            policy=str(item.policy) if item else None,
            chosen_at=_age_of(known.chosen),
            code=leading.code if leading else None,
            hint=(leading.hint or None) if leading else None,
            opens_at=leading.opens_at if leading else None,
            release=known.release,
            progress=known.progress,
        )


def _detail(known: _Known) -> str | None:
    return next((outcome.detail for outcome in known.outcomes.values() if outcome.status is known.state), None)


def _take_release(known: _Known, report: ReleaseJudged | ReleaseProgressed) -> None:
    """Note what was reported of a release; one that is taken up after a restart is told by its progress alone."""
    if isinstance(report, ReleaseJudged):
        known.release, known.progress = report, None
        return
    before = known.release
    is_same = before is not None and before.release.revision == report.release.revision
    known.progress = report.progress
    known.release = ReleaseJudged(
        release=report.release,
        workload=report.workload,
        verdict=ReleaseVerdict.PROGRESSING,
        reason=report.reason,
        seconds=None,
        at=before.at if before is not None and is_same else report.release.began,
    )


def _forget_other(known: _Known, before: Subscription | None, now: Subscription) -> None:
    """Forget the release and the choice that are not of what *now* asks for."""
    is_same_image = before is not None and before.image == now.image
    if now.delivery is None or not is_same_image:
        known.release = known.progress = None
    if before is None or not is_same_image or before.policy != now.policy:
        known.chosen = None


class _LastChanges:
    """When our commits changed each subscription last; a row must not look at every commit of every branch."""

    def __init__(self) -> None:
        self._recent: dict[Destination, Sequence[PastCommit]] = {}
        self._at: dict[str, dict[Destination, datetime]] = {}  # by key as trailers have it

    def take(self, destination: Destination, recent: Sequence[PastCommit]) -> Collection[str]:
        """Take up our commits at a destination; return the keys, as trailers have them, of which that may say something new."""
        before = self._recent.get(destination, ())
        if before == recent:
            return ()
        gone = {key for past in before for key in past.subscriptions}
        for key in gone:
            self._drop(key, destination)
        self._recent[destination] = recent
        changed = set(gone)
        for past in recent:
            for key in past.subscriptions:
                moments = self._at.setdefault(key, {})
                moments[destination] = max(moments.get(destination, past.when), past.when)
                changed.add(key)
        return changed

    def keep(self, destinations: Collection[Destination]) -> None:
        """Forget what is not among *destinations*."""
        for gone in self._recent.keys() - destinations:
            self.take(gone, ())
            del self._recent[gone]

    def last(self, key: str) -> datetime | None:
        """Return when a commit of ours changed the subscription *key* last."""
        return max(self._at.get(trailer_key(key), {}).values(), default=None)

    def _drop(self, key: str, destination: Destination) -> None:
        moments = self._at.get(key, {})
        moments.pop(destination, None)
        if not moments:
            self._at.pop(key, None)


def _age_of(candidate: Candidate | None) -> datetime | None:
    """Return when an image came into being, as far as that is known."""
    if candidate is None:
        return None
    return candidate.pushed or candidate.created or candidate.seen or candidate.first_seen


def _value(written: Written) -> str:
    """Return what is written: a reference, or a bare version where no name stands beside it."""
    return str(written).removeprefix("@")
