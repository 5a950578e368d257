"""The listener that counts: which metrics follow from which report."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from updater.gates.answers import GATE_CODES
from updater.model.outcome import Status, fold
from updater.model.release import ReleaseVerdict
from updater.model.report import DestinationLanded, ImageScanned, InventoryChanged, LandingEnd, ReleaseJudged

if TYPE_CHECKING:
    from updater.model.outcome import Outcome
    from updater.model.problem import Problem
    from updater.model.report import Report
    from updater.model.subscription import Destination
    from updater.reporting.metrics import Metrics

_BY_SUBSCRIPTION: Final = (
    "updater_subscription_last_success_timestamp_seconds",
    "updater_subscription_pending_since_timestamp_seconds",
    "updater_subscription_rejected_images",
)


class CountedReports:
    """Counts reports in *metrics*."""

    name: Final = "metrics"

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._pending: dict[str, float] = {}
        self._rejected: dict[tuple[str, Destination], int] = {}
        self._in_flight: set[str] = set()
        self._notes: dict[Destination, tuple[Problem, ...]] = {}
        self._holds: dict[Destination, tuple[str, ...]] = {}

    def hear(self, report: Report) -> None:
        """Count one report."""
        if isinstance(report, DestinationLanded):
            self._landed(report)
        elif isinstance(report, ImageScanned):
            result = report.failure.code if report.failure else "ok"
            self._metrics.count("updater_scans_total", report.listed.image.registry, result)
        elif isinstance(report, InventoryChanged):
            self._changed(report)
        elif isinstance(report, ReleaseJudged):
            self._judged(report)

    def _judged(self, report: ReleaseJudged) -> None:
        """Count a verdict; a release that is only taken up has none, and in flight is one of a subscription at most."""
        key, verdict = report.release.subscription, report.verdict
        if verdict is ReleaseVerdict.PROGRESSING:
            self._in_flight.add(key)
        else:
            self._in_flight.discard(key)
            self._metrics.count("updater_releases_total", verdict.value)
            if report.seconds is not None:
                self._metrics.time("updater_release_seconds", verdict.value, seconds=report.seconds)
        self._metrics.set("updater_releases_in_flight", to=len(self._in_flight))

    def _landed(self, report: DestinationLanded) -> None:
        metrics = self._metrics
        metrics.outcomes(report.outcomes, report.method)
        if report.replays:
            metrics.count("updater_landings_total", "refused", by=report.replays)
        if report.end is not LandingEnd.QUIET:
            metrics.count("updater_landings_total", report.end.value)
        if report.end in {LandingEnd.PUSHED, LandingEnd.UNCHANGED}:
            metrics.time("updater_landing_seconds", seconds=report.seconds)
        self._note_freshness(report)
        self._note_rejected(report)
        self._note_holds(report)
        if report.notes is not None and self._notes.get(report.destination, ()) != report.notes:
            self._notes[report.destination] = report.notes
            self._show_notes()

    def _changed(self, report: InventoryChanged) -> None:
        metrics, sources = self._metrics, report.sources
        counts = [((item.name,), item.subscriptions) for item in sources if item.subscriptions is not None]
        metrics.replace("updater_subscriptions", counts)
        problems = Counter((item.name, problem.code) for item in sources for problem in item.problems)
        metrics.replace("updater_problems", problems.items())
        heard = [((item.name,), item.heard_at) for item in sources if item.heard_at is not None]
        metrics.replace("updater_snapshot_timestamp_seconds", heard)
        keys = {item.key for item in report.subscriptions}
        for name in _BY_SUBSCRIPTION:
            metrics.keep(name, {(key,) for key in keys})
        self._rejected = {place: count for place, count in self._rejected.items() if place[0] in keys}
        self._in_flight &= keys
        self._metrics.set("updater_releases_in_flight", to=len(self._in_flight))
        self._pending = {key: since for key, since in self._pending.items() if key in keys}
        if not self._notes.keys() <= report.destinations:
            self._notes = {place: notes for place, notes in self._notes.items() if place in report.destinations}
            self._show_notes()
        if not self._holds.keys() <= report.destinations:
            self._holds = {place: codes for place, codes in self._holds.items() if place in report.destinations}
            self._show_holds()

    def _note_holds(self, report: DestinationLanded) -> None:
        codes = tuple(sorted(item.code for item in report.outcomes if item.code in GATE_CODES and item.status is Status.HELD))
        if codes != self._holds.get(report.destination, ()):
            self._holds[report.destination] = codes
            self._show_holds()

    def _show_holds(self) -> None:
        counts = Counter(code for codes in self._holds.values() for code in codes)
        self._metrics.replace("updater_gate_holds", [((code,), count) for code, count in counts.items()])

    def _show_notes(self) -> None:
        codes = Counter((problem.code,) for notes in self._notes.values() for problem in notes)
        self._metrics.replace("updater_marker_problems", codes.items())

    def _note_rejected(self, report: DestinationLanded) -> None:
        """Count what people took back, as long as it is not chosen for that; 0 where that is over."""
        if report.notes is None:
            return
        for key in {outcome.key for outcome in report.outcomes}:
            place, count = (key, report.destination), len(report.rejected.get(key, {}))
            if count or place in self._rejected:
                self._rejected[place] = count
                total = sum(many for (other, _), many in self._rejected.items() if other == key)
                self._metrics.set("updater_subscription_rejected_images", key, to=total)

    def _note_freshness(self, report: DestinationLanded) -> None:
        now = report.at.timestamp()
        by_key: defaultdict[str, list[Status]] = defaultdict(list)
        waiting: set[str] = set()
        for outcome in report.outcomes:
            by_key[outcome.key].append(outcome.status)
            if outcome.status in {Status.HELD, Status.FAILED} and not _opens_by_itself(outcome):
                waiting.add(outcome.key)
        for key, statuses in by_key.items():
            status = fold(statuses)
            if status is not Status.FAILED:
                self._metrics.set("updater_subscription_last_success_timestamp_seconds", key, to=now)
            since = 0.0
            if key in waiting:
                since = self._pending.setdefault(key, now)
            else:
                self._pending.pop(key, None)
            self._metrics.set("updater_subscription_pending_since_timestamp_seconds", key, to=since)


def _opens_by_itself(outcome: Outcome) -> bool:
    """Return whether a gate or people hold it until a known moment: that is what was asked for, and no trouble."""
    return outcome.status is Status.HELD and outcome.code in GATE_CODES and outcome.opens_at is not None
