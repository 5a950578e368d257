"""Whether the subscriptions of a file can follow each other as they say."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from updater.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from updater.model.subscription import Subscription


def impossible_promotions(subscriptions: Sequence[Subscription], *, is_all: bool) -> Iterator[Problem]:
    """Refuse who follows nobody, or itself, or one of whom nobody knows how it runs; *is_all* where no cluster has others."""
    known = {item.key: item for item in subscriptions}
    for item in subscriptions:
        if (follows := item.gates.follows) is None:
            continue
        key, found = follows.subscription, known.get(follows.subscription)
        cycle = _cycle(item, known)
        if cycle:
            chain = " → ".join((*cycle, cycle[0]))
            yield _problem(item, f"subscriptions follow each other: {chain}", "let the first one follow nobody")
        elif found is None and is_all:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "name the key of another subscription"
            yield _problem(item, f"there is no subscription {key!r}", hint)
        elif found is not None and found.delivery is None:
            hint = f"add delivery: {{workload: …}} to {key}"
            yield _problem(item, f"{key} has no delivery, so that nobody knows how it runs", hint)


def _cycle(item: Subscription, known: Mapping[str, Subscription]) -> tuple[str, ...]:
    """Return the chain by which *item* follows itself, empty where it does not."""
    chain = [item.key]
    while (further := known.get(chain[-1])) is not None and further.gates.follows is not None:
        key = further.gates.follows.subscription
        if key == item.key:
            return tuple(chain)
        if key in chain:
            return ()  # those of the cycle are told
        chain.append(key)
    return ()


def _problem(item: Subscription, message: str, hint: str) -> Problem:
    origin, said = item.origin, f"{item.key}: gates.follows.subscription: {message}"
    return Problem(path=origin.name, line=origin.line, code="follows", message=said, hint=hint, origin=item.key)
