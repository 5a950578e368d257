"""Semantic versions: parsing, order, and ranges.

The answers equal those of Masterminds/semver v3.5 (`NewVersion`, `NewConstraint`, `Check`,
`Compare`), the library under the semver policies that people already run; the tests replay its
answers. A version is its order: ``(major, minor, patch, 1)`` for a release and
``(major, minor, patch, 0, part, …)`` for a pre-release, so plain tuple comparison is the order of
https://semver.org §11. A number in a pre-release is ``(0, number)``, a word ``(1, word)``.

Each comparison of a range is one half-open interval of that order, so a whole AND-group is one
interval, some exceptions, and whether it names a pre-release. Texts are cut by possessive
expressions and a tokeniser; no input makes them slow.

The behaviour is a port; the notice of the original:

    Copyright (C) 2014-2019, Matt Butcher and Matt Farina

    Permission is hereby granted, free of charge, to any person obtaining a copy of this software
    and associated documentation files (the "Software"), to deal in the Software without
    restriction, including without limitation the rights to use, copy, modify, merge, publish,
    distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
    Software is furnished to do so, subject to the following conditions:

    The above copyright notice and this permission notice shall be included in all copies or
    substantial portions of the Software.

    THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING
    BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
    NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
    DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
    OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from updater.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

# (major, minor, patch, is_release, *parts of the pre-release)
Version: TypeAlias = tuple[Any, ...]

MAX_VERSION_LENGTH: Final = 256
MAX_RANGE_LENGTH: Final = 512
MAX_GROUPS: Final = 32
_MAX_NUMBER: Final = 2**64 - 1
_ABOVE_ALL: Final = (2**64,)

_SPACE: Final = r"[\t\n\f\r ]"
_WORDS: Final = r"[0-9A-Za-z-]++(?:\.[0-9A-Za-z-]++)*+"
_VERSION: Final = re.compile(rf"v?+([0-9]++)(?:\.([0-9]++))?+(?:\.([0-9]++))?+(?:-({_WORDS}))?+(?:\+{_WORDS})?+")
# The same for many texts at once, one a line: numbers and words short enough that no limit can be passed.
# What it does not take (the empty alternative) is read by `parse_version`.
_MANY: Final = re.compile(
    r"^(?:v?+([0-9]{1,19}+)(?:\.([0-9]{1,19}+))?+(?:\.([0-9]{1,19}+))?+(?:-([0-9A-Za-z.-]{1,128}+))?+|.*+)$", re.MULTILINE
)

_FIRST: Final = frozenset("v0123456789")

# In a range a number may be a wildcard. The library's class lets `|` stand in numbers, and so decides
# where a hyphen range begins; ours must cut at the same places.
_LOOSE: Final = r"[0-9|xX*]++"
_LOOSE_VERSION: Final = rf"v?+({_LOOSE})(?:\.({_LOOSE}))?+(?:\.({_LOOSE}))?+(-{_WORDS})?+(?:\+{_WORDS})?+"
_HYPHEN_RANGE: Final = re.compile(rf"{_SPACE}*({_LOOSE_VERSION}){_SPACE}++-{_SPACE}++({_LOOSE_VERSION}){_SPACE}*+")
_COMPARISON: Final = re.compile(rf"(=>|=<|!=|>=|<=|~>|=|>|<|~|\^|){_SPACE}*+({_LOOSE_VERSION})")
_SEPARATOR: Final = re.compile(rf"{_SPACE}*+,{_SPACE}*+|{_SPACE}++")
_BLANK: Final = re.compile(rf"{_SPACE}*+")
_WILDCARDS: Final = frozenset({"x", "X", "*", None})

_HINT: Final = (
    'write comparisons such as >=1.2, ~1.4, ^2, 1.x or 1.2 - 1.9, joined by a comma or a space for "and", by || for "or"'
)


def parse_version(text: str) -> Version | None:
    """Read a version, None where *text* is none.

    ``v`` may stand before it, minor and patch may be missing, numbers may begin with zeros; numbers
    end at 2⁶⁴-1 and the whole text at 256 characters.
    """
    if len(text) > MAX_VERSION_LENGTH:
        return None
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    major, minor, patch, words = match.groups()
    numbers = (int(major), int(minor or 0), int(patch or 0))
    if max(numbers) > _MAX_NUMBER:
        return None
    if words is None:
        return (*numbers, 1)
    parts = _parts(words)
    return None if parts is None else (*numbers, 0, *parts)


class _Numbers(dict[str, int]):
    """Small numbers by their digits, a missing one zero, for they are looked up three times a tag."""

    def __missing__(self, digits: str) -> int:
        return int(digits)


_NUMBERS: Final = _Numbers({"": 0} | {str(number): number for number in range(1000)})


def parse_versions(texts: Sequence[str], *, releases_only: bool = False) -> list[Version | None]:
    """Read many versions, each as `parse_version` does; with *releases_only* a pre-release is None."""
    joined = "\n".join(texts)
    if joined.count("\n") != len(texts) - 1:  # a text of several lines, or none at all
        return [_unless(parse_version(text), releases_only=releases_only) for text in texts]
    cut = zip(texts, _MANY.findall(joined), strict=True)
    number = _NUMBERS
    if releases_only:
        return [
            ((number[major], number[minor], number[patch], 1) if not words else None)
            if major
            else (_unless(parse_version(text), releases_only=True) if text[:1] in _FIRST else None)
            for text, (major, minor, patch, words) in cut
        ]
    return [
        ((number[major], number[minor], number[patch], 1) if not words else _with_words(major, minor, patch, words))
        if major
        else (parse_version(text) if text[:1] in _FIRST else None)
        for text, (major, minor, patch, words) in cut
    ]


def _with_words(major: str, minor: str, patch: str, words: str) -> Version | None:
    parts = _parts(words)
    return None if parts is None else (_NUMBERS[major], _NUMBERS[minor], _NUMBERS[patch], 0, *parts)


def _unless(version: Version | None, *, releases_only: bool) -> Version | None:
    return None if releases_only and version is not None and version[3] == 0 else version


@lru_cache(maxsize=4096)
def _parts(words: str) -> tuple[tuple[int, int | str], ...] | None:
    """Order the dot-separated parts of a pre-release: numbers before words; None for a number with a leading zero."""
    parts: list[tuple[int, int | str]] = []
    for word in words.split("."):
        is_digits = word.isdigit()
        if not word or (is_digits and len(word) > 1 and word[0] == "0"):
            return None
        is_number = is_digits and len(word) <= 20 and int(word) <= _MAX_NUMBER
        parts.append((0, int(word)) if is_number else (1, word))
    return tuple(parts)


def is_prerelease(version: Version) -> bool:
    """Return whether the version has a pre-release part."""
    return bool(version[3] == 0)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One operator and version: the interval low ≤ version < high, less what *without* names.

    *without* is a version that is shut out: a whole one, or ``(major,)``, or ``(major, minor)`` with
    the pre-release part that *tail* gives.
    """

    low: Version = ()
    high: Version | None = None
    without: Version | None = None
    tail: Version | None = None
    names_prerelease: bool = False


