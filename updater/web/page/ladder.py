"""The picture of a version ladder: where each tag stands in time and by what became of it. Pure: numbers for an SVG."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from updater.web.detail import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.web.detail import LadderStep

WIDTH: Final = 960
_LEFT, _RIGHT, _TOP = 96, 32, 34
_LANE: Final = 52
_TICKS: Final = 5
_LANES: Final = (Standing.CHOSEN, Standing.HELD, Standing.ALLOWED, Standing.REJECTED)
_NAMED: Final = frozenset({Standing.CHOSEN, Standing.HELD})
#: a label takes about this much room; one that would cover another is left out, and read in the table
_LETTER: Final = 7.2
_NEAR: Final = 9.0
_MOST_UNDATED: Final = 0.6
_MARGIN: Final = 24.0
_TICK_ROOM: Final = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderMark:
    """One tag in the picture, at *x* and *y*; *label* is "" where there is no room for one."""

    step: LadderStep
    x: float
    y: float
    label: str = ""
    anchor: str = "middle"


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderTick:
    """One moment on the axis."""

    x: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderPicture:
    """The whole picture. *lanes* are the words of the lanes with the height of each; without *ticks* tags stand in order."""

    width: int
    height: int
    lanes: tuple[tuple[str, float], ...]
    marks: tuple[LadderMark, ...]
    ticks: tuple[LadderTick, ...]


def picture_of(ladder: Sequence[LadderStep]) -> LadderPicture | None:
    """Return the picture of *ladder*, newest first; None where there is nothing to draw."""
    if not ladder:
        return None
    present = [lane for lane in _LANES if any(step.standing == lane for step in ladder)]
    heights = {lane: _TOP + index * _LANE for index, lane in enumerate(present)}
    steps = list(reversed(ladder))
    places = _places(steps)
    marks = _labelled(
        [LadderMark(step=step, x=x, y=heights[step.standing]) for step, x in zip(steps, places, strict=True)],
    )
    return LadderPicture(
        width=WIDTH,
        height=_TOP + len(present) * _LANE - 12,
        lanes=tuple(heights.items()),
        marks=tuple(marks),
        ticks=_ticks(steps),
    )


def _dated(steps: Sequence[LadderStep]) -> list[float]:
    """Return the moments that are known, where they make an axis: two or more that differ."""
    moments = [step.at.timestamp() for step in steps if step.at]
    return moments if moments and max(moments) - min(moments) >= 1.0 else []


def _axis(steps: Sequence[LadderStep]) -> tuple[float, float]:
    """Return where the axis of time begins and ends: tags whose moment is not known stand before it, in order."""
    undated = sum(step.at is None for step in steps)
    span = WIDTH - _LEFT - _RIGHT
    return _LEFT + span * min(undated / len(steps), _MOST_UNDATED), WIDTH - _RIGHT


def _places(steps: Sequence[LadderStep]) -> list[float]:
    """Return where each step stands: in time, as far as that is known, else in order."""
    moments = _dated(steps)
    if not moments:
        span = WIDTH - _LEFT - _RIGHT
        return [_LEFT + span * (index + 0.5) / len(steps) for index in range(len(steps))]
    begin, end = _axis(steps)
    first, last = min(moments), max(moments)
    undated = [step.tag for step in steps if step.at is None]
    room = {tag: _LEFT + (begin - _LEFT) * (index + 0.5) / len(undated) for index, tag in enumerate(undated)}
    margin = _MARGIN if undated else 0.0
    begin += margin
    return [
        begin + (end - begin) * (step.at.timestamp() - first) / (last - first) if step.at else room[step.tag] for step in steps
    ]


def _ticks(steps: Sequence[LadderStep]) -> tuple[LadderTick, ...]:
    moments = _dated(steps)
    if not moments:
        return ()
    begin, end = _axis(steps)
    begin += _MARGIN if any(step.at is None for step in steps) else 0.0
    first, span = datetime.fromtimestamp(min(moments), UTC), timedelta(seconds=max(moments) - min(moments))
    count = max(2, min(_TICKS, int((end - begin) // _TICK_ROOM)))
    return tuple(
        LadderTick(x=begin + (end - begin) * index / (count - 1), at=first + span * index / (count - 1)) for index in range(count)
    )


def _labelled(marks: Sequence[LadderMark]) -> list[LadderMark]:
    """Name tags where there is room: first what is written, chosen or held, then the newest of each lane."""
    taken: dict[float, list[tuple[float, float]]] = {}
    named: dict[int, LadderMark] = {}
    order = sorted(range(len(marks)), key=lambda index: (not _is_named(marks[index].step), -marks[index].x))
    for index in order:
        mark = marks[index]
        half = len(mark.step.tag) * _LETTER / 2
        middle = min(max(mark.x, _LEFT + half - _NEAR), WIDTH - half - 4)
        begin, end = middle - half - _NEAR, middle + half + _NEAR
        spans = taken.setdefault(mark.y, [])
        if all(end < left or begin > right for left, right in spans) and half * 2 < WIDTH / 3:
            spans.append((begin, end))
            anchor = "start" if middle > mark.x + 1 else "end" if middle < mark.x - 1 else "middle"
            named[index] = LadderMark(step=mark.step, x=mark.x, y=mark.y, label=mark.step.tag, anchor=anchor)
    return [named.get(index, mark) for index, mark in enumerate(marks)]


def _is_named(step: LadderStep) -> bool:
    return step.is_written or step.standing in _NAMED
