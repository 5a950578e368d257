"""Change single values of a YAML text and prove that nothing else changed.

The parser's marks give the span of one scalar; only that span is replaced. Then the result is parsed
again, and its events must be those of the text before, but for the intended ones. Without that proof no
byte is handed out. PyYAML's C parser gives the events: its marks count code points, not bytes, and skip a
byte order mark, so all offsets here are into the decoded text without it.

Nothing here builds objects out of YAML or follows aliases, so that an alias bomb is just a few events.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from updater.editors import quoting
from updater.editors.events import pull
from updater.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_EVENTS: Final = 250_000
MAX_DEPTH: Final = 200
_BYTE_ORDER_MARK: Final = "\ufeff"
_BREAKS: Final = "\r\n\x85\u2028\u2029"
_BLANKS: Final = frozenset(f" \t{_BREAKS}")
_BLANK_OR_COMMENT: Final = _BLANKS | {"#"}
LINE_BREAKS: Final = re.compile(rf"\r\n|[{_BREAKS}]")
_NEWLINE: Final = re.compile("\n")
_BREAK_OR_END: Final = re.compile(rf"\r\n|[{_BREAKS}]|\Z")
_CONTENT: Final = re.compile(rf"[^{_BREAKS}]+")
_CONTENT_TYPES: Final = frozenset({"str"})
_CORE_TAG: Final = "tag:yaml.org,2002:"
# What is compared of an event: its class and what it says. Marks and styles are left out: the bytes outside a
# splice are equal anyway, and a style is no meaning.
Signature: TypeAlias = Any
_SIGN: Final[dict[type, Callable[[Any], Signature]]] = {
    StreamStartEvent: lambda _: (StreamStartEvent,),
    StreamEndEvent: lambda _: (StreamEndEvent,),
    DocumentStartEvent: attrgetter("__class__", "explicit", "version", "tags"),
    DocumentEndEvent: lambda _: (DocumentEndEvent,),
    MappingStartEvent: attrgetter("__class__", "anchor", "tag", "implicit"),
    MappingEndEvent: lambda _: (MappingEndEvent,),
    SequenceStartEvent: attrgetter("__class__", "anchor", "tag", "implicit"),
    SequenceEndEvent: lambda _: (SequenceEndEvent,),
    AliasEvent: attrgetter("__class__", "anchor"),
    ScalarEvent: attrgetter("__class__", "value", "anchor", "tag", "implicit"),
}


# The events besides scalars and collections that say more than their class does.
_TELLING: Final = frozenset({DocumentStartEvent, AliasEvent})


@dataclass(frozen=True, slots=True)
class Parsed:
    """The events of one text and who contains whom, by the index of each event.

    *parents* names the collection that holds an event (-1 for the root of a document), *children* the keys
    and values or the items of a collection in order, with -1 for the roots of all documents; *positions* says
    which of them an event is. *tables*, *paths*, *names*, *objects* and *anchors* are room for what `outline` finds
    out once, *known* for what an editor does, *starts* for the starts of the lines.
    """

    text: str
    mark: str
    events: list[Any]
    parents: list[int]
    children: dict[int, list[int]]
    positions: list[int]
    tables: dict[int, dict[str | None, tuple[int, ...]]] = field(default_factory=dict)
    paths: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    objects: dict[int, tuple[str, str, str, str]] = field(default_factory=dict)
    anchors: dict[str, list[int]] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)

    def line_starts(self) -> list[int]:
        """Return the offset at which each line starts, by the line breaks that the parser counts; looked for once."""
        if not self.starts:
            is_usual = self.text.isascii() and "\r" not in self.text
            ends = _NEWLINE.finditer(self.text) if is_usual else LINE_BREAKS.finditer(self.text)
            self.starts[:] = [0, *(found.end() for found in ends)]
        return self.starts

    def line_at(self, offset: int) -> int:
        """Return the 1-based line of an offset."""
        return bisect_right(self.line_starts(), offset)

    def scalar(self, index: int) -> ScalarEvent | None:
        """Return the scalar at *index*, None where another event stands there."""
        event = self.events[index]
        return event if isinstance(event, ScalarEvent) else None

    def is_mapping(self, index: int) -> bool:
        """Return whether a mapping starts at *index*."""
        return isinstance(self.events[index], MappingStartEvent)

    def is_sequence(self, index: int) -> bool:
        """Return whether a sequence starts at *index*."""
        return isinstance(self.events[index], SequenceStartEvent)

    def is_collection(self, index: int) -> bool:
        """Return whether a mapping or a list starts at *index*."""
        return index in self.children

    def is_flow(self, index: int) -> bool:
        """Return whether the collection that starts at *index* is written with brackets."""
        return bool(getattr(self.events[index], "flow_style", False))

    def alias(self, index: int) -> str | None:
        """Return the name of the alias at *index*, None where another event stands there."""
        event = self.events[index]
        return str(event.anchor) if isinstance(event, AliasEvent) else None

    def span(self, index: int) -> tuple[int, int]:
        """Return start and end of an event in the text; of a scalar with its anchor and tag."""
        event = self.events[index]
        return event.start_mark.index, event.end_mark.index

    def line(self, index: int) -> int:
        """Return the 1-based line on which an event starts."""
        line: int = self.events[index].start_mark.line
        return line + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Splice:
    """Put *text* between *start* and *end*, and what that does to the events, at index *at*.

    A *value* is what the scalar there says afterwards; *drops* counts events that go; *adds* are events
    that come before it.
    """

    start: int
    end: int
    text: str
    at: int
    value: str | None = None
    drops: int = 0
    adds: tuple[Signature, ...] = ()


def parse(data: bytes, path: str) -> Parsed:
    """Parse the bytes of a file; raise `EditError` with path and line where they are no YAML."""
    if len(data) > MAX_BYTES:
        raise EditError(
            f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB",
            hint="split it, or keep the image references in a file of their own",
            code="too-large",
            path=path,
        )
    text = decode(data, path)
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    return _outline(text.removeprefix(mark), mark, path)


#: parses like `parse`, and remembers the last texts until `forget`: each locator of a file asks for it again
parse_once = lru_cache(maxsize=4)(parse)


def forget() -> None:
    """Drop the texts that `parse_once` remembers, which are large beside what is found in them."""
    parse_once.cache_clear()


def decode(data: bytes, path: str) -> str:
    """Decode UTF-8, keeping a byte order mark; raise `EditError`."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise EditError("the file is UTF-16", hint="save it as UTF-8", code="not-utf8", path=path, line=1)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EditError("the file is not UTF-8", hint="save it as UTF-8", code="not-utf8", path=path, line=line) from None


