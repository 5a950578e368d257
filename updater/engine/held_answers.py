"""Answers of the gates that stay as they are: everything at a destination is held by a person or by a window.

Such an answer hangs on the decisions, on what was proposed before, and on the moment. It is remembered with the moment at which
the first window opens, and given again as long as all of that is the same: what is held and unchanged costs no gate anything.
Every other answer hangs on more (our own commits, rollouts, who waits for whom), and is made anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, TypeAlias

from updater.gates.answers import Gate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.engine.decide import TargetDecision
    from updater.gates.answers import GateHold
    from updater.model.subscription import Destination
    from updater.model.view import Reading, View

_LASTING: Final = frozenset({Gate.HOLD, Gate.WINDOW})
#: an answer that nobody asked for again within this time is dropped: its destination may be gone
_IDLE: Final = 3600.0
_FEW: Final = 1024
#: the moment of an answer, and the one until which it holds
Span: TypeAlias = tuple[float, float]


@dataclass(slots=True)
class _Answer:
    """What was asked, and what was answered; it holds from *begins* until *ends*. *used* is when it was last given."""

    asked: tuple[TargetDecision, ...]
    pending: Mapping[tuple[str, int], tuple[Reading, ...]]
    answered: tuple[TargetDecision, ...]
    begins: float
    ends: float
    used: float


class HeldAnswers:
    """The last answer for each destination at which everything is held. Lost with the process: it is made anew."""

    def __init__(self) -> None:
        self._answers: dict[Destination, _Answer] = {}
        self._swept_at = _FEW

    def get(self, view: View, asked: tuple[TargetDecision, ...], now: float) -> tuple[TargetDecision, ...] | None:
        """Return what was answered before to the same question; None where it has to be asked anew."""
        known = self._answers.get(view.destination)
        if known is None:
            return None
        if known.begins <= now < known.ends and known.asked == asked and known.pending == view.pending:
            known.used = now
            return known.answered
        del self._answers[view.destination]
        return None

    def note(self, view: View, asked: tuple[TargetDecision, ...], answered: tuple[TargetDecision, ...], span: Span) -> None:
        """Remember an answer that holds for *span*."""
        now, ends = span
        self._answers[view.destination] = _Answer(asked, view.pending, answered, now, ends, now)
        if len(self._answers) > self._swept_at:
            kept = {place: item for place, item in self._answers.items() if now < item.ends and now - item.used < _IDLE}
            self._answers, self._swept_at = kept, max(_FEW, 2 * len(kept))

    def __len__(self) -> int:
        return len(self._answers)


def lasts_until(holds: Iterable[GateHold | None]) -> float | None:
    """Return until when *holds*, of all who ask, stay as they are; None where that hangs on more than the moment.

    What people hold back stays until they decide otherwise, and their decisions are part of the question.
    """
    ends: float | None = None
    for hold in holds:
        if hold is None or hold.gate not in _LASTING or (hold.gate is Gate.WINDOW and hold.opens_at is None):
            return None
        until = hold.opens_at if hold.gate is Gate.WINDOW and hold.opens_at is not None else inf
        ends = until if ends is None else min(ends, until)
    return ends
