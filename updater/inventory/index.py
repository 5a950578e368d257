"""The subscriptions in force by image and by destination, and their plan: a change costs what changed, no more."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from updater.inventory.destinations import destinations_of
from updater.inventory.plan import Plan
from updater.model.scan_key import scan_key_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from updater.model.scan_key import ScanKey
    from updater.model.snapshot import ScanRequest
    from updater.model.subscription import Destination, Subscription

_Place = TypeVar("_Place")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexDelta:
    """The images and destinations whose subscriptions are others now, perhaps none."""

    images: frozenset[ScanKey] = frozenset()
    destinations: frozenset[Destination] = frozenset()


class SubscriptionIndex:
    """The subscriptions of each image and of each destination, in the order in which they are asked for.

    A subscription is the same while it is the very same object. Images that are scanned for their own sake are in `by_image`
    too, of some with no subscription; those that are named by a fixed policy are not.
    """

    def __init__(self, subscriptions: Iterable[Subscription] = (), scans: Iterable[ScanRequest] = ()) -> None:
        self.by_image: dict[ScanKey, tuple[Subscription, ...]] = {}
        self.by_destination: dict[Destination, tuple[Subscription, ...]] = {}
        self.scans: dict[ScanKey, tuple[ScanRequest, ...]] = {}
        self._known: dict[int, Subscription] = {}
        self._plan = Plan(images={}, destinations={}, waiting={})
        self._is_complete = True
        self._stale_images: set[ScanKey] = set()
        self._stale_destinations: set[Destination] = set()
        self.take(subscriptions, scans)

    def take(self, subscriptions: Iterable[Subscription], scans: Iterable[ScanRequest] = ()) -> IndexDelta:
        """Put *subscriptions*, each with a key of its own, and *scans* in the place of those before; say what that changes."""
        asked, fresh = self._take_scans(scans), self._take_subscriptions(subscriptions)
        self._stale_images |= asked | fresh.images
        self._stale_destinations |= fresh.destinations
        return IndexDelta(images=fresh.images | asked, destinations=fresh.destinations)

    def _take_scans(self, scans: Iterable[ScanRequest]) -> frozenset[ScanKey]:
        found: defaultdict[ScanKey, list[ScanRequest]] = defaultdict(list)
        for scan in scans:
            found[scan.listed].append(scan)
        before, self.scans = self.scans, {listed: tuple(those) for listed, those in found.items()}
        if before == self.scans:
            return frozenset()
        return frozenset(key for key in {*before, *self.scans} if before.get(key) != self.scans.get(key))

    def _take_subscriptions(self, subscriptions: Iterable[Subscription]) -> IndexDelta:
        # what is known is alive, so its id is nobody else's
        before, self._known = self._known, {id(item): item for item in subscriptions}
        gone = [item for number, item in before.items() if number not in self._known]
        new = [item for number, item in self._known.items() if number not in before]
        if not gone and not new:
            return IndexDelta()
        ranks = {number: rank for rank, number in enumerate(self._known)}
        images = _settle(self.by_image, (gone, new), ranks, _images_of)
        destinations = _settle(self.by_destination, (gone, new), ranks, lambda item: destinations_of([item]))
        return IndexDelta(images=frozenset(images), destinations=frozenset(destinations))

    def plan(self, *, is_complete: bool) -> Plan:
        """Return the schedule of what is asked for.

        While not every source was heard (*is_complete* is false), no branch is planned that is made anew at each landing: it
        would drop what the missing ones hold there.
        """
        if is_complete != self._is_complete:
            self._is_complete = is_complete
            self._stale_images |= self.by_image.keys() | self.scans.keys()
            self._stale_destinations |= self.by_destination.keys()
        if self._stale_images or self._stale_destinations:
            self._plan = self._planned(self._plan)
            self._stale_images, self._stale_destinations = set(), set()
        return self._plan

    def _planned(self, before: Plan) -> Plan:
        images, destinations, waiting = dict(before.images), dict(before.destinations), dict(before.waiting)
        for listed in self._stale_images:
            items = self.by_image.get(listed, ())
            intervals = [*(item.interval for item in items), *(scan.interval for scan in self.scans.get(listed, ()))]
            _note(images, listed, min(intervals, default=0.0))
            _note(waiting, listed, tuple(filter(self._is_planned, destinations_of(items))))
        for destination in self._stale_destinations:
            items = self.by_destination.get(destination, ()) if self._is_planned(destination) else ()
            _note(destinations, destination, _shortest(items, destination))
        rebuilt = (before.rebuilt - self._stale_destinations) | frozenset(
            item for item in self._stale_destinations if item in destinations and item.is_rebuilt
        )
        return Plan(images=images, destinations=destinations, waiting=waiting, rebuilt=rebuilt)

    def _is_planned(self, destination: Destination) -> bool:
        return self._is_complete or not destination.is_rebuilt


def _images_of(item: Subscription) -> tuple[ScanKey, ...]:
    return () if item.is_fixed else (scan_key_for(item),)


def _settle(
    index: dict[_Place, tuple[Subscription, ...]],
    change: tuple[Sequence[Subscription], Sequence[Subscription]],
    ranks: Mapping[int, int],
    places_of: Callable[[Subscription], Iterable[_Place]],
) -> set[_Place]:
    """Take those that are gone out of *index* and put the new ones into it; return the places where that changed anything."""
    gone, new = change
    touched: defaultdict[_Place, list[Subscription]] = defaultdict(list)
    for item in new:
        for place in places_of(item):
            touched[place].append(item)
    for item in gone:
        for place in places_of(item):
            touched.setdefault(place, [])
    changed = set()
    for place, items in touched.items():
        before = index.get(place, ())
        kept = [item for item in before if id(item) in ranks]
        made = tuple(sorted((*kept, *items), key=lambda item: ranks[id(item)]))
        if made != before:
            changed.add(place)
        _note(index, place, made)
    return changed


def _note(mapping: dict[_Place, _Value], place: _Place, value: _Value) -> None:
    """Note a value; one that says nothing is none."""
    if value:
        mapping[place] = value
    else:
        mapping.pop(place, None)


def _shortest(items: Iterable[Subscription], destination: Destination) -> float:
    """Return every how many seconds *destination* is due: as often as the most impatient target on it wants."""
    targets = (target for item in items for target in item.targets if target.destination == destination)
    return min((target.interval for target in targets), default=0.0)
