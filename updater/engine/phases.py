"""Contains when within its interval everything is due: one phase for all that shares a destination, another for each other.

Images of one destination are scanned together, so that what was pushed together is found together. Destinations are spread
over two fifths of the interval, so that registries and Git servers are not asked all at once.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from updater.inventory.plan import Plan
from updater.model.scan_key import ScanKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from updater.model.subscription import Destination

    What = ScanKey | Destination
    Waiting = Mapping[ScanKey, tuple[Destination, ...]]

EARLIEST: Final = 0.8  # of an interval: what was scanned at the start is next scanned about an interval later
WIDTH: Final = 0.4
MANY: Final = 100
STEP: Final = 0.02
WIDEST: Final = 0.1  # of an interval
ROOM: Final = 1000
EMPTY: Final = Plan(images={}, destinations={}, waiting={})


@dataclass(slots=True)
class _Group:
    """What shares destinations: a time at which it is due, how many images it has, and the interval of the first of it."""

    at: float
    seconds: float
    images: int = 0

    @property
    def parts(self) -> int:
        """In how many parts it is due; rarely another number while it grows."""
        return 1 << ((self.images - 1) // MANY).bit_length() if self.images else 1


@dataclass(slots=True)
class Phases:
    """The phase of everything in a plan, as a time at which it is due; times before and after are whole intervals away.

    *spread* gives numbers from 0 to 1. Phases stay when the plan changes, except where a shared image joins two groups; what
    was joined stays so. Of a group of very many images some are due a little later, and the destination after all of them.
    Only what changed is looked at: there may be 5,000 of each, and hashing them all takes longer than the rest of a plan.
    """

    spread: Callable[[], float]
    _plan: Plan = EMPTY
    _above: dict[What, What] = field(default_factory=dict)
    _groups: dict[What, _Group] = field(default_factory=dict)

    def fit(self, plan: Plan, now: float) -> frozenset[What]:
        """Return everything in *plan* a phase; returns what has another one than before. *now* is in seconds since 1970."""
        before, self._plan = self._plan, plan
        if len(self._above) > 2 * len(plan.destinations) + ROOM:
            self._forget(plan)
            before = EMPTY
        parts = {root: group.parts for root, group in self._groups.items() if group.images > MANY}
        moved: set[What] = set()
        for destination in plan.destinations.keys() - before.destinations.keys():
            self._group_of(destination, plan.destinations[destination], now)
        for _, destinations in _changed(before.waiting, plan.waiting):
            moved.update(self._join(destinations))
        for listed in plan.images.keys() - before.images.keys():
            self._group_of(self._first(listed), plan.images[listed], now).images += 1
        for listed in before.images.keys() - plan.images.keys():
            self._leave(listed, before.waiting)
        moved |= {root for root, group in self._groups.items() if group.images > MANY and parts.get(root, 1) != group.parts}
        if not moved:
            return frozenset()
        return frozenset(what for what in (*plan.images, *plan.destinations) if self._top(self._first(what)) in moved)

    def of(self, what: What) -> float:
        """Return a time at which *what* is due, in seconds since 1970."""
        group = self._groups[self._top(self._first(what))]
        if group.parts == 1:
            return group.at
        step = min(STEP, WIDEST * group.seconds / group.parts)
        part = zlib.crc32(str(what).encode()) % group.parts if isinstance(what, ScanKey) else group.parts
        return group.at + step * part

    def _first(self, what: What) -> What:
        """Return a destination that waits for an image; the image itself where none does."""
        destinations = self._plan.waiting.get(what, ()) if isinstance(what, ScanKey) else ()
        return destinations[0] if destinations else what

    def _top(self, what: What) -> What:
        while (parent := self._above.get(what)) is not None:
            what = parent
        return what

    def _group_of(self, what: What, seconds: float, now: float) -> _Group:
        root = self._top(what)
        if root not in self._groups:
            self._groups[root] = _Group(at=now + (EARLIEST + WIDTH * self.spread()) * seconds, seconds=seconds)
        return self._groups[root]

    def _join(self, destinations: tuple[Destination, ...]) -> Iterator[What]:
        """Make one group of all *destinations*; return each that others were joined to."""
        if len(destinations) < 2:
            return
        known = [root for root in dict.fromkeys(map(self._top, destinations)) if root in self._groups]
        if len(known) < 2:
            return
        largest = max(known, key=lambda root: self._groups[root].images)
        for root in known:
            if root != largest:
                self._above[root] = largest
                self._groups[largest].images += self._groups.pop(root).images
        yield largest

    def _leave(self, listed: ScanKey, waiting: Waiting) -> None:
        destinations = waiting.get(listed, ())
        root = self._top(destinations[0] if destinations else listed)
        if not destinations:
            self._groups.pop(root, None)
        elif root in self._groups:
            self._groups[root].images -= 1

    def _forget(self, plan: Plan) -> None:
        """Let go of destinations that left, and of what only they had joined; phases stay."""
        kept = {what: self._groups.get(self._top(what)) for what in plan.destinations}
        self._above.clear()
        self._groups = {what: _Group(at=group.at, seconds=group.seconds) for what, group in kept.items() if group is not None}


def _changed(before: Waiting, after: Waiting) -> Iterator[tuple[ScanKey, tuple[Destination, ...]]]:
    """Return what waits for other destinations than *before*; the same objects in the same order cost nothing."""
    old = iter(before.items())
    for listed, destinations in after.items():
        known, had = next(old, (None, None))
        if (known is listed and had is destinations) or before.get(listed) == destinations:
            continue
        yield listed, destinations
