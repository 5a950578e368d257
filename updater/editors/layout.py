"""Add and remove keys and list items in the style of their neighbors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from updater.editors import breaks, marker_comment, outline, proof, quoting
from updater.editors.scalars import Splice
from updater.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.editors.scalars import Parsed

    #: what is added to a list: a text, or a mapping of texts; True is written as it is
    Item: TypeAlias = str | Mapping[str, str | Literal[True]]

_LINE_END: Final = re.compile(r"(?=\r\n|\r|\n)|\Z")
_COMMENT_LINE: Final = re.compile(r"(?:\r\n|\r|\n)([ \t]*)#[^\r\n]*")
_COMMENT: Final = re.compile(r"(?:(?<=\s)|\A)#[^\r\n]*")
_QUIET_LINE: Final = re.compile(r"(?:\r\n|\r|\n)([ \t]*)(?:#[^\r\n]*)?(?=\r\n|\r|\n|\Z)")


def newline(parsed: Parsed) -> str:
    """Return the line end that the text uses, that of its first line."""
    first = parsed.text.find("\n")
    return "\r\n" if first > 0 and parsed.text[first - 1] == "\r" else "\n"


def line_end(parsed: Parsed, offset: int) -> int:
    """Return the offset of the end of a line, before its line break."""
    match = _LINE_END.search(parsed.text, offset)
    return match.start() if match else len(parsed.text)


def key_added(parsed: Parsed, mapping: int, after: int, key: str, value: str) -> Splice:
    """Add a key to a mapping, behind the entry whose value is the event *after*."""
    text = f"{key}: {quoting.write(value)}"
    at = outline.last_event(parsed, after) + 1
    end = outline.text_end(parsed, after)
    if parsed.is_flow(mapping):
        return Splice(start=end, end=end, text=f", {text}", at=at, adds=proof.added(key) + proof.added(value))
    column = parsed.events[parsed.children[mapping][0]].start_mark.column
    place = line_end(parsed, end)
    text = f"{newline(parsed)}{' ' * column}{text}"
    return Splice(start=place, end=place, text=text, at=at, adds=proof.added(key) + proof.added(value))


def key_removed(parsed: Parsed, mapping: int, value: int) -> Splice:
    """Remove an entry with its line, by the event of its value.

    Raises `EditError` ``comment-in-way`` where a comment would go with it: words of a person are not ours to delete.
    A marker on the line of the value goes, it has no value any more.
    """
    inside = parsed.children[mapping]
    position = parsed.position(value)
    key = inside[position - 1]
    start, end = _flow_removal(parsed, inside, position) if parsed.is_flow(mapping) else _removal(parsed, inside, position)
    _check_comments(parsed, (start, end), key, value)
    return Splice(start=start, end=end, text="", at=key, drops=2)


def _check_comments(parsed: Parsed, removed: tuple[int, int], key: int, value: int) -> None:
    """Refuse a removal that takes a comment along, other than the marker of a value that has its line to itself."""
    text, (start, end) = parsed.text, removed
    first, last = parsed.span(value)
    content = breaks.behind_properties(text, first, last)
    if text.startswith(("|", ">"), content, last):
        content = min(line_end(parsed, content), last)
    pieces = ((start, parsed.span(key)[0]), (parsed.span(key)[1], content), (outline.text_end(parsed, value), end))
    comments = [comment for piece in pieces for comment in _COMMENT.findall(text, *piece)]
    is_shared = parsed.is_flow(parsed.parents[value])
    if any(is_shared or not _is_marker(comment) for comment in comments):
        raise EditError(
            "there is a comment on the line of a key that must be removed",
            hint="move the comment to a line of its own above the entry, or remove the key by hand once",
            code="comment-in-way",
            line=parsed.line(value),
        )


def _is_marker(comment: str) -> bool:
    try:
        return marker_comment.parse(comment) is not None
    except EditError:
        return False


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
                "there is a comment between this key and the next one",
                hint="remove the key by hand once, or move it after the other keys",
                code="comment-in-way",
                line=parsed.line(inside[position]),
            )
        return parsed.span(inside[0])[0], following
    start = text.rfind("\n", 0, parsed.span(inside[position - 1])[0]) + 1
    stop = line_end(parsed, end)
    if stop == len(text):  # the last line has no line end: that of the line before goes
        return start - (2 if text[start - 2 : start] == "\r\n" else 1), stop
    return start, stop + (2 if text[stop : stop + 2] == "\r\n" else 1)


def item_added(parsed: Parsed, sequence: int, item: Item) -> Splice:
    """Add the last item to a list that has items or is an empty ``[]``."""
    inside = parsed.children[sequence]
    at = outline.last_event(parsed, sequence)
    adds = proof.added(_plain(item))
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
    """Return the column of the dash before an item, and the number of blanks behind it."""
    start = parsed.span(item)[0]
    match = re.fullmatch(r"( *)-( +)", parsed.text[parsed.text.rfind("\n", 0, start) + 1 : start])
    if match:
        return len(match.group(1)), len(match.group(2))
    column: int = parsed.events[sequence].start_mark.column
    return column, 1


def list_filled(parsed: Parsed, key: int, value: int, item: Item) -> Splice:
    """Turn an empty value (``images:``, ``images: []``, ``images: null``) into a list of one item."""
    mapping = parsed.parents[value]
    is_list = parsed.is_sequence(value)
    at = outline.last_event(parsed, value) if is_list else value
    adds = proof.added(_plain(item) if is_list else [_plain(item)])
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


def list_added(parsed: Parsed, mapping: int, keys: str | Sequence[str], item: Item) -> Splice:
    """Add a key with a list of one item as the last entry of a mapping that is not empty, or is ``{}``.

    Several *keys* are nested: all but the last hold mappings.
    """
    names = (keys,) if isinstance(keys, str) else tuple(keys)
    inside = parsed.children[mapping]
    at = outline.last_event(parsed, mapping)
    value: object = [_plain(item)]
    for name in reversed(names[1:]):
        value = {name: value}
    adds = proof.added(names[0]) + proof.added(value)
    if parsed.is_flow(mapping):
        end = outline.text_end(parsed, inside[-1]) if inside else parsed.span(mapping)[1]
        nested = f"{': {'.join(names)}: [{_flow(item)}]{'}' * (len(names) - 1)}"
        return Splice(start=end, end=end, text=f"{', ' if inside else ''}{nested}", at=at, adds=adds)
    column = parsed.events[inside[0]].start_mark.column
    place = end = line_end(parsed, outline.text_end(parsed, inside[-1]))
    while end < len(parsed.text) and (quiet := _QUIET_LINE.match(parsed.text, end)):
        is_comment = "#" in quiet.group()
        if is_comment and len(quiet.group(1)) < column:
            break  # it belongs to what follows the mapping
        end = quiet.end()
        place = end if is_comment else place
    line_break, indent = newline(parsed), " " * column
    head = "".join(f"{line_break}{indent}{'  ' * depth}{name}:" for depth, name in enumerate(names))
    dash = indent + "  " * (len(names) - 1) + " " * _list_indent(parsed, mapping)
    return Splice(start=place, end=place, text=head + _block(item, line_break, dash, " "), at=at, adds=adds)


def _list_indent(parsed: Parsed, mapping: int) -> int:
    """Return by how much the dashes of the neighbours are indented; flush, as kustomize writes, where none is there."""
    column = parsed.events[parsed.children[mapping][0]].start_mark.column
    for value in parsed.children[mapping][1::2]:
        if parsed.is_sequence(value) and not parsed.is_flow(value):
            indent: int = parsed.events[value].start_mark.column - column
            return indent
    return 0


def text_of(item: Item) -> list[str]:
    """Return the lines of an item as they stand behind its dash."""
    if isinstance(item, str):
        return [quoting.write(item)]
    return [f"{key}: {'true' if value is True else quoting.write(value)}" for key, value in item.items()]


def _plain(item: Item) -> object:
    return item if isinstance(item, str) else dict(item)


def _block(item: Item, line_break: str, dash: str, gap: str) -> str:
    return f"{line_break}{dash}-{gap}" + f"{line_break}{dash} {gap}".join(text_of(item))


def _flow(item: Item) -> str:
    lines = text_of(item)
    return lines[0] if isinstance(item, str) else "{" + ", ".join(lines) + "}"
