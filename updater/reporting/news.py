"""What says something new: a state of a target counts once, not at every pass, and so does a scan that fails."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from updater.model.scan_key import scan_key_for
from updater.model.text import without_waits

if TYPE_CHECKING:
    from collections.abc import Collection

    from updater.model.outcome import Outcome, Status
    from updater.model.report import ImageScanned, InventoryChanged
    from updater.model.scan_key import ScanKey

_State = tuple["Status", "str | None", str]


class News:
    """Remembers the last state of each target."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], _State] = {}

    def take(self, outcome: Outcome) -> bool:
        """Remember an outcome; return whether it says something new."""
        is_news = self.has(outcome)
        self._states[outcome.key, outcome.target] = state_of(outcome)
        return is_news

    def has(self, outcome: Outcome) -> bool:
        """Return whether an outcome says something new: another state, or a commit. Nothing is remembered."""
        return bool(outcome.revision) or self._states.get((outcome.key, outcome.target)) != state_of(outcome)

    def keep(self, keys: Collection[str]) -> None:
        """Forget every subscription but *keys*."""
        self._states = {place: state for place, state in self._states.items() if place[0] in keys}


class ScanTurn(StrEnum):
    """What is new about the scans of an image: that it cannot be listed, or that it can be again."""

    FAILED = "failed"
    RECOVERED = "recovered"


class ScanNews:
    """Remembers by which code each image cannot be listed: of one image, one credential may fail and another not."""

    def __init__(self) -> None:
        self._codes: dict[ScanKey, str] = {}

    def take(self, report: ImageScanned) -> ScanTurn | None:
        """Remember a scan; return what is new about it, once for each code."""
        if report.failure is None:
            return ScanTurn.RECOVERED if self._codes.pop(report.listed, None) is not None else None
        is_new = self._codes.get(report.listed) != report.failure.code
        self._codes[report.listed] = report.failure.code
        return ScanTurn.FAILED if is_new else None

    def keep(self, scans: Collection[ScanKey]) -> None:
        """Forget every image but *scans*."""
        self._codes = {listed: code for listed, code in self._codes.items() if listed in scans}


def scans_of(report: InventoryChanged) -> Collection[ScanKey]:
    """Return every image that is scanned from now on."""
    return report.scans.union(map(scan_key_for, report.subscriptions))


def state_of(outcome: Outcome) -> _State:
    """Return what tells one state of a target from another."""
    return outcome.status, outcome.code, without_waits(outcome.detail)
