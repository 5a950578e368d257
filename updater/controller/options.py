"""What a controller may write to the cluster, and whom it tells what came of it: everything that the daemon hands over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from updater.http.client import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.errors import KubeError
    from updater.kube.events import EventRecorder


def _always() -> bool:
    return True


def _count_nothing(_kind: str, _result: str) -> None:
    return


def _report_nothing(_subject: str, _error: KubeError) -> None:
    return


@dataclass(slots=True, kw_only=True)
class ControllerOptions:
    """What writing to objects of a cluster needs. Without *events* no Event is recorded.

    *may_write* says whether this replica leads; call `leads` when that was gained: then what is due is written. *count* is
    called for each write with what was written (status, event, finalizer) and ``ok`` or the code of the error, *report* with
    the object and the error where one failed.
    """

    events: EventRecorder | None = None
    may_write: Callable[[], bool] = _always
    count: Callable[[str, str], None] = _count_nothing
    report: Callable[[str, KubeError], None] = _report_nothing
    surroundings: Clock = field(default_factory=Clock)
    _woken: list[Callable[[], None]] = field(default_factory=list, init=False)

    def when_leading(self, wake: Callable[[], None]) -> None:
        """Call *wake* whenever this replica begins to lead."""
        self._woken.append(wake)

    def leads(self) -> None:
        """Let everything be written that is due."""
        for wake in self._woken:
            wake()
