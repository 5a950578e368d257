"""Knows how to add and remove keys and list items so that they look like their neighbours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from updater.editors import outline, quoting, scalars
from updater.editors.scalars import Splice
from updater.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.editors.scalars import Parsed

_LINE_END: Final = re.compile(r"(?=\r\n|\r|\n)|\Z")
_COMMENT_LINE: Final = re.compile(r"(?:\r\n|\r|\n)([ \t]*)#[^\r\n]*")
_QUIET_LINE: Final = re.compile(r"(?:\r\n|\r|\n)[ \t]*(?:#[^\r\n]*)?(?=\r\n|\r|\n|\Z)")


def newline(parsed: Parsed) -> str:
    """Give the line end that the text uses, that of its first line."""
    first = parsed.text.find("\n")
    return "\r\n" if first > 0 and parsed.text[first - 1] == "\r" else "\n"


def line_end(parsed: Parsed, offset: int) -> int:
    """Give the offset of the end of a line, before its line break."""
    match = _LINE_END.search(parsed.text, offset)
    return match.start() if match else len(parsed.text)


def key_added(parsed: Parsed, mapping: int, after: int, key: str, value: str) -> Splice:
    """Add a key to a mapping, behind the entry whose value is the event *after*."""
    text = f"{key}: {quoting.write(value)}"
    at = outline.last_event(parsed, after) + 1
    end = outline.text_end(parsed, after)
    if parsed.is_flow(mapping):
        return Splice(start=end, end=end, text=f", {text}", at=at, adds=scalars.added(key) + scalars.added(value))
    column = parsed.events[parsed.children[mapping][0]].start_mark.column
    place = line_end(parsed, end)
    text = f"{newline(parsed)}{' ' * column}{text}"
    return Splice(start=place, end=place, text=text, at=at, adds=scalars.added(key) + scalars.added(value))


def key_removed(parsed: Parsed, mapping: int, value: int) -> Splice:
    """Remove an entry with its line, by the event of its value; raises `EditError` where a comment is in the way."""
    inside = parsed.children[mapping]
    position = inside.index(value)
    key = inside[position - 1]
    start, end = _flow_removal(parsed, inside, position) if parsed.is_flow(mapping) else _removal(parsed, inside, position)
    return Splice(start=start, end=end, text="", at=key, drops=2)


def _flow_removal(parsed: Parsed, inside: list[int], position: int) -> tuple[int, int]:
    if position > 1:
        return outline.text_end(parsed, inside[position - 2]), outline.text_end(parsed, inside[position])
    return parsed.span(inside[0])[0], parsed.span(inside[2])[0]


def _removal(parsed: Parsed, inside: list[int], position: int) -> tuple[int, int]:
    text, end = parsed.text, outline.text_end(parsed, inside[position])
    if position == 1:  # it stands behind a dash: the next key takes its place
        following = parsed.span(inside[2])[0]
        if "#" in text[line_end(parsed, end) : following]:
            raise EditError(
                "a comment stands between this key and the next one",
                hint="remove the key by hand once, or write it behind the other keys",
                code="comment-in-way",
                line=parsed.line(inside[position]),
            )
        return parsed.span(inside[0])[0], following
    start = text.rfind("\n", 0, parsed.span(inside[position - 1])[0]) + 1
    stop = line_end(parsed, end)
    if stop == len(text):  # the last line has no line end: that of the line before goes
        return start - (2 if text[start - 2 : start] == "\r\n" else 1), stop
    return start, stop + (2 if text[stop : stop + 2] == "\r\n" else 1)


def item_added(parsed: Parsed, sequence: int, item: Mapping[str, str]) -> Splice:
    """Add a mapping as the last item of a list that has items or is an empty ``[]``."""
    inside = parsed.children[sequence]
    at = outline.last_event(parsed, sequence)
    adds = scalars.added(dict(item))
    if parsed.is_flow(sequence):
        end = outline.text_end(parsed, inside[-1]) if inside else parsed.span(sequence)[1]
        text = (", " if inside else "") + _flow(item)
        return Splice(start=end, end=end, text=text, at=at, adds=adds)
    dash, gap = _dash(parsed, sequence, inside[-1])
    place = line_end(parsed, outline.text_end(parsed, inside[-1]))
    while (comment := _COMMENT_LINE.match(parsed.text, place)) and len(comment.group(1)) > dash:
        place = comment.end()
    text = _block(item, newline(parsed), " " * dash, " " * gap)
    return Splice(start=place, end=place, text=text, at=at, adds=adds)


def _dash(parsed: Parsed, sequence: int, item: int) -> tuple[int, int]:
    """Give the column of the dash before an item, and the number of blanks behind it."""
    start = parsed.span(item)[0]
    match = re.fullmatch(r"( *)-( +)", parsed.text[parsed.text.rfind("\n", 0, start) + 1 : start])
    if match:
        return len(match.group(1)), len(match.group(2))
    column: int = parsed.events[sequence].start_mark.column
    return column, 1


def list_filled(parsed: Parsed, key: int, value: int, item: Mapping[str, str]) -> Splice:
    """Turn an empty value (``images:``, ``images: []``, ``images: null``) into a list of one item."""
    mapping = parsed.parents[value]
    is_list = parsed.is_sequence(value)
    at = outline.last_event(parsed, value) if is_list else value
    adds = scalars.added(dict(item) if is_list else [dict(item)])
    start, end = parsed.span(key)[1], outline.text_end(parsed, value)
    rest = parsed.text[end : line_end(parsed, end)]
    drops = 0 if is_list else 1
    if parsed.is_flow(mapping) or "\n" in parsed.text[start:end]:
        text = f"{'' if parsed.text[: parsed.span(value)[0]].endswith(' ') else ' '}[{_flow(item)}]"
        if is_list:
            inner = parsed.span(value)[1]
            return Splice(start=inner, end=inner, text=_flow(item), at=at, adds=adds)
        return Splice(start=parsed.span(value)[0], end=end, text=text, at=at, adds=adds, drops=drops)
    colon = parsed.text.index(":", start) + 1
    column = parsed.events[parsed.children[mapping][0]].start_mark.column
    dash = " " * (column + _list_indent(parsed, mapping))
    text = rest.rstrip() + _block(item, newline(parsed), dash, " ")
    return Splice(start=colon, end=line_end(parsed, end), text=text, at=at, adds=adds, drops=drops)


def list_added(parsed: Parsed, mapping: int, key: str, item: Mapping[str, str]) -> Splice:
    """Add a key with a list of one item as the last entry of the root mapping."""
    inside = parsed.children[mapping]
    at = outline.last_event(parsed, mapping)
    adds = scalars.added(key) + scalars.added([dict(item)])
    if parsed.is_flow(mapping):
        end = outline.text_end(parsed, inside[-1]) if inside else parsed.span(mapping)[1]
        text = f"{', ' if inside else ''}{key}: [{_flow(item)}]"
        return Splice(start=end, end=end, text=text, at=at, adds=adds)
    column = parsed.events[inside[0]].start_mark.column
    place = end = line_end(parsed, outline.text_end(parsed, inside[-1]))
    while end < len(parsed.text) and (quiet := _QUIET_LINE.match(parsed.text, end)):
        end = quiet.end()
        place = end if "#" in quiet.group() else place
    dash = " " * (column + _list_indent(parsed, mapping))
    text = f"{newline(parsed)}{' ' * column}{key}:" + _block(item, newline(parsed), dash, " ")
    return Splice(start=place, end=place, text=text, at=at, adds=adds)


def _list_indent(parsed: Parsed, mapping: int) -> int:
    """Give by how much the dashes of the neighbours are indented; flush, as kustomize writes, where none is there."""
    column = parsed.events[parsed.children[mapping][0]].start_mark.column
    for value in parsed.children[mapping][1::2]:
        if parsed.is_sequence(value) and not parsed.is_flow(value):
            indent: int = parsed.events[value].start_mark.column - column
            return indent
    return 0


def _block(item: Mapping[str, str], line_break: str, dash: str, gap: str) -> str:
    lines = [f"{key}: {quoting.write(value)}" for key, value in item.items()]
    return f"{line_break}{dash}-{gap}" + f"{line_break}{dash} {gap}".join(lines)


def _flow(item: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {quoting.write(value)}" for key, value in item.items()) + "}"