@dataclass(frozen=True, slots=True)
class _Group:
    """Comparisons that must all hold."""

    low: Version
    high: Version | None
    exceptions: tuple[_Comparison, ...]
    names_prerelease: bool

    def admits(self, version: Version) -> bool:
        if version < self.low or (self.high is not None and version >= self.high):
            return False
        return not self.exceptions or not any(_shuts_out(item, version) for item in self.exceptions)


def _shuts_out(item: _Comparison, version: Version) -> bool:
    if item.without is None or version[: len(item.without)] != item.without:
        return False
    if item.tail is not None:
        return bool(version[3:] == item.tail)
    return len(item.without) < 4 or len(version) == len(item.without)


@dataclass(frozen=True, slots=True)
class Range:
    """A parsed range; its groups are alternatives."""

    text: str
    groups: tuple[_Group, ...]

    def admits(self, version: Version, *, prerelease: bool = False) -> bool:
        """Return whether the range takes this version.

        A pre-release is taken only by a group that names one itself, or with *prerelease* by all.
        """
        is_open = prerelease or version[3] == 1
        for group in self.groups:  # noqa: SIM110 - any() costs twice the time, once a tag
            if (is_open or group.names_prerelease) and group.admits(version):
                return True
        return False

    def select(self, texts: Sequence[str], *, prerelease: bool = False) -> list[Version | None]:
        """Read many texts: the version of each that is one and is taken, else None."""
        takes_prereleases = prerelease or any(group.names_prerelease for group in self.groups)
        versions = parse_versions(texts, releases_only=not takes_prereleases)
        first = self.groups[0]
        if len(self.groups) == 1 and not first.exceptions:
            low, high = first.low, first.high or _ABOVE_ALL
            return [version if version and low <= version < high else None for version in versions]
        admits = self.admits
        return [version if version and admits(version, prerelease=prerelease) else None for version in versions]


def parse_range(text: str) -> Range:
    """Read a range. Raise `PolicyError`, with a hint for what people write by mistake."""
    if len(text.encode(errors="replace")) > MAX_RANGE_LENGTH:
        raise PolicyError(f"the range {text[:40]!r}… is longer than {MAX_RANGE_LENGTH} bytes", hint="split it, or use a filter")
    groups = _spell_out_hyphens(text).split("||")
    if len(groups) > MAX_GROUPS:
        raise PolicyError(f"the range {text[:40]!r}… has more than {MAX_GROUPS} alternatives", hint="use a filter")
    return Range(text, tuple(_group(group, text) for group in groups))


