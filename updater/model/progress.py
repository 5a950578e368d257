"""How far a canary has come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a canary has come, as its controller says it; None where it does not.

    *step* of *steps* is under way, counted from 1. *weight* is the share of traffic in percent. *words* say what the controller
    does or waits for. *plan* is every step in words, empty where there are too many to show.
    """

    step: int | None = None
    steps: int | None = None
    weight: int | None = None
    words: str = ""
    plan: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"step {self.step} of {self.steps}" if self.step is not None and self.steps is not None else ""
        share = f"{self.weight} % of traffic" if self.weight is not None else ""
        place = ", ".join(part for part in (where, share) if part)
        return ": ".join(part for part in (place, self.words) if part)
