"""Knows what subscriptions make due: which images, which destinations, how often, and who waits for whom."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from updater.model.listed import listed_for
from updater.model.subscription import GitBranch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.model.listed import Listed
    from updater.model.subscription import Destination, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When what is due: seconds by image and by destination, and which destinations wait for which image.

    *rebuilt* are the destinations whose branch is made anew from its base at each landing: they never land
    before each of their images was scanned or failed.
    """

    images: Mapping[Listed, float]
    destinations: Mapping[Destination, float]
    waiting: Mapping[Listed, tuple[Destination, ...]]
    rebuilt: frozenset[Destination] = frozenset()


def plan_for(subscriptions: Iterable[Subscription]) -> Plan:
    """Plan each image and each destination as often as the most frequent of its subscriptions wants."""
    images: dict[Listed, float] = {}
    destinations: dict[Destination, float] = {}
    waiting: defaultdict[Listed, dict[Destination, None]] = defaultdict(dict)
    for subscription in subscriptions:
        listed, interval = listed_for(subscription), subscription.interval
        images[listed] = min(interval, images.get(listed, interval))
        for target in subscription.targets:
            waiting[listed][target.destination] = None
            destinations[target.destination] = min(interval, destinations.get(target.destination, interval))
    return Plan(
        images=images,
        destinations=destinations,
        waiting={listed: tuple(found) for listed, found in waiting.items()},
        rebuilt=rebuilt(destinations),
    )


def rebuilt(destinations: Iterable[Destination]) -> frozenset[Destination]:
    """Name the destinations whose branch is made anew from its base at each landing."""
    return frozenset(item for item in destinations if isinstance(item, GitBranch) and item.push != item.branch)


def changed_between(before: Iterable[Subscription], after: Iterable[Subscription]) -> frozenset[Destination]:
    """Name the destinations of subscriptions that came, went or changed; those that are the same object cost next to nothing."""
    old, new = {id(item): item for item in before}, {id(item): item for item in after}
    left = {item.key: item for mark, item in old.items() if mark not in new}
    came = {item.key: item for mark, item in new.items() if mark not in old}
    keys = [key for key in {**left, **came} if left.get(key) != came.get(key)]
    found = [item for key in keys for item in (left.get(key), came.get(key)) if item is not None]
    return frozenset(target.destination for item in found for target in item.targets)
