"""How the gates of the settings become the rules of a subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.model.gates import MOST_COUNTED, NO_GATES, GateRules, UpdateWindow
from updater.model.problem import Problem
from updater.model.release import BUSY_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from updater.model.gates import ChangeRate
    from updater.model.release import DeliveryOptions
    from updater.model.subscription import Subscription
    from updater.settings.gates import GateDefaults, GateSettings


def gates_of(
    own: GateSettings, defaults: GateDefaults, delivery: DeliveryOptions | None = None, *, is_live: bool = False
) -> GateRules:
    """Return the rules of one subscription: what it says itself, null included, and the *defaults* for the rest.

    What *delivery* follows may be in progress. A live Application remembers few changes: a larger default does not count for it.
    """
    may_be_busy = delivery is not None and (delivery.workload is None or delivery.workload.kind in BUSY_KINDS)

    def source(name: str) -> GateDefaults:
        return own if name in own.model_fields_set else defaults

    if not (own.model_fields_set or defaults.model_fields_set or may_be_busy):
        return NO_GATES
    rate = source("max_changes").max_changes
    windows = tuple(
        UpdateWindow(kind=item.kind, schedule=item.schedule, duration=item.duration, time_zone=item.time_zone)
        for item in source("windows").windows
    )
    return GateRules(
        min_age=source("min_age").min_age,
        windows=windows,
        max_changes=None if is_live and "max_changes" not in own.model_fields_set and is_uncounted(rate) else rate,
        coalesce=source("coalesce").coalesce,
        group=own.group,
        follows=own.follows.follows() if own.follows is not None else None,
        wait_while_busy=may_be_busy and source("wait_while_busy").wait_while_busy is not False,
    )


def is_uncounted(rate: ChangeRate | None) -> bool:
    """Return whether a live Application does not remember as many changes."""
    return rate is not None and rate.count > MOST_COUNTED


def impossible_gates(subscriptions: Sequence[Subscription]) -> Iterator[Problem]:
    """Refuse gates that nothing could decide."""
    for item in subscriptions:
        if is_uncounted(item.gates.max_changes) and any(target.destination.method != "git" for target in item.targets):
            message = f"gates.max_changes: of a live Application {MOST_COUNTED} changes are counted at most"
            yield _problem(item, "rate", message, "name a shorter time with fewer changes, or null")
    yield from _impossible_groups(subscriptions)


def _impossible_groups(subscriptions: Sequence[Subscription]) -> Iterator[Problem]:
    """Refuse a group that one commit could not move, and one of a single member."""
    groups: dict[str, list[Subscription]] = {}
    for item in subscriptions:
        if item.gates.group is not None:
            groups.setdefault(item.gates.group, []).append(item)
    for name, members in groups.items():
        first = members[0]
        if len(members) == 1:
            message = f"gates.group: {name} has no other member"
            yield _problem(first, "group", message, f"name group: {name} at another subscription too, or take it out")
        for item in members[1:]:
            if {target.destination for target in item.targets} != {target.destination for target in first.targets}:
                message = f"gates.group: {item.key} and {first.key} are members of {name} and do not write the same branches"
                hint = "one commit moves a group: let its members write the same branches, pull requests by per: group"
                if any(target.destination.method != "git" for each in (item, first) for target in each.targets):
                    message = (
                        f"gates.group: {item.key} and {first.key} are members of {name} and do not write the same Application"
                    )
                    hint = "one patch moves a group: let its members write one live Application, or all of them one branch of Git"
                yield _problem(item, "group", message, hint)


def _problem(item: Subscription, code: str, message: str, hint: str) -> Problem:
    origin = item.origin
    return Problem(path=origin.name, line=origin.line, code=code, message=f"{item.key}: {message}", hint=hint, origin=item.key)
