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
        """Remember an outcome; return whether it says something new: another state, or a commit."""
        place, now = (outcome.key, outcome.target), state_of(outcome)
        is_news = bool(outcome.revision) or self._states.get(place) != now
        self._states[place] = now
        return is_news

    def keep(self, keys: Collection[str]) -> None:
        """Forget every subscription but *keys*."""
        self._states = {place: state for place, state in self._states.items() if place[0] in keys}


def state_of(outcome: Outcome) -> _State:
    """Return what tells one state of a target from another."""
    return outcome.status, outcome.code, without_waits(outcome.detail)
