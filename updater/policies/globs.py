"""The globs of tag filters and of names: ``*``, ``?``, ``[a-z]``, ``[^a]`` and a backslash, as Go's path.Match reads them.

A glob covers the whole tag or name. ``*`` and ``?`` never cover ``/``, which none of them holds anyway.
Source: https://pkg.go.dev/path#Match
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from updater.errors import PolicyError

LONGEST_GLOB: Final = 1024


def glob_expression(glob: str) -> str:
    """Translate a glob into an RE2 expression that covers the whole tag; raise `PolicyError`."""
    parts: list[str] = []
    position = 0
    while position < len(glob):
        part, position = _part(glob, position)
        if not (part == "[^/]*" and parts and parts[-1] == part):
            parts.append(part)
    return rf"\A(?s:{''.join(parts)})\z"


@lru_cache(maxsize=1024)  # a few globs are asked for at thousands of images
def name_matcher(pattern: str) -> Any:
    """Return an expression whose `fullmatch` says whether a name fits; raise `PolicyError` where the glob cannot be read."""
    import re2  # noqa: PLC0415 - wanted only where names are matched

    if len(pattern) > LONGEST_GLOB:
        raise PolicyError(f"{pattern[:40]!r}… is too long for a glob", hint="a name has at most 253 characters")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(glob_expression(pattern), options)
    except re2.error as error:
        raise PolicyError(f"'{pattern}' is too large for a glob", hint="write fewer sets and stars") from error


def _part(glob: str, position: int) -> tuple[str, int]:
    letter = glob[position]
    if letter == "*":
        return "[^/]*", position + 1
    if letter == "?":
        return "[^/]", position + 1
    if letter == "[":
        return _set(glob, position)
    if letter == "\\":
        letter, position = _letter(glob, position)
        return _escaped(letter), position
    return _escaped(letter), position + 1


def _set(glob: str, begin: int) -> tuple[str, int]:
    position = begin + 1
    is_negated = glob[position : position + 1] == "^"
    position += is_negated
    ranges: list[str] = []
    while glob[position : position + 1] != "]" or not ranges:
        low, position = _member(glob, position)
        high = low
        if glob[position : position + 1] == "-":
            high, position = _member(glob, position + 1)
        # the other way round a range holds nothing, which path.Match takes without complaint
        ranges.append(f"{_escaped(low)}-{_escaped(high)}" if low <= high else "")
    inside = "".join(ranges)
    if not inside:
        return ("(?s:.)" if is_negated else r"[^\x00-\x{10FFFF}]"), position + 1
    return f"[{'^' if is_negated else ''}{inside}]", position + 1


def _member(glob: str, position: int) -> tuple[str, int]:
    if glob[position : position + 1] in {"", "-", "]"}:
        raise _wrong(glob)
    return _letter(glob, position)


def _letter(glob: str, position: int) -> tuple[str, int]:
    if glob[position] == "\\":
        position += 1
    if position >= len(glob):
        raise _wrong(glob)
    return glob[position], position + 1


def _escaped(letter: str) -> str:
    return letter if letter.isalnum() and letter.isascii() else f"\\x{{{ord(letter):x}}}"


def _wrong(glob: str) -> PolicyError:
    return PolicyError(
        f"'{glob}' is not a glob", hint="close every [, and write a backslash before a [ or \\ that means itself; or use regexp:"
    )
