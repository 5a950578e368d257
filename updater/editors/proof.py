"""Makes changes in a YAML text and proves that nothing else changed.

The result is parsed again, and its events must be those of the text before, but for the intended ones. Without that proof
no byte is handed out.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from yaml._yaml import CParser
from yaml.error import YAMLError
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

from updater.editors import quoting, scalars
from updater.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from updater.editors.scalars import Parsed, Signature, Splice

# how an event is compared: by its class and what it says
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
    other = _first_other(parsed, splices, after.removeprefix(parsed.mark), path)
    if other is not None:
        raise _unproved("another value would change with it", path, other.start_mark.line + 1)
    return after.encode()


def _first_other(parsed: Parsed, splices: Sequence[Splice], after: str, path: str) -> Any:
    """Return the first event of the result that is not that of *parsed* with *splices* made; None proves them."""
    try:
        if all(splice.value is not None for splice in splices):
            return _first_other_value(parsed.events, splices, after)
        found = scalars.outlined(after, "", path).events
    except YAMLError as error:
        raise _unproved("the result would not be YAML", path, scalars.not_yaml(error, after, path).line) from None
    except EditError as error:
        raise _unproved("the result would not be YAML", path, error.line) from None
    expected = _expected(parsed, splices)
    pairs = zip(found, expected, strict=False)
    others = (event for event, old in pairs if _SIGN[type(event)](event) != old)
    return next(others, None if len(found) == len(expected) else found[-1])


def _first_other_value(before: list[Any], splices: Sequence[Splice], after: str) -> Any:
    """Compare event by event where only values change: the everyday case, all that `_SIGN` says without its tuples.

    The result is read no further than it is proved, so that it nests no deeper than the text before and has no more events.
    """
    expected = before.copy()
    for splice in splices:
        expected[splice.at] = _Value(splice.value or "", before[splice.at])
    found: Iterator[Any] = iter(CParser(after).get_event, None)
    for old, new in zip(expected, found, strict=True):
        kind = type(new)
        if kind is not type(old):
            is_other = type(old) is not _Value or old != _SIGN[kind](new)
        elif kind is ScalarEvent:
            is_other = new.value != old.value or new.implicit != old.implicit or new.tag != old.tag or new.anchor != old.anchor
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            is_other = new.implicit != old.implicit or new.tag != old.tag or new.anchor != old.anchor
        else:
            is_other = kind in _TELLING and _SIGN[kind](new) != _SIGN[kind](old)
        if is_other:
            return new
    return None


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