def _outline(text: str, mark: str, path: str) -> Parsed:
    events = _events(text, path)
    parents: list[int] = []
    positions: list[int] = []
    children: dict[int, list[int]] = {-1: []}
    above: list[int] = []
    top, here = -1, children[-1]
    for index, event in enumerate(events):
        parents.append(top)
        positions.append(len(here))
        kind = type(event)
        if kind is ScalarEvent or kind is AliasEvent:
            here.append(index)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            here.append(index)
            above.append(top)
            top, here = index, []
            children[index] = here
            if len(above) > MAX_DEPTH:
                raise _too_deep(path, event)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            parents[index] = top = above.pop()
            here = children[top]
    return Parsed(text, mark, events, parents, children, positions)


def _too_large(reason: str, path: str, line: int | None = None) -> EditError:
    hint = "keep the image references in a file of their own"
    return EditError(f"the file {reason}", hint=hint, code="too-large", path=path, line=line)


def _events(text: str, path: str) -> list[Any]:
    try:
        events, deep = pull(text, depth=MAX_DEPTH, count=MAX_EVENTS)
    except MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        raise _no_yaml(error.problem or "it does not parse", text, path, place.line + 1 if place else None) from None
    except YAMLError as error:
        offset = getattr(error, "position", 0)
        problem = getattr(error, "reason", "it does not parse")
        raise _no_yaml(problem, text, path, text.count("\n", 0, offset) + 1) from None
    if deep is not None:
        raise _too_deep(path, deep)
    if len(events) >= MAX_EVENTS:
        raise _too_large(f"has more than {MAX_EVENTS} keys and values", path)
    return events


