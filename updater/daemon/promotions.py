"""What followed subscriptions offer to those that follow them, in one generation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from updater.delivery.promotion import HealthyTimes
from updater.gates.promotion import offer_of
from updater.model.promotion import Offer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from updater.daemon.process import Process
    from updater.delivery.promotion import HealthReader
    from updater.model.promotion import Follows, HealthyRun, RememberedRuns
    from updater.model.report import Report
    from updater.model.subscription import Destination, Subscription

#: every how many seconds it is noted what is healthy still: so much of it a restart may cost
NOTED_EVERY: Final = 30.0


class Promotions:
    """Answers what is on offer. *asked* returns what all sources ask for; *watched* is None where nobody looks at the cluster.

    Who does not watch knows what `recall` took from the cache.
    """

    def __init__(
        self, asked: Callable[[], tuple[Subscription, ...]], process: Process, *, watched: HealthReader | None = None
    ) -> None:
        self._asked = asked
        self._process = process
        self._index: tuple[tuple[Subscription, ...], Mapping[str, Subscription]] = ((), {})
        self._recalled: dict[str, RememberedRuns] = {}
        self._land: Callable[[Destination], None] = lambda _destination: None
        self.times = HealthyTimes(asked(), health=watched, wake=self._changed, clock=process.wall) if watched else None

    async def recall(self) -> None:
        """Take up what was seen before this."""
        if self.times is None and not any(item.gates.follows is not None for item in self._asked()):
            return
        rows = self._process.releases.runs or await self._process.cache.runs()
        self._recalled = {row.key: row for row in rows}
        if self.times:
            self.times.recall(rows)

    def joined(self, land: Callable[[Destination], None]) -> None:
        """Let destinations land by *land* from now on."""
        self._land = land

    def hear(self, report: Report) -> None:
        """Take up what landed; see `updater.reporting.stream.Listener`."""
        if self.times:
            self.times.hear(report)

    def judge(self, concerns: Callable[[str], bool] | None = None) -> None:
        """Look at the cluster again: it changed, for those that this *concerns*."""
        if self.times:
            self.times.judge(concerns)

    def offer(self, follows: Follows) -> Offer:
        """Return what is on offer now."""
        reason = self._impossible(follows)
        if reason:
            return Offer(follows=follows, reason=reason)
        return offer_of(follows, self._runs(follows.subscription), self._process.wall())

    async def run(self) -> None:
        """Note every now and then what is healthy still, until cancelled."""
        try:
            while self.times:
                await asyncio.sleep(NOTED_EVERY)
                self.times.judge()
                await self._process.cache.remember_runs(self.times.remembered())
        finally:
            if self.times:
                self._process.releases.runs = self.times.remembered()

    def _runs(self, key: str) -> Iterable[HealthyRun]:
        if self.times:
            return self.times.runs(key)
        return self._recalled[key].runs if key in self._recalled else ()

    def _impossible(self, follows: Follows) -> str:
        """Return why nothing can be on offer, whatever the cluster says; "" where it can."""
        key, index = follows.subscription, self._by_key()
        if key not in index:
            return "there is no such subscription"
        if index[key].delivery is None:
            return "its releases are not followed: it has no delivery"
        chain = [key]
        while (further := index[chain[-1]].gates.follows) is not None and further.subscription in index:
            if further.subscription in chain:
                return f"it follows itself, by way of {', '.join(chain)}"
            chain.append(further.subscription)
        return ""

    def _by_key(self) -> Mapping[str, Subscription]:
        asked = self._asked()
        if self._index[0] is not asked:
            self._index = asked, {item.key: item for item in asked}
        return self._index[1]

    def _changed(self, key: str) -> None:
        """Let those land who follow *key*."""
        for item in self._asked():
            if item.gates.follows is not None and item.gates.follows.subscription == key:
                for target in item.targets:
                    self._land(target.destination)
