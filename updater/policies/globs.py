"""The globs of tag filters: ``*``, ``?``, ``[a-z]``, ``[^a]`` and a backslash, as Go's path.Match reads them.

A glob covers the whole tag. ``*`` and ``?`` never cover ``/``, which no tag holds anyway.
Source: https://pkg.go.dev/path#Match
"""

from __future__ import annotations

from updater.errors import PolicyError


def glob_expression(glob: str) -> str:
    """Translate a glob into an RE2 expression that covers the whole tag; raise `PolicyError`."""
    parts: list[str] = []
    position = 0
    while position < len(glob):
        part, position = _part(glob, position)
        if not (part == "[^/]*" and parts and parts[-1] == part):
            parts.append(part)
    return rf"\A(?s:{''.join(parts)})\z"


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
        f"{glob!r} is not a glob", hint="close every [, and write a backslash before a [ or \\ that means itself; or use regexp:"
    )
