"""What is told as Events, once each, and at which pace: a start with thousands of flaws is no storm on the API server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.cluster.event_texts import remark_on_flaw
from updater.argocd.request.application import ObjectProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from updater.argocd.cluster.feedback_options import FeedbackOptions
    from updater.kube.events import Event

AT_ONCE: Final = 20
PACE: Final = 0.1
MOST_AT_THE_END: Final = 100
MOST_WAITING: Final = 10_000

Item = dict[str, Any]


class EventQueue:
    """Tells remarks on objects, in order; none where *answers* has no Events."""

    def __init__(self, answers: FeedbackOptions) -> None:
        self._answers = answers
        self._waiting: dict[Hashable, tuple[Item, Event]] = {}
        self._told: set[ObjectProblem] = set()
        self._due = asyncio.Event()

    def findings(self, findings: Sequence[ObjectProblem], find: Callable[[str], Item | None]) -> None:
        """Tell what was not told yet of *findings*, which are all that there are; *find* gives the object of an origin."""
        present = set(findings)
        self._told &= present
        for key in [key for key in self._waiting if isinstance(key, ObjectProblem) and key not in present]:
            del self._waiting[key]
        for finding in findings:
            if finding not in self._told and finding not in self._waiting and (item := find(finding.origin)):
                self.remark(finding, item, remark_on_flaw(finding.flaw))

    def remark(self, key: Hashable, item: Item, remark: Event) -> None:
        """Tell a remark; one that waits under the same key is no longer true."""
        if self._answers.events is None:
            return
        self._waiting[key] = (item, remark)
        while len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._due.set()

    def withdraw(self, key: Hashable) -> None:
        """Leave out what waits under a key: it is no longer true."""
        self._waiting.pop(key, None)

    def wake(self) -> None:
        """Tell what waits."""
        self._due.set()

    async def work(self) -> None:
        """Wait for something to tell, and tell it all while this replica may write."""
        await self._due.wait()
        self._due.clear()
        told = 0
        while self._waiting and self._answers.may_write():
            told += await self._tell_next()
            if told > AT_ONCE:
                await self._answers.around.sleep(PACE)

    async def finish(self) -> None:
        """Tell what waits, as much as a single pass may tell: its output says the rest."""
        for _ in range(min(MOST_AT_THE_END, len(self._waiting))):
            if self._answers.may_write():
                await self._tell_next()

    async def _tell_next(self) -> bool:
        """Return what waits longest; return whether an Event was written."""
        key = next(iter(self._waiting))
        item, remark = self._waiting.pop(key)
        if isinstance(key, ObjectProblem):
            self._told.add(key)
        events = self._answers.events
        is_written = events is not None and await events.tell(item, remark)
        if is_written:
            self._answers.count("event", "ok")
        return is_written
