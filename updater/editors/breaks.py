"""Line breaks of a YAML text, and the start of a scalar after its anchor and tag."""

from __future__ import annotations

import re
from typing import Final

BREAKS: Final = "\r\n\x85\u2028\u2029"
_BLANKS: Final = frozenset(f" \t{BREAKS}")
_BLANK_OR_COMMENT: Final = _BLANKS | {"#"}
_NEWLINE: Final = re.compile("\n")
LINE_BREAKS: Final = re.compile(rf"\r\n|[{BREAKS}]")
_BREAK_OR_END: Final = re.compile(rf"\r\n|[{BREAKS}]|\Z")
CONTENT: Final = re.compile(rf"[^{BREAKS}]+")


def behind_properties(text: str, start: int, end: int) -> int:
    """Return where a scalar begins behind its anchor and tag, and behind the blanks, line breaks and comments after them."""
    while text.startswith(("&", "!"), start, end):
        start = _blank_from(text, start, end)
        while start < end and text[start] in _BLANK_OR_COMMENT:
            start = _BREAK_OR_END.search(text, start, end).end() if text[start] == "#" else start + 1  # type: ignore[union-attr]
    return start


def _blank_from(text: str, start: int, end: int) -> int:
    """Return the offset of the next blank or line break, *end* where none follows."""
    while start < end and text[start] not in _BLANKS:
        start += 1
    return start


def line_starts(text: str, known: list[int]) -> list[int]:
    """Return the offset at which each line of *text* starts, by the breaks that the parser counts; *known* keeps it."""
    if not known:
        ends = _NEWLINE if text.isascii() and "\r" not in text else LINE_BREAKS  # the usual text costs a third
        known[:] = [0, *(found.end() for found in ends.finditer(text))]
    return known
