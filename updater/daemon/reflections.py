"""When what a policy chooses by itself is said: after each scan, after a change of the policy, and when its object asks.

Only for subscriptions whose objects say it: an ImagePolicy has it in its status.
"""

from __future__ import annotations

import asyncio
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
    """Reports what the policies of *asked* choose among what *scans* found, for places that hold nothing."""

    def __init__(self, asked: Inventory, scans: Scanner, publish: Callable[[Report], None]) -> None:
        self._asked = asked
        self._scans = scans
        self._publish = publish
        self._waiting: dict[str, bool] = {}
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
        self._wake()

    def again(self, keys: Iterable[str]) -> None:
        """Report soon for subscriptions by key, with the digests that their registries have now."""
        self._waiting |= dict.fromkeys(keys, True)
        self._wake()

    async def run(self) -> None:
        """Report what waits, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            await self._work_off()

    async def _work_off(self) -> None:
        waiting, self._waiting = self._waiting, {}
        began = datetime.now(UTC)
        items = [item for item in self._asked.snapshot.subscriptions if item.key in waiting and item.is_reflected]
        for listed in {scan_key_for(item) for item in items if waiting[item.key]}:
            self._scans.forget_digests(listed)
        await self._report(items, began)

    async def _report(self, items: Iterable[Subscription], began: datetime) -> None:
        for number, item in enumerate(items, start=1):
            self._publish(await reflect(item, self._scans.choose, began=began))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _wake(self) -> None:
        if self._waiting:
            self._due.set()
