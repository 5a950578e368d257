"""Which images still have to be scanned, and tells those who wait; a scan that began too early does not count.

What was pushed together shall land together: a change that a scan finds lets the other images of its destination be scanned
again before that lands, once.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from updater.inventory.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable

    from updater.engine.destination_worker import DestinationWorkers
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Destination

MOST_ASKED: Final = 200


class PendingScans:
    """Scans for a plan that changes. A round begins with each change: what it wants counts only if scanned since.

    *is_open* says whether scans may begin, *again* begins scans now. One image is never scanned twice at once. The others of a
    destination are not asked again where they are more than `MOST_ASKED`: they are due together with it anyway.
    """

    def __init__(
        self,
        scan: Callable[[ScanKey], Awaitable[bool]],
        workers: DestinationWorkers,
        *,
        is_open: Callable[[], bool],
        again: Callable[[Iterable[ScanKey]], None],
    ) -> None:
        self._scan = scan
        self._workers = workers
        self._is_open = is_open
        self._again = again
        self._plan = Plan(images={}, destinations={}, waiting={})
        self._round = 0
        self._missing: dict[ScanKey, int] = {}
        self._scanning: set[ScanKey] = set()
        self._asked: dict[ScanKey, int] = {}
        self._asking: dict[Destination, set[ScanKey]] = {}
        self._sharing: dict[Destination, list[ScanKey]] | None = None
        self._announced: set[ScanKey] = set()

    def begin(self, plan: Plan, afresh: Collection[ScanKey] = ()) -> None:
        """Work for *plan* from now on: its new images and those *afresh* are to be scanned before somebody relies on them."""
        before, self._plan = self._plan, plan
        self._round += 1
        images = set(plan.images)
        for listed in set(self._missing) - images:
            del self._missing[listed]
        for listed in set(self._asked) - images:
            self._answered(listed)
        self._announced &= images
        if before.waiting != plan.waiting:
            self._sharing = None
        wanted = (images - set(before.images)) | images.intersection(afresh)
        self._missing |= dict.fromkeys(wanted, self._round)
        self._tell(before, plan, wanted)

    def ask(self, images: Iterable[ScanKey]) -> None:
        """Scan *images* now, of which somebody said that they changed: a scan that began before this does not count.

        Their destinations land as soon as all of them were scanned, whatever was found: a digest may have moved below a tag.
        """
        if not self._is_open():
            return
        self._round += 1
        asked = [listed for listed in images if listed in self._plan.images]
        for listed in asked:
            if listed in self._missing:
                self._missing[listed] = self._round
                continue
            self._asked[listed] = self._round
            self._announced.add(listed)
            for worker in self._workers.of(self._plan.waiting.get(listed, ())):
                worker.expect(listed, is_all=True)
        self._again(asked)

    async def scan(self, listed: ScanKey) -> None:
        """Scan one image, again where the round changed meanwhile and wants it so; raise what the scan raises."""
        if listed in self._scanning:
            return
        self._scanning.add(listed)
        try:
            while self._is_open() and listed in self._plan.images:
                await self._scan_once(listed)
                if listed not in self._missing and listed not in self._asked:
                    return
        finally:
            self._scanning.discard(listed)

    async def _scan_once(self, listed: ScanKey) -> None:
        begun, is_first = self._round, listed in self._missing
        is_news = not (is_first or listed in self._asked)
        if not is_first:  # for a first scan there is another patience
            for worker in self._workers.of(self._plan.waiting.get(listed, ())):
                worker.expect(listed)
        has_changed = True
        try:
            has_changed = await self._scan(listed)
        finally:
            if has_changed and is_news:
                self._ask_others(listed)
            self._ended(listed, begun, has_changed=has_changed)

    def _ended(self, listed: ScanKey, begun: int, *, has_changed: bool) -> None:
        """Tell who waits for *listed* what its scan, which began in the round *begun*, is worth."""
        waiting = self._workers.of(self._plan.waiting.get(listed, ()))
        if self._missing.get(listed, begun + 1) <= begun:
            del self._missing[listed]
            for worker in waiting:
                worker.have(listed)
        is_answered = self._asked.get(listed, begun + 1) <= begun
        if has_changed or (is_answered and listed in self._announced):
            for worker in waiting:
                worker.due()
        if is_answered:
            self._announced.discard(listed)
            self._answered(listed)
        if listed not in self._asked:
            for worker in waiting:
                worker.arrived(listed)

    def _ask_others(self, listed: ScanKey) -> None:
        """Scan what shares a destination with *listed* once more, unless that goes on already; its worker waits for that."""
        if not self._is_open():
            return
        self._round += 1
        asked: dict[ScanKey, None] = {}
        for destination in self._plan.waiting.get(listed, ()):
            sharing = self._shared().get(destination, ())
            if destination in self._asking or len(sharing) > MOST_ASKED:
                continue
            others = {other for other in sharing if other != listed and other not in self._missing}
            if others:
                self._asking[destination] = others
            for worker in self._workers.of([destination]):
                worker.expect(*others, is_all=True)
            asked |= dict.fromkeys(others)
        self._asked |= dict.fromkeys(asked, self._round)
        self._again(asked)

    def _shared(self) -> dict[Destination, list[ScanKey]]:
        """Return the images of every destination."""
        if self._sharing is None:
            found: defaultdict[Destination, list[ScanKey]] = defaultdict(list)
            for listed, destinations in self._plan.waiting.items():
                for destination in destinations:
                    found[destination].append(listed)
            self._sharing = dict(found)
        return self._sharing

    def _answered(self, listed: ScanKey) -> None:
        """Note that *listed*, which was asked again, was scanned since, or is wanted no more."""
        del self._asked[listed]
        for destination, others in list(self._asking.items()):
            others.discard(listed)
            if not others:
                del self._asking[destination]

    def _tell(self, before: Plan, plan: Plan, missing: Collection[ScanKey]) -> None:
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