def _too_deep(path: str, event: Any) -> EditError:
    return _too_large(f"nests deeper than {MAX_DEPTH} levels", path, event.start_mark.line + 1)


def _no_yaml(problem: str, text: str, path: str, line: int | None) -> EditError:
    hint = "a Helm template cannot be edited: mark the value in values.yaml" if "{{" in text else "correct the file"
    last = max(text.count("\n") + (not text.endswith("\n")), 1)  # an open end is reported behind the last line
    return EditError(f"the file is not YAML: {problem}", hint=hint, code="not-yaml", path=path, line=min(line or 1, last))


def replacement(parsed: Parsed, index: int, value: str, path: str) -> Splice:
    """Return the splice that makes the scalar at *index* say *value*, in the style that it has.

    Raises `EditError`: ``explicit-tag`` where a tag such as ``!!float`` says that it is no string,
    ``block-scalar`` where a block scalar has not exactly one line.
    """
    event = parsed.events[index]
    assert isinstance(event, ScalarEvent)  # noqa: S101 - callers choose scalars only
    check_tag(event, path)
    start, end = parsed.span(index)
    if event.style in {"|", ">"}:
        return _in_block(parsed.text, index, event, value, path)
    start = behind_properties(parsed.text, start, end)
    text = quoting.write(value, style=event.style or quoting.PLAIN, is_typed=event.tag is not None)
    if start == end and start > 0 and not parsed.text[start - 1].isspace():
        text = f" {text}"
    return Splice(start=start, end=end, text=text, at=index, value=value)


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


def check_tag(event: Any, path: str) -> None:
    """Refuse a scalar whose explicit tag says that it is no string; raise `EditError`."""
    if event.tag is None:
        return
    kind = event.tag.removeprefix(_CORE_TAG)
    if event.tag.startswith(_CORE_TAG) and kind not in _CONTENT_TYPES:
        raise EditError(
            f"the value has the tag !!{kind}, an image reference is a string",
            hint=f"remove !!{kind}",
            code="explicit-tag",
            path=path,
            line=event.start_mark.line + 1,
        )


def _in_block(text: str, index: int, event: Any, value: str, path: str) -> Splice:
    start, end = event.start_mark.index, event.end_mark.index
    body = LINE_BREAKS.search(text, start, end)
    lines = list(_CONTENT.finditer(text, body.end() if body else end, end))
    content = [line for line in lines if line.group().strip(" ")]
    if len(content) != 1 or event.value.startswith((" ", "\n")) or "\n" in value or value != value.strip() or not value:
        count = len(content)
        hint = "write the value on the line of its key"
        message = f"the block scalar has {count} lines, only one of a single line can be edited"
        raise EditError(message, hint=hint, code="block-scalar", path=path, line=event.start_mark.line + 1)
    first, last = content[0].span()
    first += len(content[0].group()) - len(content[0].group().lstrip(" "))
    ending = event.value[len(event.value.rstrip("\n")) :]
    return Splice(start=first, end=last, text=value, at=index, value=value + ending)


def apply(parsed: Parsed, splices: Sequence[Splice], path: str) -> bytes:
    """Return the text with all *splices* made, as bytes, after the proof that nothing else changed.

    Raises `EditError` with code ``unproved`` where the result does not parse, or says anything else than
    was intended. Splices at one offset stand in the order given.
    """
    text, pieces, position = parsed.text, [parsed.mark], 0
    for splice in sorted(splices, key=lambda splice: (splice.start, splice.end)):
        if splice.start < position:
            raise _unproved("two changes touch the same text", path, parsed.line(splice.at))
        pieces += (text[position : splice.start], splice.text)
        position = splice.end
    pieces.append(text[position:])
    after = "".join(pieces)
    _prove(parsed, splices, after.removeprefix(parsed.mark), path)
    return after.encode()


