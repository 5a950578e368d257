"""The stream of what happens, for people: which reports are news, numbered and kept for those who come back.

Whoever follows has no queue of its own: it has a number, up to which it was told. So one who is slow costs nothing, and one who
is too slow is told that it missed something.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from updater.model.release import ReleaseVerdict
from updater.model.report import (
    DestinationLanded,
    ImageScanned,
    InventoryChanged,
    ReleaseJudged,
    ReleaseProgressed,
    SelectionMade,
    TargetsRefused,
)
from updater.reporting.news import News, ScanNews, scans_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from updater.model.image import ImageName
    from updater.model.outcome import Outcome
    from updater.model.report import Report
    from updater.model.subscription import PolicySpec

MOST_EVENTS: Final = 1000


class EventKind(StrEnum):
    """What an event is about: a target, the newest tag, a release, a scan, what is asked for, or what a person did."""

    OUTCOME = "outcome"
    SELECTION = "selection"
    RELEASE = "release"
    SCAN = "scan"
    INVENTORY = "inventory"
    ACT = "act"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPart:
    """What an event says beside its number and moment.

    *key* is that of the subscription, "" where it is about an image or about all. *word* is the status, verdict or what was
    done, *detail* a sentence. *author* is the person who acted.
    """

    kind: EventKind
    word: str
    detail: str
    key: str = ""
    code: str | None = None
    hint: str = ""
    image: str | None = None
    target: str | None = None
    revision: str | None = None
    link: str | None = None
    author: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetEvent(EventPart):
    """One thing that happened. *number* grows by one each time; *kind* is outcome, selection, release, scan, inventory or act.

    *key* is that of the subscription, "" where it is about an image or about all. *word* is the status, verdict or what was
    done, *detail* a sentence. *author* is the person who acted.
    """

    number: int
    at: datetime


@dataclass(slots=True)
class _Seen:
    chosen: dict[str, str] = field(default_factory=dict)
    asked: dict[str, tuple[ImageName, PolicySpec]] = field(default_factory=dict)


class EventLog:
    """Listens to reports, keeps the last *most* events, and wakes who waits. `run` tells this log from an earlier one."""

    name: Final = "events"

    def __init__(self, *, most: int = MOST_EVENTS) -> None:
        self.run = secrets.token_hex(4)
        self.most = most
        self._kept: deque[FleetEvent] = deque(maxlen=most)
        self._news = News()
        self._scans = ScanNews()
        self._seen = _Seen()
        self._more = asyncio.Event()
        self._last = 0

    @property
    def last(self) -> int:
        """The number of the last event, 0 before the first."""
        return self._last

    def hear(self, report: Report) -> None:
        """Take one report."""
        if isinstance(report, DestinationLanded | TargetsRefused):
            for outcome in report.outcomes:
                if self._news.take(outcome):
                    self.add(_outcome(outcome), report.at)
        elif isinstance(report, SelectionMade):
            self._selected(report)
        elif isinstance(report, ReleaseJudged):
            self.add(_release(report), report.at)
        elif isinstance(report, ReleaseProgressed):
            self.add(_progress(report), report.at)
        elif isinstance(report, ImageScanned):
            self._scanned(report)
        elif isinstance(report, InventoryChanged):
            self._changed(report)

    def add(self, part: EventPart, at: datetime) -> None:
        """Note an event, and wake who waits."""
        self._last += 1
        values = {name: getattr(part, name) for name in EventPart.__slots__}
        self._kept.append(FleetEvent(number=self._last, at=at, **values))
        self._more.set()
        self._more = asyncio.Event()

    def since(self, number: int) -> Sequence[FleetEvent] | None:
        """Return the events after *number*, oldest first; None where some of them are not kept any more."""
        if number >= self._last:
            return ()
        oldest = self._kept[0].number
        if number + 1 < oldest:
            return None
        return tuple(event for event in self._kept if event.number > number)

    def latest(self, count: int) -> Sequence[FleetEvent]:
        """Return the last *count* events, newest first."""
        return tuple(reversed(self._kept))[:count]

    async def wait(self, number: int) -> None:
        """Wait until there is an event after *number*."""
        while self._last <= number:
            await self._more.wait()

    def _selected(self, report: SelectionMade) -> None:
        key, chosen = report.subscription, report.selection.chosen or report.selection.held
        before = self._seen.chosen.get(key)
        if chosen is None or before == chosen.tag:
            return
        self._seen.chosen[key] = chosen.tag
        if before is not None:
            detail = f"the newest allowed tag is {chosen.tag}, before it was {before}"
            self.add(EventPart(kind=EventKind.SELECTION, word="chosen", detail=detail, key=key), report.at)

    def _scanned(self, report: ImageScanned) -> None:
        """Note that an image cannot be listed, once for each reason, and that it can be again."""
        turn, image, failure = self._scans.take(report), str(report.listed), report.failure
        if turn is None:
            return
        why = {"detail": f"{image} is listed again"}
        if failure is not None:
            why = {"detail": failure.told, "code": failure.code, "hint": failure.hint}
        self.add(EventPart(kind=EventKind.SCAN, word=turn.value, image=image, **why), report.at)

    def _changed(self, report: InventoryChanged) -> None:
        keys = {item.key: (item.image, item.policy) for item in report.subscriptions}
        before, self._seen.asked = self._seen.asked, keys
        self._news.keep(keys)
        self._scans.keep(scans_of(report))
        self._seen.chosen = {  # of another image or policy another tag is no news
            key: tag for key, tag in self._seen.chosen.items() if key in keys and before.get(key, keys[key]) == keys[key]
        }
        self.add(EventPart(kind=EventKind.INVENTORY, word="changed", detail=f"{len(keys)} subscriptions are in force"), report.at)


def _outcome(outcome: Outcome) -> EventPart:
    return EventPart(
        kind=EventKind.OUTCOME,
        word=outcome.status.value,
        detail=outcome.told,
        key=outcome.key,
        code=outcome.code,
        hint=outcome.hint,
        target=outcome.target,
        revision=outcome.revision,
        link=outcome.link,
    )


def _release(report: ReleaseJudged) -> EventPart:
    return EventPart(
        kind=EventKind.RELEASE,
        word=report.verdict.value,
        detail=f"{report.workload}: {report.reason}" if report.workload else report.reason,
        key=report.release.subscription,
        image=str(report.release.image),
        revision=report.release.revision,
    )


def _progress(report: ReleaseProgressed) -> EventPart:
    told = str(report.progress) if report.progress is not None else report.reason
    return EventPart(
        kind=EventKind.RELEASE,
        word=ReleaseVerdict.PROGRESSING.value,
        detail=f"{report.workload}: {told}" if report.workload else told,
        key=report.release.subscription,
        image=str(report.release.image),
        revision=report.release.revision,
    )
