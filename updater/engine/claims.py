"""Who keeps a place that several targets claim: two that wrote it in turn would never end. Pure.

Those that write one destination claim it, and those that propose to the same base: two pull requests that change one line
would conflict with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.model.subscription import Subscription, Target
    from updater.model.view import PastCommit, Reading, View

    Claimant = tuple[str, str, str]


class Claims:
    """The claims on every scalar of a view, by subscription, editor and form: two forms of one subscription differ too."""

    def __init__(self, view: View, subscriptions: Sequence[Subscription]) -> None:
        self._keeper = _Keeper((*subscriptions, *(rival.subscription for rival in view.rivals)), view.recent)
        self._claims = _claims(view, subscriptions)

    def conflict(self, subscription: Subscription, target: Target, reading: Reading) -> Conflict | None:
        """Return why *target* may not write this place, None where it may: one claimant at most keeps it."""
        own = _claimant(subscription, target)
        others = sorted({claim for scalar in reading.scalars for claim in self._claims[reading.path, scalar]} - {own})
        if not others:
            return None
        is_between_subscriptions = all(key != own[0] for key, _, _ in others)
        first = self._keeper.of({own[0], *(key for key, _, _ in others)}) if is_between_subscriptions else None
        if first == own[0]:
            return None
        named = ", ".join(dict.fromkeys(key if key != own[0] else f"its target for {editor}" for key, editor, _ in others))
        detail = f"{reading.path}:{reading.line} is also written by {named}"
        return Conflict(detail) if first is None else Conflict(f"{detail}; {first} keeps it", is_settled=True)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why a target may not write a place; *is_settled* where another one keeps it."""

    detail: str
    is_settled: bool = False


def _claimant(subscription: Subscription, target: Target) -> Claimant:
    return subscription.key, target.editor, target.form.value


def _claims(view: View, subscriptions: Sequence[Subscription]) -> Mapping[tuple[str, str], set[Claimant]]:
    targets = {(item.key, index): _claimant(item, target) for item in subscriptions for index, target in enumerate(item.targets)}
    claims: dict[tuple[str, str], set[Claimant]] = {}
    for place, readings in view.readings.items():
        for reading in readings:
            for scalar in reading.scalars:
                claims.setdefault((reading.path, scalar), set()).add(targets[place])
    for rival in view.rivals:
        for scalar in rival.reading.scalars:
            claims.setdefault((rival.reading.path, scalar), set()).add(_claimant(rival.subscription, rival.target))
    return claims


class _Keeper:
    """Who keeps a place that several subscriptions claim: the file, else the object that wrote before, else the older one."""

    def __init__(self, subscriptions: Sequence[Subscription], recent: Sequence[PastCommit]) -> None:
        self._items = {item.key: item for item in subscriptions}
        self._recent = recent

    def of(self, keys: set[str]) -> str | None:
        """Return the key of the one that keeps the place; None where nothing tells one from the other."""
        items = [self._items[key] for key in keys]
        filed = [item for item in items if item.origin.kind == "file"]
        if filed:
            return filed[0].key if len(filed) == 1 else None
        written = {key for past in self._recent for key in past.subscriptions}
        before = [item for item in items if item.key in written] or items
        first = min(before, key=lambda item: (item.origin.since or "~", item.key))
        own = [item for item in items if item.origin == first.origin]
        is_known = bool(first.origin.since) or len({item.origin for item in before}) == 1
        return first.key if is_known and len(own) == 1 else None  # an object that contradicts itself keeps nothing
