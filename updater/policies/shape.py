"""The shape of a version: how many numbers it starts with, and which of them look like a year, a date or a build number.

A bare number such as ``20240131`` or ``9505540`` is a version to the letter, and higher than every release.
"""

from __future__ import annotations

import re
from typing import Final

_FULL: Final = re.compile(r"[vV]?+[0-9]++\.[0-9]++\.[0-9]")
_NUMBERS: Final = re.compile(r"[vV]?+([0-9]++(?:\.[0-9]++)*+)")
# numbers of a version within a range; what follows a hyphen or a plus is a pre-release or a build
_NAMED: Final = re.compile(r"(?<![0-9A-Za-z.+-])[vV]?+([0-9]++(?:\.[0-9]++)*+)")
_MAX_DIGITS: Final = 64
_FIRST_YEAR: Final = 1900
_FIRST_DATE: Final = 100_000  # 202401; below it a minor or patch may well have been counted up to


def is_full(text: str) -> bool:
    """Return whether *text* begins with a version of three numbers or more."""
    return _FULL.match(text) is not None


def is_leap(before: str, after: str) -> bool:
    """Return whether the first number that differs grows from a small one to one that reads like a year, a date or a build."""
    old, new = _numbers(before), _numbers(after)
    if not old or not new:
        return False
    length = max(len(old), len(new))
    pairs = zip(_filled(old, length), _filled(new, length), strict=True)
    place, (low, high) = next(((place, pair) for place, pair in enumerate(pairs) if pair[0] != pair[1]), (0, (0, 0)))
    return low < _FIRST_YEAR <= high and (place == 0 or high >= _FIRST_DATE)


def names_a_year(text: str) -> bool:
    """Return whether a range names a number that reads like a year or more, so that a leap to one is wanted."""
    return any(_number(part) >= _FIRST_YEAR for match in _NAMED.finditer(text) for part in match[1].split("."))


def _numbers(text: str) -> tuple[int, ...]:
    match = _NUMBERS.match(text)
    return tuple(map(_number, match[1].split("."))) if match else ()


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _MAX_DIGITS else _FIRST_DATE


def _filled(numbers: tuple[int, ...], length: int) -> tuple[int, ...]:
    return (*numbers, *(0 for _ in range(length - len(numbers))))
