"""What answering is allowed to do, and whom it tells what came of it: everything that the daemon hands over."""

from __future__ import annotations

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


class FeedbackOptions:
    """What answering needs. *events* None tells none, *refresh* False leaves Argo CD to its own rhythm.

    *may_write* says whether this replica leads; call `leads` when that was gained: then what is due is written. *count* is
    called for each write with what was written (status, refresh) and ``ok`` or the code of the error, *report* with the
    object and the error where one failed.
    """

    def __init__(
        self,
        *,
        events: EventRecorder | None = None,
        refresh: bool = True,
        may_write: Callable[[], bool] = _always,
        count: Callable[[str, str], None] = _count_nothing,
        report: Callable[[str, KubeError], None] = _report_nothing,
        surroundings: Clock | None = None,
    ) -> None:
        self.events = events
        self.refresh = refresh
        self.may_write = may_write
        self.count = count
        self.report = report
        self.around = surroundings or Clock()
        self._woken: list[Callable[[], None]] = []

    def when_leading(self, wake: Callable[[], None]) -> None:
        """Call *wake* whenever this replica begins to lead."""
        self._woken.append(wake)

    def leads(self) -> None:
        """Let everything be written that is due."""
        for wake in self._woken:
            wake()
