"""The listener through which sources hear what became of what they asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.model.report import Report


class ReportReader(Protocol):
    """A source that answers the objects that asked; see `updater.sources.base.Source`."""

    def hear(self, report: Report) -> None:
        """Hear what happened; never waits."""


class SourceFeedback:
    """Lets each of *sources* hear what happened."""

    name: Final = "feedback"

    def __init__(self, sources: Sequence[ReportReader]) -> None:
        self._sources = sources

    def hear(self, report: Report) -> None:
        """Hand it on."""
        errors: list[Exception] = []
        for source in self._sources:
            try:
                source.hear(report)
            except Exception as error:  # noqa: BLE001 - a bug in one source costs no other one; the stream logs it
                errors.append(error)
        if errors:
            raise ExceptionGroup("a source did not take a report", errors)
