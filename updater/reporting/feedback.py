"""The listener through which sources hear what became of what they asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from updater.model.report import DestinationLanded, TargetsRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.model.report import Report


class ReportReader(Protocol):
    """A source that answers the objects that asked; see `updater.daemon.components.Source`."""

    def hear(self, report: DestinationLanded | TargetsRefused) -> None:
        """Hear how targets ended; never waits."""


class SourceFeedback:
    """Lets each of *sources* hear how targets ended."""

    name: Final = "feedback"

    def __init__(self, sources: Sequence[ReportReader]) -> None:
        self._sources = sources

    def hear(self, report: Report) -> None:
        """Hand on what is about targets."""
        if isinstance(report, DestinationLanded | TargetsRefused):
            errors: list[Exception] = []
            for source in self._sources:
                try:
                    source.hear(report)
                except Exception as error:  # noqa: BLE001 - a bug in one source costs no other one; the stream logs it
                    errors.append(error)
            if errors:
                raise ExceptionGroup("a source did not take a report", errors)
