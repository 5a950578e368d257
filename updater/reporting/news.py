"""Which outcomes say something new: a state counts once, not at every pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.model.text import without_waits

if TYPE_CHECKING:
    from collections.abc import Collection

    from updater.model.outcome import Outcome, Status

_State = tuple["Status", "str | None", str]


class News:
    """Remembers the last state of each target."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], _State] = {}

    def take(self, outcome: Outcome) -> bool:
        """Remember an outcome; return whether it says something new."""
        is_news = self.has(outcome)
        self._states[outcome.key, outcome.target] = state_of(outcome)
        return is_news

    def has(self, outcome: Outcome) -> bool:
        """Return whether an outcome says something new: another state, or a commit. Nothing is remembered."""
        return bool(outcome.revision) or self._states.get((outcome.key, outcome.target)) != state_of(outcome)

    def keep(self, keys: Collection[str]) -> None:
        """Forget every subscription but *keys*."""
        self._states = {place: state for place, state in self._states.items() if place[0] in keys}


def state_of(outcome: Outcome) -> _State:
    """Return what tells one state of a target from another."""
    return outcome.status, outcome.code, without_waits(outcome.detail)
