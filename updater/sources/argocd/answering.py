"""Knows what is told to the owners of objects, and when: statuses, Events, and that Argo CD should look again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from updater.http.client import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from updater.errors import KubeError
    from updater.kube.client import KubeClient
    from updater.kube.events import Events
    from updater.model.outcome import Outcome
    from updater.sources.argocd.kinds import Key
    from updater.sources.argocd.pruning import KeptUpdater
    from updater.sources.argocd.translate import Translation


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known at one moment: the objects, and what they come to."""

    applications: Mapping[Key, Mapping[str, Any]]
    updaters: Mapping[Key, KeptUpdater]
    translation: Translation


def _always() -> bool:
    return True


def _count_nothing(_kind: str, _result: str) -> None:
    return


def _report_nothing(_subject: str, _error: KubeError) -> None:
    return


class Answers:
    """What answering needs. *events* None tells none; *may_write* says whether this replica leads.

    *count* is called for each write with what was written (status, refresh) and ``ok`` or the code of the error; *report* with
    the object and the error where one failed. Call `leads` when leadership was gained: then what is due is written.
    """

    def __init__(
        self,
        *,
        events: Events | None = None,
        refresh: bool = True,
        may_write: Callable[[], bool] = _always,
        count: Callable[[str, str], None] = _count_nothing,
        report: Callable[[str, KubeError], None] = _report_nothing,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.events = events
        self.refresh = refresh
        self.may_write = may_write
        self.count = count
        self.report = report
        self.around = surroundings or Surroundings()
        self.wake: Callable[[], None] = _nobody

    def leads(self) -> None:
        """Let everything be written that is due."""
        self.wake()


def _nobody() -> None:
    return


class Answering:
    """Writes what is due, one object after the other."""

    def __init__(self, client: KubeClient, answers: Answers) -> None:
        self._client = client
        self._answers = answers
        answers.wake = self._wake
        self._due = asyncio.Event()
        self._known: Known | None = None
        self._outcomes: dict[str, Outcome] = {}

    def know(self, known: Known) -> None:
        """Take over what is known now."""
        self._known = known
        self._wake()

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """Remember how targets ended."""
        self._outcomes |= {outcome.key: outcome for outcome in outcomes}
        self._wake()

    async def run(self) -> None:
        """Write until cancelled."""
        await asyncio.Event().wait()

    def _wake(self) -> None:
        self._due.set()
