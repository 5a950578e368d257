"""Find where the values of a YAML text stand, and what to put in the place of one.

The parser's marks give the span of one scalar; only that span is replaced, by `updater.editors.proof`. PyYAML's
C parser gives the events: its marks count code points, not bytes, and skip a byte order mark, so all offsets here are into
the decoded text without it.

Nothing here builds objects out of YAML or follows aliases, so that an alias bomb is just a few events.
"""

from __future__ import annotations

import codecs
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from updater.editors import breaks, quoting
from updater.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Iterator

# no settings: what is parsed takes 50 times the memory of the text, and two of it are compared
MAX_BYTES: Final = 4 * 1024 * 1024
MAX_EVENTS: Final = 250_000
MAX_DEPTH: Final = 200
_BYTE_ORDER_MARK: Final = "\ufeff"
_CONTENT_TYPES: Final = frozenset({"str"})
_CORE_TAG: Final = "tag:yaml.org,2002:"
# What is compared of an event: its class and what it says. Marks and styles are left out: the bytes outside a
# splice are equal anyway, and a style is no meaning.
Signature: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Parsed:
    """The events of one text and their nesting, by the index of each event.

    *parents* names the collection that holds an event (-1 for the root of a document), *children* the keys
    and values or the items of a collection in order, with -1 for the roots of all documents. *tables*, *paths*, *names*,
    *objects* and *anchors* are room for what `outline` finds out once, *known* for what an editor does, *starts* for the
    starts of the lines.
    """

    text: str
    mark: str
    events: list[Any]
    parents: list[int]
    children: dict[int, list[int]]
    tables: dict[int, dict[str | None, tuple[int, ...]]] = field(default_factory=dict)
    paths: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    objects: dict[int, tuple[str, str, str, str]] = field(default_factory=dict)
    anchors: dict[str, list[int]] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)

    def position(self, index: int) -> int:
        """Return which of the keys and values, or of the items, of its collection an event is."""
        return bisect_left(self.children[self.parents[index]], index)

    def line_at(self, offset: int) -> int:
        """Return the 1-based line of an offset."""
        return bisect_right(breaks.line_starts(self.text, self.starts), offset)

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
    """Replace the text from *start* to *end* with *text*, which changes the events at index *at*.

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
    return outlined(text.removeprefix(mark), mark, path)


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


def outlined(text: str, mark: str, path: str) -> Parsed:
    """Parse a text; raise `EditError` with path and line where it is no YAML, or too large."""
    try:
        return _outline(text, mark, path)
    except YAMLError as error:
        raise not_yaml(error, text, path) from None


def _outline(text: str, mark: str, path: str) -> Parsed:
    """Read the events and their nesting in one go, so that the bounds end the reading and not only its use.

    The parser's time grows with the number of events times the depth that is open.
    """
    events: list[Any] = []
    parents: list[int] = []
    children: dict[int, list[int]] = {-1: []}
    above: list[int] = []
    top, here = -1, children[-1]
    found: Iterator[Any] = iter(CParser(text).get_event, None)
    for index, event in enumerate(islice(found, MAX_EVENTS)):
        events.append(event)
        parents.append(top)
        kind = type(event)
        if kind is ScalarEvent or kind is AliasEvent:
            here.append(index)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            here.append(index)
            above.append(top)
            top, here = index, []
            children[index] = here
            if len(above) > MAX_DEPTH:
                raise _too_large(f"nests deeper than {MAX_DEPTH} levels", path, event.start_mark.line + 1)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            parents[index] = top = above.pop()
            here = children[top]
    if len(events) >= MAX_EVENTS:
        raise _too_large(f"has more than {MAX_EVENTS} keys and values", path)
    return Parsed(text, mark, events, parents, children)


def _too_large(reason: str, path: str, line: int | None = None) -> EditError:
    hint = "keep the image references in a file of their own"
    return EditError(f"the file {reason}", hint=hint, code="too-large", path=path, line=line)


def not_yaml(error: YAMLError, text: str, path: str) -> EditError:
    """Return what the parser says of a text as our error, with path and line."""
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line, problem = mark.line + 1 if mark else 1, error.problem
    else:
        line, problem = text.count("\n", 0, getattr(error, "position", 0)) + 1, getattr(error, "reason", None)
    hint = "a Helm template cannot be edited: mark the value in values.yaml" if "{{" in text else "correct the file"
    last = max(text.count("\n") + (not text.endswith("\n")), 1)  # an open end is reported behind the last line
    message = f"the file is not YAML: {problem or 'it does not parse'}"
    return EditError(message, hint=hint, code="not-yaml", path=path, line=min(line, last))


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
    start = breaks.behind_properties(parsed.text, start, end)
    text = quoting.write(value, style=event.style or quoting.PLAIN, is_typed=event.tag is not None)
    if start == end and start > 0 and not parsed.text[start - 1].isspace():
        text = f" {text}"
    return Splice(start=start, end=end, text=text, at=index, value=value)


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
    body = breaks.LINE_BREAKS.search(text, start, end)
    lines = list(breaks.CONTENT.finditer(text, body.end() if body else end, end))
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
