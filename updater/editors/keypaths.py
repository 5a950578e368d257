"""The grammar of key paths: ``image.tag``, ``a[0].b``, ``a[0][1]``, ``annotations."example.org/image"``.

A segment in double quotes is one literal key, with JSON's escapes. A path into a document behind the first
of a file begins with its number, ``---[1].spec.image``; the root itself is written ``.``.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from updater.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Sequence

Step: TypeAlias = str | int

_LONGEST_KEPT: Final = 256

_BARE: Final = re.compile(r"(?!---)[^.\[\]\"\s=]+")
_INDEX: Final = re.compile(r"\[([^\[\]]*)\]")
_KEY: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^.\[\]"]+')


class QuotedKey(str):
    """A quoted key: dots in it are part of the key."""

    __slots__ = ()


def show(steps: Sequence[Step]) -> str:
    """Write a path as people and `parse` read it."""
    shown = ""
    for step in steps:
        shown = below(shown, step)
    return shown or "."


def below(path: str, step: Step) -> str:
    """Write the path that is one step longer; *path* is "" for the root."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{_quoted(step)}" if path else _quoted(step)


def _quoted(key: str) -> str:
    return _remembered(key) if len(key) <= _LONGEST_KEPT else _written(key)


def _written(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


_remembered = lru_cache(maxsize=4096)(_written)  # manifests use few keys, again and again


def parse(text: str) -> tuple[Step, ...]:
    """Read a path; raise `EditError` with code ``key-path``."""
    steps: list[Step] = []
    position = 0
    while position < len(text):
        if text[position] == "[":
            step, position = _index(text, position)
            steps.append(step)
        else:
            position += text[position] == "." and bool(steps)
            key = _KEY.match(text, position)
            if not key:
                raise _wrong(text, "a key is missing")
            steps.append(QuotedKey(_unquote(key.group(), text)) if key.group()[0] == '"' else key.group())
            position = key.end()
    if not steps:
        raise _wrong(text, "it is empty")
    return tuple(steps)


def split(text: str, mark: str) -> tuple[str, str] | None:
    """Cut *text* at the first *mark* outside quotes and brackets; None where there is none."""
    depth, is_quoted, is_escaped = 0, False, False
    for position, char in enumerate(text):
        if is_quoted:
            is_quoted = char != '"' or is_escaped
            is_escaped = char == "\\" and not is_escaped
        elif char == '"':
            is_quoted = True
        elif char in "[]":
            depth += 1 if char == "[" else -1
        elif char == mark and depth <= 0:
            return text[:position], text[position + 1 :]
    return None


def _index(text: str, position: int) -> tuple[int, int]:
    match = _INDEX.match(text, position)
    if not match:
        raise _wrong(text, "a bracket is not closed")
    if not re.fullmatch(r"[0-9]{1,9}", match.group(1)):
        raise _wrong(text, f"{match.group(1)!r} is not the index of a list item")
    end = match.end()
    if end < len(text) and text[end] not in ".[":
        raise _wrong(text, "expected a dot or [ after ]")
    return int(match.group(1)), end


def _unquote(quoted: str, text: str) -> str:
    try:
        key = json.loads(quoted, strict=False)
    except ValueError:
        raise _wrong(text, f"{quoted} is not a quoted key") from None
    return str(key)


def _wrong(text: str, reason: str) -> EditError:
    hint = 'write keys with dots and list items by number, a[0].b; quote a key that contains dots, a."b.c"'
    return EditError(f"{text!r} is not a key path: {reason}", hint=hint, code="key-path")
