"""When five cron fields match, on a wall clock without a time zone; pure.

The grammar and the rule for days are those of Argo CD's sync windows (robfig/cron, standard fields): Sunday is 0, a value with a
step runs to the end of its field, and where both day fields are restricted a day has to match one of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from updater.errors import PolicyError

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_PART: Final = re.compile(r"(\*|\?|[0-9]{1,2}|[A-Za-z]{3})(?:-([0-9]{1,2}|[A-Za-z]{3}))?(?:/([0-9]{1,2}))?")
_LONGEST: Final = 200
_HINT: Final = 'write five fields, minute hour day month weekday, such as "0 9 * * 1-5"'
#: 29 February comes again after eight years at most
_SEARCHED: Final = 366 * 8 + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSchedule:
    """The values that match, in order. With *is_either_day* one of the two day fields is enough, else both have to match."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_either_day: bool

    def after(self, moment: datetime) -> datetime | None:
        """Return the first match strictly after *moment*, a time without a zone; None where there is none for eight years."""
        first = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        day, begins = first.date(), first.time()
        for _ in range(_SEARCHED):
            if day.month in self.months and self._has(day):
                found = self._within(begins)
                if found is not None:
                    return datetime.combine(day, found)
            begins = time()
            try:
                day += timedelta(days=1)
            except OverflowError:
                return None
        return None

    def _has(self, day: date) -> bool:
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_month or by_week if self.is_either_day else by_month and by_week

    def _within(self, begins: time) -> time | None:
        for hour in self.hours:
            if hour > begins.hour:
                return time(hour, self.minutes[0])
            if hour == begins.hour:
                minute = next((minute for minute in self.minutes if minute >= begins.minute), None)
                if minute is not None:
                    return time(hour, minute)
        return None


@lru_cache(maxsize=1024)
def parse_schedule(text: str) -> CronSchedule:
    """Read five cron fields; raise `PolicyError` with the field that is wrong."""
    fields = text.split()
    if len(fields) != len(_FIELDS) or len(text) > _LONGEST:
        raise PolicyError(f"{text[:_LONGEST]!r} is not a schedule of five fields", hint=_HINT, code="schedule")
    minutes, hours, days, months, weekdays = (_values(field, rule) for field, rule in zip(fields, _FIELDS, strict=True))
    schedule = CronSchedule(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        months=months,
        weekdays=weekdays,
        is_either_day=not _is_any(fields[2]) and not _is_any(fields[4]),
    )
    if schedule.after(datetime(2024, 1, 1)) is None:  # noqa: DTZ001 - a wall clock has no zone
        raise PolicyError(f"{text!r} never matches: no month has such a day", hint=_HINT, code="schedule")
    return schedule


def _is_any(field: str) -> bool:
    return any(part.partition("/")[0] in {"*", "?"} and part.partition("/")[2] in {"", "1"} for part in field.split(","))


def _values(field: str, rule: tuple[str, int, int, tuple[str, ...]]) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        found.update(_part(part, field, rule))
    return frozenset(found)


def _part(part: str, field: str, rule: tuple[str, int, int, tuple[str, ...]]) -> range:
    name, least, most, names = rule
    match = _PART.fullmatch(part)
    if match is None:
        raise PolicyError(f"{field!r} is not a value of the field {name}", hint=_HINT, code="schedule")
    begin, end, step = match[1], match[2], int(match[3] or 1)
    is_any = begin in {"*", "?"}
    low = least if is_any else _number(begin, names)
    high = most if is_any or (match[3] and not end) else low
    high = _number(end, names) if end else high
    if not least <= low <= high <= most or step == 0 or (is_any and end):
        message = f"{field!r} is outside the field {name}, which has {least} to {most}"
        raise PolicyError(message, hint=_sunday(name, field), code="schedule")
    return range(low, high + 1, step)


def _number(text: str, names: tuple[str, ...]) -> int:
    if text.isdigit():
        return int(text)
    lowered = text.lower()
    return names.index(lowered) + (1 if names is _MONTHS else 0) if lowered in names else -1


def _sunday(name: str, field: str) -> str:
    return "Sunday is 0" if name == "day of the week" and "7" in field else _HINT
