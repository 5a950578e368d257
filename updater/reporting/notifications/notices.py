"""What is worth a message: the lines of a notice, and what was told of each target before. Pure.

A landing makes one notice for each route. A failure or hold is told once, until it changes: what differs only in numbers, such as
waits, ports and the versions that a failure stops, is the same. Holds that end by themselves in moments are never told.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.model.notification import NotifiedEvent
from updater.model.outcome import DRY_RUN, Status
from updater.model.release import ReleaseVerdict
from updater.model.report import DestinationLanded
from updater.model.text import without_waits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
    from datetime import datetime

    from updater.model.outcome import Move, Outcome
    from updater.model.report import ReleaseJudged, TargetsRefused
    from updater.model.subscription import Subscription
    from updater.model.update import Change

#: of a subscription: its key, and the text of the target
Place = tuple[str, str]

RELEASE_BAD: Final = "release-bad"
_PASSING: Final = frozenset({"coalesce", "incomplete-list", DRY_RUN})
_WRITTEN: Final = {Status.UPDATED: NotifiedEvent.UPDATED, Status.REVERTED: NotifiedEvent.REVERTED}
_WORDS: Final = re.compile(r"[0-9A-Za-z]+")
_TIMES: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d\S*)?|\b\d\d:\d\d(?::\d\d)?\b")
_FAILED: Final = f"{NotifiedEvent.FAILED}|"
#: the target of what is told of releases: which workload is the worst differs from one verdict to the next
_RELEASE: Final = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeLine:
    """What happened to one target. *state* is what is remembered of it, "" where nothing lasts."""

    event: NotifiedEvent
    key: str
    target: str
    destination: str
    detail: str
    state: str = ""
    code: str | None = None
    hint: str = ""
    moves: tuple[Move, ...] = ()
    changes: tuple[Change, ...] = ()
    revision: str | None = None
    link: str | None = None

    @property
    def place(self) -> Place:
        """The target that it is about."""
        return self.key, self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message for one route: what a landing, or several, came to; *lost* is how many messages before it were given up."""

    lines: tuple[NoticeLine, ...]
    at: datetime
    lost: int = 0
    is_test: bool = False

    @property
    def destinations(self) -> tuple[str, ...]:
        """The branches and Applications that it is about, once each."""
        return tuple(dict.fromkeys(line.destination for line in self.lines if line.destination))


class TargetEnds:
    """How targets ended in one report, with what is the same for every route worked out once."""

    def __init__(self, report: DestinationLanded | TargetsRefused) -> None:
        self.at = report.at
        self._destination = str(report.destination) if isinstance(report, DestinationLanded) else ""
        self._outcomes = report.outcomes
        self._states: dict[int, str] = {}
        self._sums: dict[tuple[str | None, str], str] = {}

    def lines(self, told: MutableMapping[Place, str]) -> Iterator[NoticeLine]:
        """Yield what is new after *told*, and take it up there."""
        for number, outcome in enumerate(self._outcomes):
            place = outcome.key, outcome.target
            before = told.get(place, "")
            if not before and outcome.status in {Status.UNCHANGED, Status.NO_MATCH}:
                continue
            if outcome.status is Status.HELD and outcome.code in _PASSING:
                continue  # what was told before lasts
            event, state = self._event(number, outcome)
            if before.startswith(_FAILED) and outcome.status is not Status.FAILED:
                yield self._line(NotifiedEvent.RECOVERED, outcome, state)
            if event is not None and (not state or state != before):
                yield self._line(event, outcome, state)
            if state:
                told[place] = state
            else:
                told.pop(place, None)

    def _event(self, number: int, outcome: Outcome) -> tuple[NotifiedEvent | None, str]:
        if outcome.status in _WRITTEN:
            return (_WRITTEN[outcome.status] if outcome.revision else None), ""
        if outcome.status not in {Status.FAILED, Status.HELD, Status.PROPOSED}:
            return None, ""
        if number not in self._states:
            self._states[number] = self._state(outcome)
        return NotifiedEvent(outcome.status.value), self._states[number]

    def _state(self, outcome: Outcome) -> str:
        """Return the state of a target; thousands that failed alike have one."""
        if outcome.status is not Status.FAILED:
            return state_of(outcome)
        alike = outcome.code, outcome.told
        if alike not in self._sums:
            self._sums[alike] = state_of(outcome)
        return self._sums[alike]

    def _line(self, event: NotifiedEvent, outcome: Outcome, state: str) -> NoticeLine:
        is_written = event in {NotifiedEvent.UPDATED, NotifiedEvent.REVERTED, NotifiedEvent.PROPOSED}
        return NoticeLine(
            event=event,
            key=outcome.key,
            target=outcome.target,
            destination=self._destination,
            detail=outcome.told,  # the words of a server are for the log alone
            state=state,
            code=outcome.code,
            hint="" if is_written or event is NotifiedEvent.RECOVERED else outcome.hint,
            moves=outcome.moves,
            changes=outcome.changes if is_written else (),
            revision=outcome.revision,
            link=outcome.link,
        )


def state_of(outcome: Outcome) -> str:
    """Return what tells one lasting state of a target from another; a word, and a sum of what matters."""
    if outcome.status is Status.FAILED:
        text = _WORDS.sub(_without_number, outcome.told)
    elif outcome.status is Status.HELD:
        text = without_waits(_TIMES.sub("#", outcome.told))
    else:
        text = f"{outcome.link} {outcome.moves}"
    return _state(outcome.status.value, f"{outcome.code}|{text}")


def judged_lines(report: ReleaseJudged, told: MutableMapping[Place, str]) -> Iterator[NoticeLine]:
    """Yield what a verdict says that *told* does not know, and take it up there: a bad release, and a healthy one after it."""
    release = report.release
    place = release.subscription, _RELEASE
    before = told.get(place, "")
    event, state = None, ""
    if report.verdict is ReleaseVerdict.BAD:
        event, state = NotifiedEvent.FAILED, _state(NotifiedEvent.FAILED, release.revision)
        told[place] = state
    elif report.verdict is ReleaseVerdict.HEALTHY:
        event = NotifiedEvent.RECOVERED if told.pop(place, "") else None
    if event is not None and (not state or state != before):
        running = f" on {report.workload}" if report.workload else ""
        yield NoticeLine(
            event=event,
            key=place[0],
            target=place[1],
            destination=str(report.workload or ""),
            detail=f"the release of {release.image}{running} is {report.verdict}: {report.reason}",
            state=state,
            code=RELEASE_BAD if state else None,
            revision=release.revision,
        )


def merged(notices: Iterable[Notice]) -> Notice:
    """Return *notices*, at least one, as one."""
    those = tuple(notices)
    lines = tuple(line for notice in those for line in notice.lines)
    return Notice(lines=lines, at=those[-1].at, lost=sum(notice.lost for notice in those))


def forget_gone(told: MutableMapping[Place, str], subscriptions: Mapping[str, Subscription], refused: Collection[Place]) -> None:
    """Forget what was told of targets that are not asked for any more; *refused* are those that are, and land nowhere."""
    for place in list(told):
        key, target = place
        item = subscriptions.get(key)
        is_followed = item is not None and item.delivery is not None and target == _RELEASE
        is_asked = is_followed or (item is not None and any(str(each) == target for each in item.targets))
        if not is_asked and place not in refused:
            del told[place]


def _without_number(word: re.Match[str]) -> str:
    """Return a word, or a mark where it holds a number: a wait, a port, a version, the id of a request."""
    return "#" if any(letter.isdigit() for letter in word[0]) else word[0]


def _state(word: str, text: str) -> str:
    return f"{word}|{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"
