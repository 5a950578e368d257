"""When what a policy chooses by itself is said: after each scan, after a change of the policy, and when its object asks.

Only for subscriptions whose objects say it: an ImagePolicy has it in its status.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from updater.engine.reports import reflect
from updater.model.scan_key import scan_key_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from updater.engine.scanner import Scanner
    from updater.inventory.inventory import Inventory
    from updater.model.report import Report
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Subscription

AT_ONCE: Final = 50  # thousands of policies may follow one image: probes and the Lease must not wait for them


class Reflections:
    """Reports what the policies of *asked* choose among what *scans* found, for places that hold nothing.

    What is asked for while *may_work* says no waits for `wake`: a replica that does not lead has not scanned. Images do not wait
    for each other: the registry of one may take a minute for each digest.
    """

    def __init__(
        self,
        asked: Inventory,
        scans: Scanner,
        publish: Callable[[Report], None],
        *,
        may_work: Callable[[], bool] = lambda: True,
    ) -> None:
        self._asked = asked
        self._scans = scans
        self._publish = publish
        self._may_work = may_work
        self._waiting: dict[str, bool] = {}
        self._busy: set[ScanKey] = set()
        self._due = asyncio.Event()

    async def scanned(self, listed: ScanKey, began: datetime) -> None:
        """Report for all who share a scan that *began* then."""
        await self._report((item for item in self._asked.by_image.get(listed, ()) if item.is_reflected), began)

    def changed(self, images: Iterable[ScanKey]) -> None:
        """Report soon for subscriptions of *images* that are others now; an image that was never scanned is scanned first."""
        for listed in images:
            if self._scans.has_scanned(listed):
                for item in self._asked.by_image.get(listed, ()):
                    if item.is_reflected:
                        self._waiting.setdefault(item.key, False)
        self.wake()

    def again(self, keys: Iterable[str]) -> None:
        """Report soon for subscriptions by key, with the digests that their registries have now.

        Those of an image that was never scanned are told of by its first scan.
        """
        self._waiting |= dict.fromkeys(keys, True)
        self.wake()

    def wake(self) -> None:
        """Report what waits."""
        if self._waiting:
            self._due.set()

    async def run(self) -> None:
        """Report what waits, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._due.wait()
                self._due.clear()
                if self._may_work():
                    await self._hand_out(tasks)

    async def _hand_out(self, tasks: asyncio.TaskGroup) -> None:
        """Begin what waits, image by image; what asks for an image that is being worked on goes on waiting."""
        waiting, self._waiting = self._waiting, {}
        found: defaultdict[ScanKey, list[Subscription]] = defaultdict(list)
        for item in self._asked.snapshot.subscriptions:
            if item.key in waiting and item.is_reflected:
                found[scan_key_for(item)].append(item)
        for number, (listed, items) in enumerate(found.items(), start=1):
            is_afresh = {item.key: waiting[item.key] for item in items}
            if listed in self._busy:
                for key, afresh in is_afresh.items():
                    self._waiting[key] = afresh or self._waiting.get(key, False)
            elif self._scans.has_scanned(listed):
                self._busy.add(listed)
                tasks.create_task(self._work_off(listed, items, is_afresh=any(is_afresh.values())))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _work_off(self, listed: ScanKey, items: Iterable[Subscription], *, is_afresh: bool) -> None:
        began = datetime.now(UTC)
        try:
            if is_afresh:
                self._scans.forget(listed)
            await self._report(items, began)
        finally:
            self._busy.discard(listed)
            self.wake()

    async def _report(self, items: Iterable[Subscription], began: datetime) -> None:
        for number, item in enumerate(items, start=1):
            self._publish(await reflect(item, self._scans.choose, began=began))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
