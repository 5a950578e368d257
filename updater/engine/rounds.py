"""Knows which images still have to be scanned, and tells those who wait; a scan that began too early does not count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.engine.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from updater.engine.worker import Workers
    from updater.model.listed import Listed


class Rounds:
    """Scans for a plan that changes. A round begins with each change: what it wants counts only if scanned since.

    *is_open* says whether scans may begin. One image is never scanned twice at once.
    """

    def __init__(self, scan: Callable[[Listed], Awaitable[bool]], workers: Workers, *, is_open: Callable[[], bool]) -> None:
        self._scan = scan
        self._workers = workers
        self._is_open = is_open
        self._plan = Plan(images={}, destinations={}, waiting={})
        self._round = 0
        self._missing: dict[Listed, int] = {}
        self._scanning: set[Listed] = set()

    def begin(self, plan: Plan, afresh: Collection[Listed] = ()) -> None:
        """Work for *plan* from now on: its new images and those *afresh* are to be scanned before somebody relies on them."""
        before, self._plan = self._plan, plan
        self._round += 1
        images = set(plan.images)
        for listed in set(self._missing) - images:
            del self._missing[listed]
        wanted = (images - set(before.images)) | images.intersection(afresh)
        self._missing |= dict.fromkeys(wanted, self._round)
        self._tell(before, plan, wanted)

    async def scan(self, listed: Listed) -> None:
        """Scan one image, again where the round changed meanwhile and wants it so; raises what the scan raises."""
        if listed in self._scanning:
            return
        self._scanning.add(listed)
        try:
            while self._is_open() and listed in self._plan.images:
                await self._scan_once(listed)
                if listed not in self._missing:
                    return
        finally:
            self._scanning.discard(listed)

    async def _scan_once(self, listed: Listed) -> None:
        begun, has_changed = self._round, True
        try:
            has_changed = await self._scan(listed)
        finally:
            waiting = self._workers.of(self._plan.waiting.get(listed, ()))
            if self._missing.get(listed, begun + 1) <= begun:
                del self._missing[listed]
                for worker in waiting:
                    worker.have(listed)
            if has_changed:
                for worker in waiting:
                    worker.due()

    def _tell(self, before: Plan, plan: Plan, missing: Collection[Listed]) -> None:
        """Tell the workers what they wait for, as far as that changed; *missing* are the images of which this is news."""
        if not missing and before.waiting == plan.waiting:  # the same keys and values hash nothing again
            return
        for listed in set(before.waiting) - set(plan.waiting):
            for worker in self._workers.of(before.waiting[listed]):
                worker.have(listed)
        for listed, wanted in plan.waiting.items():
            had = before.waiting.get(listed, ())
            if had != wanted:
                for worker in self._workers.of(set(had) - set(wanted)):
                    worker.have(listed)
            elif not missing or listed not in missing:
                continue
            if listed in self._missing:
                for worker in self._workers.of(wanted):
                    worker.miss(listed)
