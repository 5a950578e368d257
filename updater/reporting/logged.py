"""The listener that logs: what is new at once, a failure again while it lasts, and one line for each pass."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from updater.model.outcome import Status
from updater.model.release import ReleaseVerdict
from updater.model.report import DestinationLanded, ImageScanned, InventoryChanged, ReleaseJudged
from updater.reporting.news import News, ScanNews, ScanTurn, scans_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from updater.model.outcome import Outcome
    from updater.model.problem import Problem
    from updater.model.report import Report
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Destination

_Place = TypeVar("_Place")
REPEATED_AFTER: Final = timedelta(minutes=10)
_BAD: Final = frozenset({Status.FAILED, Status.HELD})
_MOST_KEYS: Final = 10
_MOST_CHANGES: Final = 100


class LoggedReports:
    """Logs reports."""

    name: Final = "log"

    def __init__(self, log: Any) -> None:
        self._log = log
        self._news = News()
        self._outcomes: _Lasting[tuple[str, str]] = _Lasting()
        self._scans: _Lasting[ScanKey] = _Lasting()
        self._scan_news = ScanNews()
        self._notes: dict[Destination, frozenset[Problem]] = {}
        self._rejected: dict[tuple[str, Destination], frozenset[str]] = {}
        self._pass = _Pass(log)

    def hear(self, report: Report) -> None:
        """Log one report, if it says something new."""
        if isinstance(report, DestinationLanded):
            self._landed(report)
        elif isinstance(report, ImageScanned):
            self._scanned(report)
        elif isinstance(report, InventoryChanged):
            self._changed(report)
        elif isinstance(report, ReleaseJudged):
            self._judged(report)

    def _judged(self, report: ReleaseJudged) -> None:
        """Log a verdict, and that a release is followed."""
        say = self._log.warning if report.verdict is ReleaseVerdict.BAD else self._log.info
        release = report.release
        fields = {} if report.seconds is None else {"seconds": round(report.seconds, 1)}
        say(
            "release",
            key=release.subscription,
            verdict=report.verdict.value,
            image=str(release.image),
            workload=str(report.workload or "-"),
            revision=release.revision[:9],
            detail=report.reason,
            **fields,
        )

    def _landed(self, report: DestinationLanded) -> None:
        lasting: defaultdict[tuple[str, str | None], list[Outcome]] = defaultdict(list)
        for outcome in report.outcomes:
            place = (outcome.key, outcome.target)
            is_failed, is_news = outcome.status is Status.FAILED, self._news.take(outcome)
            if is_news:
                self._say(outcome)
            if not is_failed:
                self._outcomes.end(place)
            elif self._outcomes.is_due(place, report.at, is_said=is_news):
                lasting[outcome.detail, outcome.code].append(outcome)
        for (detail, code), those in lasting.items():
            self._say_lasting(report.destination, those, detail=detail, code=code)
        if report.notes is not None:
            self._note(report.destination, report.notes)
            self._say_rejected(report)
        self._pass.landed(report)

    def _scanned(self, report: ImageScanned) -> None:
        listed, failure = report.listed, report.failure
        self._pass.scanned(report)
        turn = self._scan_news.take(report)
        if turn is ScanTurn.RECOVERED:
            self._log.info("scanned again", image=str(listed.image))
        if failure is None:
            self._scans.end(listed)
            return
        is_due = self._scans.is_due(listed, report.at, is_said=turn is ScanTurn.FAILED)
        fields = {"image": str(listed.image), "detail": failure.message, "code": failure.code, "hint": failure.hint}
        if turn is ScanTurn.FAILED:
            self._log.warning("scan failed", **fields)
        elif is_due:
            self._log.warning("scan fails still", **fields, since=self._scans.since(listed))

    def _changed(self, report: InventoryChanged) -> None:
        keys = {item.key for item in report.subscriptions}
        images = scans_of(report)
        self._news.keep(keys)
        self._outcomes.keep(place for place in self._outcomes.places if place[0] in keys)
        self._scans.keep(place for place in self._scans.places if place in images)
        self._scan_news.keep(images)
        self._notes = {place: notes for place, notes in self._notes.items() if place in report.destinations}
        self._rejected = {place: tags for place, tags in self._rejected.items() if place[0] in keys}
        self._pass.expect(report.destinations)

    def _note(self, destination: Destination, notes: tuple[Problem, ...]) -> None:
        """Log what is wrong in files and belongs to no subscription, once until it changes: nothing is left out in silence."""
        before = self._notes.get(destination, frozenset())
        for problem in notes:
            if problem not in before:
                self._log.warning(
                    "problem", detail=str(problem), hint=problem.hint, code=problem.code, destination=str(destination)
                )
        if gone := before.difference(notes):
            self._log.info("problems solved", count=len(gone), destination=str(destination))
        self._notes[destination] = frozenset(notes)

    def _say_rejected(self, report: DestinationLanded) -> None:
        """Log what people took back and is not chosen for that, once each."""
        where = report.destination
        for key in {outcome.key for outcome in report.outcomes}:
            before, tags = self._rejected.get((key, where), frozenset()), report.rejected.get(key, {})
            for tag in tags.keys() - before:
                reason = tags[tag]
                self._log.info("rejected", key=key, tag=tag, detail=reason.sentence, code=str(reason.code), target=str(where))
            if tags or before:
                self._rejected[key, where] = frozenset(tags)

    def _say(self, outcome: Outcome) -> None:
        say = self._log.warning if outcome.status in _BAD else self._log.info
        changes = outcome.changes[:_MOST_CHANGES]
        fields = {
            "key": outcome.key,
            "detail": outcome.detail,
            "code": outcome.code,
            "hint": outcome.hint,
            "opens_at": outcome.opens_at.isoformat(timespec="seconds") if outcome.opens_at else None,
            "revision": outcome.revision,
            "changes": [f"{change.path}:{change.line} {change.old or 'nothing'} → {change.new}" for change in changes],
            "target": outcome.target,
        }
        say(outcome.status.value, **{name: value for name, value in fields.items() if value})

    def _say_lasting(self, destination: Destination, those: list[Outcome], *, detail: str, code: str | None) -> None:
        """Log that a failure lasts: one line for all that failed alike."""
        keys = sorted({outcome.key for outcome in those})
        self._log.warning(
            "still failing",
            keys=keys[:_MOST_KEYS],
            count=len(keys),
            detail=detail,
            code=code,
            hint=those[0].hint,
            since=min(self._outcomes.since((outcome.key, outcome.target)) for outcome in those),
            destination=str(destination),
        )


class _Lasting(Generic[_Place]):
    """Since when something fails, and when that was said last."""

    def __init__(self) -> None:
        self._times: dict[_Place, tuple[datetime, datetime]] = {}

    @property
    def places(self) -> tuple[_Place, ...]:
        """What fails at the moment."""
        return tuple(self._times)

    def is_due(self, place: _Place, now: datetime, *, is_said: bool) -> bool:
        """Remember that *place* fails; return whether it is time to say so again, which is remembered as done."""
        began, said = self._times.get(place, (now, now))
        is_due = not is_said and now - said >= REPEATED_AFTER
        self._times[place] = (began, now if is_said or is_due else said)
        return is_due

    def since(self, place: _Place) -> str:
        """Return since when *place* fails, as RFC 3339."""
        return self._times[place][0].isoformat(timespec="seconds")

    def end(self, place: _Place) -> None:
        """Remember that *place* does not fail any more."""
        self._times.pop(place, None)

    def keep(self, places: Iterable[_Place]) -> None:
        """Forget all but *places*."""
        self._times = {place: self._times[place] for place in places}


class _Pass:
    """One line for each pass: that is over when every destination has landed since the last line."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._all: frozenset[Destination] = frozenset()
        self._missing: set[Destination] = set()
        self._tally = _Tally()

    def expect(self, destinations: frozenset[Destination]) -> None:
        """Wait for new *destinations* too, and for none that is gone."""
        self._missing = {*self._missing & destinations, *destinations - self._all}
        self._all = destinations

    def landed(self, report: DestinationLanded) -> None:
        """Count a landing; log the pass if it was the last one."""
        tally, began = self._tally, report.at - timedelta(seconds=report.seconds)
        tally.began = min(tally.began or began, began)
        tally.destinations.add(report.destination)
        tally.statuses.update(outcome.status for outcome in report.outcomes)
        self._missing.discard(report.destination)
        if not self._missing:
            self._log.info("checked for updates", **tally.fields(report.at))
            self._missing, self._tally = set(self._all), _Tally()

    def scanned(self, report: ImageScanned) -> None:
        """Count a scan."""
        self._tally.images.add(report.listed)
        (self._tally.failed_images.discard if report.failure is None else self._tally.failed_images.add)(report.listed)


@dataclass(slots=True)
class _Tally:
    began: datetime | None = None
    destinations: set[Destination] = field(default_factory=set)
    images: set[ScanKey] = field(default_factory=set)
    failed_images: set[ScanKey] = field(default_factory=set)
    statuses: Counter[Status] = field(default_factory=Counter)

    def fields(self, now: datetime) -> dict[str, float]:
        """Return what a line says: the counts above zero, and how long it took from the first landing to the last."""
        counts = {"destinations": len(self.destinations), "images": len(self.images), "images_failed": len(self.failed_images)}
        counts |= {status.value.replace("-", "_"): self.statuses[status] for status in Status}
        seconds = (now - (self.began or now)).total_seconds()
        return {name: count for name, count in counts.items() if count} | {"seconds": round(seconds, 1)}
