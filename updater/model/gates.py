"""The rules by which a subscription waits before it is written: minimum age, windows, a rate, a delay, a group."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from updater.model.promotion import Follows


class WindowKind(StrEnum):
    """Whether a window lets updates through or keeps them back."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWindow:
    """A recurring span of wall-clock time: it begins when *schedule* (five cron fields) matches in *time_zone*.

    *duration* is in seconds of the wall clock: a window from 22:00 for 8 h ends at 06:00, also in a night in which clocks change.
    """

    kind: WindowKind
    schedule: str
    duration: float
    time_zone: str = "UTC"

    def __str__(self) -> str:
        hours, minutes = divmod(round(self.duration / 60), 60)
        length = f"{hours}h{minutes}m" if hours and minutes else f"{hours}h" if hours else f"{minutes}m"
        return f'{self.kind.value} window "{self.schedule}" for {length} ({self.time_zone})'


#: how many changes of a live Application are remembered on it
MOST_COUNTED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRate:
    """At most *count* changes in *seconds*."""

    count: int
    seconds: float
    unit: str = "h"

    def __str__(self) -> str:
        return f"{self.count}/{self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What must hold before an image is written; None and empty ask for nothing.

    *min_age* and *coalesce* are in seconds. Members of one *group* move to one version, all of them or none. With
    *wait_while_busy* nothing is written while the rollout or canary of the subscription is in progress. With *follows* only what
    another subscription has run well is written.
    """

    min_age: float | None = None
    windows: tuple[UpdateWindow, ...] = ()
    max_changes: ChangeRate | None = None
    coalesce: float | None = None
    group: str | None = None
    wait_while_busy: bool = False
    follows: Follows | None = None


NO_GATES: Final = GateRules()
