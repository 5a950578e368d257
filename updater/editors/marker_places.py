"""Assign marker comments to scalars of a YAML text, and find markers without one.

A marker counts behind a scalar on its line, behind the header of a block scalar, and alone on the line
above a scalar list item. Anywhere else it is in an impossible place, which is said with the way out.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from updater.editors import marker_comment, outline, scalars
from updater.editors.breaks import BREAKS, line_starts
from updater.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.editors.marker_comment import Marker
    from updater.editors.scalars import Parsed

_COMMENT: Final = re.compile(r"(?:(?<=\s)|(?<![\s\S]))#")
_ITEM: Final = re.compile(r"[ \t]*-[ \t]+")


class TextLine(NamedTuple):
    """One line of the text: its start, its end, and the start of the next line."""

    start: int
    end: int
    below: int


class MarkedScalar(NamedTuple):
    """A marker and the scalar that it marks, by the index of its event."""

    marker: Marker
    scalar: int


def find(parsed: Parsed) -> Iterator[MarkedScalar | EditError]:
    """Yield each marker with its scalar, in order; or what is wrong with it, with its line."""
    for line, offset in _lines(parsed):
        try:
            found = _on_line(parsed, line, offset)
        except EditError as error:
            error.line = error.line or parsed.line_at(line.start)
            yield error
        else:
            if found is not None:
                yield found


def _lines(parsed: Parsed) -> Iterator[tuple[TextLine, int]]:
    """Yield each line that may hold a marker, once, with the offset of the first."""
    text = parsed.text
    offsets = marker_comment.offsets(text)
    starts = line_starts(text, parsed.starts) if offsets else []
    below = 0
    for offset in offsets:
        if offset >= below:
            number = bisect_right(starts, offset)
            start, below = starts[number - 1], starts[number] if number < len(starts) else len(text)
            end = below - (2 if text.endswith("\r\n", start, below) else int(below > start and text[below - 1] in BREAKS))
            yield TextLine(start, end, below), offset


def _on_line(parsed: Parsed, line: TextLine, offset: int) -> MarkedScalar | None:
    last = _last_before(parsed, offset)
    end = parsed.span(last)[1] if last is not None else 0
    if last is not None and end > offset:
        return _inside(parsed, line, last)
    comment = _COMMENT.search(parsed.text, max(end, line.start), line.end)
    if comment is None or comment.start() > offset:
        return None
    text = parsed.text[comment.start() : line.end]
    code = parsed.text[line.start : comment.start()]
    is_alone = not code.strip()
    if is_alone and not marker_comment.is_bare(text, has_value=_item_below(parsed, line) is not None):
        return None  # prose that speaks of a marker, or a marked line that somebody commented out
    marker = marker_comment.parse(text)
    if marker is None:
        return None
    if not is_alone and (last is None or end <= line.start):
        raise _empty()  # a dash without an item
    index = _below(parsed, line) if is_alone or last is None else _beside(parsed, last, line)
    return MarkedScalar(marker, _checked(parsed, index))


def _last_before(parsed: Parsed, offset: int) -> int | None:
    """Find the last event that starts before *offset* and has a text of its own.

    What was found is remembered for each event at which a search began, so that no search goes the way of an earlier one.
    """
    known: dict[int, int | None] = parsed.known.setdefault("last with text", {})
    first = index = bisect_right(parsed.events, offset, key=_start) - 1
    while index > 0 and index not in known:
        start, end = parsed.span(index)
        is_dash = parsed.is_collection(index) and not parsed.is_flow(index)
        if end > start and not is_dash:
            known[index] = index
            break
        index -= 1
    return known.setdefault(first, known.get(index))


def _start(event: Any) -> int:
    start: int = event.start_mark.index
    return start


def _inside(parsed: Parsed, line: TextLine, index: int) -> MarkedScalar | None:
    """Judge a marker within the span of a scalar: behind a block header it counts, in the text it cannot."""
    text = parsed.text[line.start : line.end]
    event = parsed.scalar(index)
    start, _ = parsed.span(index)
    if event is not None and event.style in {"|", ">"} and start >= line.start:
        head = _COMMENT.search(parsed.text, start, line.end)
        marker = marker_comment.parse(parsed.text[head.start() : line.end]) if head else None
        return MarkedScalar(marker, _checked(parsed, index)) if marker else None
    comment = marker_comment.at_end(text)
    if comment is not None and marker_comment.parse(comment):
        raise _misplaced("it is inside a text, where it is not a comment", "mark a value of the YAML itself")
    return None


def _beside(parsed: Parsed, last: int, line: TextLine) -> int:
    if parsed.alias(last) is not None:
        raise _misplaced(f"the value is the alias *{parsed.alias(last)}", "mark the line of its anchor")
    if parsed.scalar(last) is None:
        raise _misplaced("there are several values on its line", "write one entry a line, each with its marker")
    if not outline.is_key(parsed, last):
        return last
    event = parsed.scalar(last + 1)
    if event is None:
        raise _misplaced("the value of its key is not a scalar", "move it to the end of the value's line")
    start, end = parsed.span(last + 1)
    if start == end or start > line.end:
        if start == end:
            raise _empty()
        raise _misplaced("the value is on the next line", "write the value on the line of its key")
    raise _misplaced("it marks a key", "move it to the end of the value's line")


def _below(parsed: Parsed, line: TextLine) -> int:
    index = _item_below(parsed, line)
    if index is None:
        raise _misplaced("there is no value on its line", "move it to the end of the value's line, or right above a list item")
    return index


def _item_below(parsed: Parsed, line: TextLine) -> int | None:
    """Find the scalar list item on the next line."""
    item = _ITEM.match(parsed.text, line.below)
    if item is None:
        return None
    first = bisect_left(parsed.events, item.end(), key=_start)
    while first < len(parsed.events) and _start(parsed.events[first]) == item.end():
        parent = parsed.parents[first]
        if parsed.scalar(first) and parent >= 0 and parsed.is_sequence(parent) and not parsed.is_flow(parent):
            return first
        first += 1
    return None


def _checked(parsed: Parsed, index: int) -> int:
    """Refuse a scalar that is empty, shares its line with another value, or is no string by its tag."""
    event = parsed.events[index]
    if event.value == "" and not event.style:
        raise _empty()
    parent = parsed.parents[index]
    if parent >= 0 and parsed.is_flow(parent):
        step = 2 if parsed.is_mapping(parent) else 1
        inside = parsed.children[parent]
        before = parsed.position(index) - step
        if before >= 0 and parsed.events[inside[before]].end_mark.line == event.start_mark.line:
            raise _misplaced("there are several values on its line", "write one entry a line, each with its marker")
    scalars.check_tag(event, "")
    return index


def _empty() -> EditError:
    hint = "write the image there once, it is kept current from then on"
    return EditError("the marked value is empty", hint=hint, code="empty-value")


def _misplaced(reason: str, hint: str) -> EditError:
    return EditError(f"this marker does nothing: {reason}", hint=hint, code="marker-place")