def _prove(parsed: Parsed, splices: Sequence[Splice], after: str, path: str) -> None:
    try:
        found = _events(after, path)
    except EditError as error:
        raise _unproved("the result would not be YAML", path, error.line) from None
    if all(splice.value is not None for splice in splices) and _is_proved(parsed.events, found, splices):
        return
    signatures = [_SIGN[type(event)](event) for event in found]
    expected = _expected(parsed, splices)
    if signatures != expected:
        pairs = zip(signatures, expected, strict=False)
        first = next((index for index, (new, old) in enumerate(pairs) if new != old), len(found) - 1)
        line = found[first].start_mark.line + 1
        raise _unproved("another value would change with it", path, line)


def _is_proved(before: list[Any], after: list[Any], splices: Sequence[Splice]) -> bool:
    """Compare event by event where only values change: the everyday case, all that `_SIGN` says without its tuples."""
    if len(before) != len(after):
        return False
    values = {splice.at: splice.value or "" for splice in splices}
    if any(_Value(value, before[at]) != _SIGN[type(after[at])](after[at]) for at, value in values.items()):
        return False
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        kind = type(new)
        if kind is not type(old):
            return False
        if kind is ScalarEvent:
            is_other = (
                new.value != old.value or new.implicit != old.implicit or new.tag != old.tag or new.anchor != old.anchor
            ) and index not in values
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            is_other = new.implicit != old.implicit or new.tag != old.tag or new.anchor != old.anchor
        else:
            is_other = kind in _TELLING and _SIGN[kind](new) != _SIGN[kind](old)
        if is_other:
            return False
    return True


def _expected(parsed: Parsed, splices: Sequence[Splice]) -> list[Signature]:
    expected: list[Any] = [_SIGN[type(event)](event) for event in parsed.events]
    before: dict[int, list[Signature]] = {}
    for splice in splices:
        if splice.value is not None:
            expected[splice.at] = _Value(splice.value, parsed.events[splice.at])
        for index in range(splice.at, splice.at + splice.drops):
            expected[index] = None
        before.setdefault(splice.at, []).extend(splice.adds)
    if not any(before.values()) and None not in expected:
        return expected
    return [item for index, old in enumerate(expected) for item in (*before.get(index, ()), old) if item is not None]


class _Value:
    """Stands for a scalar that must say *text* and be a string; equal to the signature of each that does."""

    def __init__(self, text: str, event: Any = None) -> None:
        self._text = text
        self._anchor: str | None = getattr(event, "anchor", None)
        self._tag: str | None = getattr(event, "tag", None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, tuple) or other[0] is not ScalarEvent:
            return False
        _, value, anchor, tag, implicit = other
        is_string = not implicit[0] or tag is not None or quoting.is_string(self._text)
        return bool((value, anchor, tag) == (self._text, self._anchor, self._tag) and is_string)

    __hash__ = None  # type: ignore[assignment]  # compared only


def _unproved(reason: str, path: str, line: int | None) -> EditError:
    return EditError(
        f"the value cannot be changed alone: {reason}",
        hint="correct the YAML around it, or move the value to a file of its own",
        code="unproved",
        path=path,
        line=line,
    )


def added(value: object) -> tuple[Signature, ...]:
    """Return the events of *value* (texts, True, lists, mappings) as they must appear where it is added."""
    if isinstance(value, dict):
        inner = [signature for pair in value.items() for item in pair for signature in added(item)]
        return ((MappingStartEvent, None, None, True), *inner, (MappingEndEvent,))
    if isinstance(value, list):
        inner = [signature for item in value for signature in added(item)]
        return ((SequenceStartEvent, None, None, True), *inner, (SequenceEndEvent,))
    return ((ScalarEvent, "true", None, None, (True, False)),) if value is True else (_Value(str(value)),)