def _spell_out_hyphens(text: str) -> str:
    spelled = text
    for match in _HYPHEN_RANGE.finditer(text):
        spelled = spelled.replace(match[0], f">= {match[1]}, <= {match[6]} ", 1)
    return spelled


def _group(text: str, whole: str) -> _Group:
    comparisons = []
    position = _end(_BLANK, text, 0)
    while True:
        match = _COMPARISON.match(text, position)
        if match is None:
            raise _refused(whole, text)
        comparisons.append(_comparison(match, whole))
        position = _end(_BLANK, text, match.end())
        if position == len(text):
            return _intersection(comparisons)
        separator = _SEPARATOR.match(text, match.end())
        if separator is None:
            raise _refused(whole, text)
        position = separator.end()


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _intersection(comparisons: list[_Comparison]) -> _Group:
    highs = [item.high for item in comparisons if item.high is not None]
    return _Group(
        low=max(item.low for item in comparisons),
        high=min(highs) if highs else None,
        exceptions=tuple(item for item in comparisons if item.without is not None),
        names_prerelease=any(item.names_prerelease for item in comparisons),
    )


def _comparison(match: re.Match[str], whole: str) -> _Comparison:
    """Turn one operator and version into its interval; *known* counts the numbers before the first wildcard."""
    operator, text, *numbers = match.group(1, 2, 3, 4, 5)
    known = next((place for place, number in enumerate(numbers) if number in _WILDCARDS), 3)
    if known < 3:
        # what stands behind a wildcard is not looked at, so `1.x.7` is `1.x`; the pre-release stays
        text = ".".join([*numbers[:known], *["0"] * (3 - known)]) + (match[6] or "")
    version = parse_version(text)
    if version is None:
        raise _refused(whole, match[0])
    bounds = _OPERATORS[operator](version, known)
    if not is_prerelease(version):
        return bounds
    return _Comparison(bounds.low, bounds.high, bounds.without, bounds.tail, names_prerelease=True)


def _above(version: Version) -> Version:
    """Return the lowest bound that is above *version* and below all that follow it."""
    return (*version[:3], 2) if version[3] else (*version, (-1,))


def _exactly(version: Version, known: int) -> _Comparison:
    return _tilde(version, known) if known < 3 else _Comparison(version, _above(version))


def _unequal(version: Version, known: int) -> _Comparison:
    if known == 1:
        return _Comparison(without=version[:1])
    if known == 2:
        return _Comparison(without=version[:2], tail=version[3:])
    return _Comparison(without=version)


def _greater(version: Version, known: int) -> _Comparison:
    if known == 1:
        return _Comparison((version[0] + 1,))
    if known == 2:
        return _Comparison((version[0], version[1] + 1))
    return _Comparison(_above(version))


def _at_least(version: Version, _known: int) -> _Comparison:
    return _Comparison(version)


def _less(version: Version, _known: int) -> _Comparison:
    return _Comparison(high=version)


def _at_most(version: Version, known: int) -> _Comparison:
    if known == 3:
        return _Comparison(high=_above(version))
    return _Comparison(high=(version[0] + 1,) if known == 1 else (version[0], version[1] + 1))


def _tilde(version: Version, known: int) -> _Comparison:
    if version[:3] == (0, 0, 0) and known in {0, 3}:
        return _Comparison(version)  # ~0.0.0 and ~* take all
    return _Comparison(version, (version[0] + 1,) if known == 1 else (version[0], version[1] + 1))


def _caret(version: Version, known: int) -> _Comparison:
    major, minor, patch = version[:3]
    if major > 0 or known == 1:
        return _Comparison(version, (major + 1,))
    if minor > 0 or known == 2:
        return _Comparison(version, (0, minor + 1))
    return _Comparison(version, (0, 0, patch + 1))


_OPERATORS: Final = {
    "": _exactly,
    "=": _exactly,
    "!=": _unequal,
    ">": _greater,
    "<": _less,
    ">=": _at_least,
    "=>": _at_least,
    "<=": _at_most,
    "=<": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}


def _refused(whole: str, part: str) -> PolicyError:
    part = part.strip()
    shown = f"the range {whole!r}" if part in {whole.strip(), ""} else f"{part!r} in the range {whole!r}"
    return PolicyError(f"{shown} is not a range of versions", hint=_mistake(whole))


def _mistake(text: str) -> str:
    if not text.strip():
        return "leave the range out, or write * for every release"
    if "==" in text:
        return "write one =, as in =1.2.3"
    if re.fullmatch(r"[A-Za-z]+", text.strip()):
        return f"to follow the tag {text.strip()}, use the policy digest; for the newest by time, the policy latest"
    return _HINT
