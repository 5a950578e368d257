"""The whole of what one source asks for at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from updater.model.problem import Problem
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Destination, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """An image that is scanned every *interval* seconds for its own sake, whoever subscribes to it.

    *timeout* is how many seconds a scan may take, None what the settings say.
    """

    listed: ScanKey
    interval: float
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Every subscription of a source, and every problem; never a delta. *complete* is false until all was read.

    *scans* are images that are scanned for their own sake.
    """

    subscriptions: tuple[Subscription, ...] = ()
    scans: tuple[ScanRequest, ...] = ()
    problems: tuple[Problem, ...] = ()
    complete: bool = True

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """The distinct destinations, in the order in which they are named first."""
        return tuple(dict.fromkeys(target.destination for item in self.subscriptions for target in item.targets))
