"""What is remembered of releases for as long as the process lives; all of it can be lost, at the price of a report more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from updater.model.image import ImageRef
    from updater.model.promotion import RememberedRuns
    from updater.model.release import BadRelease, RevertOrder


@dataclass(slots=True)
class ReleaseMemory:
    """By subscription key: what was judged and what was healthy last, what is to be taken back, and what is bad.

    *runs* are the healthy times of followed subscriptions.
    """

    judged: dict[str, str] = field(default_factory=dict)
    healthy: dict[str, ImageRef] = field(default_factory=dict)
    orders: dict[str, RevertOrder] = field(default_factory=dict)
    bad: dict[str, BadRelease] = field(default_factory=dict)
    runs: tuple[RememberedRuns, ...] = ()
