"""What was written to live Applications and taken back by somebody, and for how long it is let be.

An Application that is itself kept in Git is set back within seconds, and writing it again would roll its pods back and forth.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.errors import KubeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from updater.model.subscription import LiveApplication
    from updater.model.update import Change

FIRST_PAUSE: Final = 120.0
LONGEST_PAUSE: Final = 3600.0
MOST_REMEMBERED: Final = 16_384


@dataclass(frozen=True, slots=True)
class _Move:
    old: str
    new: str
    at: float
    pause: float


class RevertedWrites:
    """Remembers the last value written to each place; *clock* counts seconds. A restart forgets, and tries once more."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._moves: OrderedDict[tuple[LiveApplication, str, str], _Move] = OrderedDict()

    def wrote(self, application: LiveApplication, changes: Iterable[Change]) -> None:
        """Note that *changes* were written; one that is written again lets the next pause be twice as long."""
        for change in changes:
            key = (application, change.path, change.where)
            before = self._moves.pop(key, None)
            is_again = before is not None and (before.old, before.new) == (change.old, change.new)
            pause = min(before.pause * 2, LONGEST_PAUSE) if before is not None and is_again else FIRST_PAUSE
            self._moves[key] = _Move(change.old, change.new, self._clock(), pause)
            if len(self._moves) > MOST_REMEMBERED:
                self._moves.popitem(last=False)

    def is_held(self, application: LiveApplication, changes: Iterable[Change]) -> bool:
        """Return whether one of *changes* was written before, was taken back, and its pause is not over."""
        for change in changes:
            move = self._moves.get((application, change.path, change.where))
            if move and (move.old, move.new) == (change.old, change.new) and self._clock() < move.at + move.pause:
                return True
        return False


def undone(application: LiveApplication) -> KubeError:
    """Make the error of a value that somebody took back."""
    message = f"what was written to {application} was reverted: something else keeps this Application as it was"
    hint = "if it is kept in Git itself, write to Git: write-back-method: git; it is tried again after longer and longer pauses"
    return KubeError(message, hint=hint, code="undone")
