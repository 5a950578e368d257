"""The listener that keeps outcomes over a restart, for those who ask what became of an image last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from updater.model.release import PastVerdict, ReleaseVerdict
from updater.model.report import DestinationLanded, InventoryChanged, ReleaseJudged
from updater.reporting.news import News

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from updater.model.outcome import Outcome
    from updater.model.report import Report


class OutcomeMemory(Protocol):
    """Remembers outcomes; see `updater.cache.cache.Cache`."""

    async def remember_outcomes(self, outcomes: Iterable[Outcome]) -> None:
        """Remember how targets ended."""

    async def remember_verdicts(self, verdicts: Sequence[PastVerdict]) -> None:
        """Remember how releases ended."""


class RememberedOutcomes:
    """Writes outcomes that are new into *memory*, all that waited at once."""

    name: Final = "cache"

    def __init__(self, memory: OutcomeMemory) -> None:
        self._memory = memory
        self._news = News()

    async def hear(self, reports: Sequence[Report]) -> None:
        """Remember what is new in *reports*. What could not be written, or was cut off while it was, is new again."""
        fresh: list[Outcome] = []
        for report in reports:
            if isinstance(report, InventoryChanged):
                self._news.keep({item.key for item in report.subscriptions})
            elif isinstance(report, DestinationLanded):
                fresh += filter(self._news.has, report.outcomes)
        judged = [_past(report) for report in reports if isinstance(report, ReleaseJudged) and _is_over(report)]
        if judged:
            await self._memory.remember_verdicts(judged)
        if fresh:
            await self._memory.remember_outcomes(fresh)
        for outcome in fresh:
            self._news.take(outcome)


def _is_over(report: ReleaseJudged) -> bool:
    return report.verdict is not ReleaseVerdict.PROGRESSING


def _past(report: ReleaseJudged) -> PastVerdict:
    release = report.release
    return PastVerdict(
        key=release.subscription,
        revision=release.revision,
        image=release.image,
        verdict=report.verdict,
        reason=report.reason,
        seconds=report.seconds,
        at=report.at.timestamp(),
    )
