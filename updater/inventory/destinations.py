"""What lands together, from what subscriptions say."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from updater.inventory.branch_writers import repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from updater.model.subscription import Destination, GitBranch, Subscription


def destinations_of(subscriptions: Iterable[Subscription]) -> tuple[Destination, ...]:
    """Name each destination once, in the order in which they are met."""
    return tuple(dict.fromkeys(target.destination for item in subscriptions for target in item.targets))


def by_destination(subscriptions: Iterable[Subscription]) -> dict[Destination, tuple[Subscription, ...]]:
    """Return the subscriptions of each destination, each once."""
    found: defaultdict[Destination, dict[str, Subscription]] = defaultdict(dict)
    for item in subscriptions:
        for target in item.targets:
            found[target.destination][item.key] = item
    return {destination: tuple(items.values()) for destination, items in found.items()}


def branches_of(destinations: Iterable[Destination]) -> tuple[GitBranch, ...]:
    """Return the Git branches among *destinations*."""
    return tuple(item for item in destinations if item.method == "git")


def with_companions(chosen: Sequence[Subscription], known: Sequence[Subscription]) -> tuple[Subscription, ...]:
    """Add to *chosen* who has to come along.

    That is who belongs to the same group, which moves as a whole, and who writes the same rebuilt branches: a landing without
    them would drop what they hold.
    """
    groups = {item.gates.group for item in chosen if item.gates.group is not None}
    whole = tuple(dict.fromkeys((*chosen, *(item for item in known if groups and item.gates.group in groups))))
    rebuilt = {destination for destination in destinations_of(whole) if destination.is_rebuilt}
    companions = (item for item in known if any(target.destination in rebuilt for target in item.targets))
    return tuple(dict.fromkeys((*whole, *companions)))


def marker_names(subscriptions: Iterable[Subscription]) -> frozenset[str]:
    """Name every marker that somebody subscribed to."""
    return frozenset(
        target.locator.name
        for subscription in subscriptions
        for target in subscription.targets
        if target.editor == "marker" and target.locator.name
    )


def unnamed_beside_named(destinations: Iterable[Destination]) -> tuple[GitBranch, ...]:
    """Return a branch without a name of each repository of which another branch has one: they may be the same branch."""
    unnamed: dict[object, GitBranch] = {}
    named: set[object] = set()
    for found in branches_of(destinations):
        way = (repository(found.url), found.credential)
        named.add(way) if found.is_named else unnamed.setdefault(way, found)
    return tuple(found for way, found in unnamed.items() if way in named)
