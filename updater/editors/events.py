"""Read events from the YAML parser within bounds that hold for every text.

The parser's time grows with the number of events times the depth that is open, so both are looked at on the way,
not when all events are made.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any, Final

from yaml._yaml import CParser
from yaml.events import MappingEndEvent, MappingStartEvent, SequenceEndEvent, SequenceStartEvent

_CHUNK: Final = 256  # counted in one go; so much deeper than allowed is what was parsed at most
_STARTS: Final = frozenset({MappingStartEvent, SequenceStartEvent})
_ENDS: Final = frozenset({MappingEndEvent, SequenceEndEvent})


def pull(text: str, *, depth: int, count: int) -> tuple[list[Any], Any]:
    """Return the events of *text*, and the one that nests deeper than *depth* where that ended the reading, else None.

    Ends also soon after *count* events. Raise what PyYAML raises where the text is no YAML.
    """
    events: list[Any] = []
    level = 0
    stream = iter(CParser(text).get_event, None)
    while chunk := list(islice(stream, _CHUNK)):
        events += chunk
        kinds = Counter(map(type, chunk))
        level += sum(kinds[kind] for kind in _STARTS) - sum(kinds[kind] for kind in _ENDS)
        if level > depth:
            return events, _first_deeper(events, depth)
        if len(events) >= count:
            break
    return events, None


def _first_deeper(events: list[Any], depth: int) -> Any:
    level = 0
    for event in events:
        kind = type(event)
        level += (kind in _STARTS) - (kind in _ENDS)
        if level > depth:
            return event
    return events[-1]  # pragma: no cover - it is asked only where one is deeper
