"""The whole of what one source asks for at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from updater.model.problem import Problem
    from updater.model.subscription import Destination, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Every subscription of a source, and every problem; never a delta. *complete* is false until all was read."""

    subscriptions: tuple[Subscription, ...] = ()
    problems: tuple[Problem, ...] = ()
    complete: bool = True

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """The distinct destinations, in the order in which they are named first."""
        return tuple(dict.fromkeys(target.destination for item in self.subscriptions for target in item.targets))
