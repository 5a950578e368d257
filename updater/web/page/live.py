"""What open pages are sent when something happens: the rows that changed, the news, the counts; made once for all of them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from updater.web.page.rendering import STATES, macro, row_id, state_link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from updater.web.api import Fleet
    from updater.web.events import FleetEvent
    from updater.web.fleet import FleetRow

#: with more changes than this a page is told to ask for its rows again: it shows only some of them
MOST_ROWS: Final = 200
MOST_NEWS: Final = 50
_MOST_KEPT: Final = 32
RESET: Final = "reset"
CHANGED: Final = "changed"


class LiveFrames:
    """Makes the frames of *fleet* for each run of events. Pages that are told the same share the bytes."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._made: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    async def render(self, request: web.Request, events: Sequence[FleetEvent]) -> bytes:
        """Return the frames that tell *events*, which are not none: of one subscription where the request names its key."""
        number = f"{self._fleet.events.run}-{events[-1].number}"
        key = request.query.get("key")
        if key is not None:
            is_about = any(event.key in {key, ""} for event in events)
            return framed(number, CHANGED, "") if is_about else b": other news\n\n"
        span = events[0].number, events[-1].number
        if span not in self._made:
            made = await self._frames(number, events)
            self._made[span] = made
            if len(self._made) > _MOST_KEPT:
                self._made.popitem(last=False)
        return self._made[span]

    async def _frames(self, number: str, events: Sequence[FleetEvent]) -> bytes:
        now, keys = datetime.now(UTC), {event.key for event in events if event.key}
        if len(keys) > MOST_ROWS:
            parts = [framed(number, RESET, "{}")]
        else:
            rows = await self._fleet.rows_of(sorted(keys))
            parts = [framed(number, row_id(row.key), _row(row, now)) for row in rows]
        news = "".join(macro("parts.html", "event", event, now) for event in reversed(events[-MOST_NEWS:]))
        counts = await self._fleet.counts()
        counted = macro("parts.html", "counted", STATES, Counter(counts), {state: state_link(state) for state in STATES}, ())
        return b"".join([*parts, framed(number, "news", news), framed(number, "counts", counted)])


def framed(number: str, kind: str, text: str) -> bytes:
    """Return one event of a stream; an empty one is sent too, as browsers drop events without data."""
    data = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"id: {number}\nevent: {kind}\n{data}\n".encode("utf-8", "replace")


def _row(row: FleetRow, now: datetime) -> str:
    return macro("parts.html", "row", row, now, True)
