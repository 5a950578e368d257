"""How what people decided joins what sources ask for: each subscription gets the decisions about its key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from updater.model.decision import Decisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.model.decision import Decision
    from updater.model.problem import Problem
    from updater.model.snapshot import Snapshot
    from updater.model.subscription import Subscription


class DecidedSubscriptions:
    """Adds decisions to the subscriptions of one snapshot after the other, and returns the same objects for the same.

    Without decisions a snapshot is itself.
    """

    def __init__(self) -> None:
        self._decisions = Decisions()
        self._problems: tuple[Problem, ...] = ()
        self._made: dict[int, tuple[Subscription, tuple[Decision, ...], Subscription]] = {}

    def put(self, decisions: Decisions, problems: Sequence[Problem] = ()) -> None:
        """Take *decisions* in place of those before, and what is wrong with their text."""
        self._decisions, self._problems = decisions, tuple(problems)

    def __call__(self, snapshot: Snapshot) -> Snapshot:
        """Return *snapshot* with the decisions about each of its subscriptions, beside those that its own object holds."""
        if not self._decisions.by_key and not self._decisions.for_all and not self._problems:
            self._made.clear()
            return snapshot
        before, self._made = self._made, {}
        decided = tuple(self._with_decisions(item, before) for item in snapshot.subscriptions)
        return replace(snapshot, subscriptions=decided, problems=(*snapshot.problems, *self._problems))

    def _with_decisions(
        self, item: Subscription, before: dict[int, tuple[Subscription, tuple[Decision, ...], Subscription]]
    ) -> Subscription:
        decisions = self._decisions.about(item.key)
        if not decisions:
            return item
        known = before.get(id(item))  # what is kept is alive, so its id is nobody else's
        if known is None or known[0] is not item or known[1] != decisions:
            known = (item, decisions, replace(item, decisions=(*item.decisions, *decisions)))
        self._made[id(item)] = known
        return known[2]
