"""Whether update windows are open at a moment, and until when that holds; pure.

A window is a span of wall-clock time, as the sync windows of Argo CD are: what begins at 02:30 in a night in which that hour is
skipped has begun when the skipped hour is over, and what lies in the hour that comes twice is in force twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from updater.errors import PolicyError
from updater.gates.cron import parse_schedule
from updater.model.gates import WindowKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.model.gates import UpdateWindow

#: between two moments that are so far apart a time zone changes once at most
_FARTHEST: Final = 28 * 86400.0
_STEPS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """What windows say at one moment: *window* is the one that says so, None where none is in force.

    *changes_at* is the earliest later moment at which the answer is another one, None where none was found within the search,
    which went as far as *searched_to*.
    """

    is_open: bool
    window: UpdateWindow | None
    changes_at: float | None
    searched_to: float


def check_zone(name: str) -> None:
    """Raise `PolicyError` where *name* is not a time zone of the IANA database."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = "write a name such as Europe/Berlin or UTC"
        raise PolicyError(f"{name[:80]!r} is not a known time zone", hint=hint, code="time-zone") from None


def is_open(windows: Sequence[UpdateWindow], at: float) -> bool:
    """Return whether an update may be written at *at*, in Unix time.

    A deny window in force always wins; otherwise an allow window has to be in force, where there is any.
    """
    return _answer(windows, at)[0]


def state_at(windows: tuple[UpdateWindow, ...], at: float) -> WindowState:
    """Return what *windows* say at *at*, and when that changes; asked again before that, it costs next to nothing."""
    return _timeline(windows).state_at(at)


class Timeline:
    """The last answer of some windows, which holds until it changes."""

    __slots__ = ("_begins", "_state", "_windows")

    def __init__(self, windows: tuple[UpdateWindow, ...]) -> None:
        self._windows = windows
        self._begins = 0.0
        self._state: WindowState | None = None

    def state_at(self, at: float) -> WindowState:
        """Return the state at *at*."""
        state = self._state
        if state is None or not self._begins <= at < state.searched_to:
            self._begins, state = at, _searched(self._windows, at)
            self._state = state
        return state


@lru_cache(maxsize=1024)
def _timeline(windows: tuple[UpdateWindow, ...]) -> Timeline:
    return Timeline(windows)


def _searched(windows: tuple[UpdateWindow, ...], at: float) -> WindowState:
    opened, window = _answer(windows, at)
    moment = at
    for _ in range(_STEPS):
        moment = min((_next_boundary(item, moment) for item in windows), default=moment + _FARTHEST)
        if _answer(windows, moment)[0] != opened:
            return WindowState(is_open=opened, window=window, changes_at=moment, searched_to=moment)
    return WindowState(is_open=opened, window=window, changes_at=None, searched_to=moment)


def _answer(windows: Sequence[UpdateWindow], at: float) -> tuple[bool, UpdateWindow | None]:
    allows = [item for item in windows if item.kind is WindowKind.ALLOW]
    deny = next((item for item in windows if item.kind is WindowKind.DENY and _is_in_force(item, at)), None)
    if deny is not None:
        return False, deny
    allow = next((item for item in allows if _is_in_force(item, at)), None)
    return allow is not None or not allows, allow or (allows[0] if allows else None)


def _is_in_force(window: UpdateWindow, at: float) -> bool:
    wall = _wall(window, at)
    start = parse_schedule(window.schedule).after(_earlier(wall, window.duration))
    return start is not None and start <= wall


def _next_boundary(window: UpdateWindow, at: float) -> float:
    """Return the next moment after *at* at which this window may begin or end."""
    wall, schedule, zone = _wall(window, at), parse_schedule(window.schedule), ZoneInfo(window.time_zone)
    running, coming = schedule.after(_earlier(wall, window.duration)), schedule.after(wall)
    ends = running + timedelta(seconds=window.duration) if running is not None else None
    boundaries = [moment.replace(tzinfo=zone, fold=fold) for moment in (ends, coming) if moment for fold in (0, 1)]
    found = min((moment.timestamp() for moment in boundaries if moment.timestamp() > at), default=at + _FARTHEST)
    return _before_clock_change(zone, at, min(found, at + _FARTHEST))


def _before_clock_change(zone: ZoneInfo, at: float, later: float) -> float:
    """Return *later*, or the moment between the two at which the clocks of *zone* change."""
    offset = _offset(zone, at)
    if _offset(zone, later) == offset:
        return later
    low, high = int(at), int(later) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return min(float(high), later) if high > at else later


def _offset(zone: ZoneInfo, at: float) -> timedelta | None:
    return datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()


def _wall(window: UpdateWindow, at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(window.time_zone)).replace(tzinfo=None)


def _earlier(wall: datetime, seconds: float) -> datetime:
    return wall - timedelta(seconds=seconds)
