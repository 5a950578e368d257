"""What webhooks make of the schedule: images that they name are scanned at once, and less often as long as they are heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.engine.announced import AnnouncedImages
from updater.engine.hints import HintQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from updater.engine.scanner import Scanner
    from updater.engine.schedule import Schedule
    from updater.inventory.inventory import Inventory
    from updater.inventory.plan import Plan
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Destination
    from updater.reporting.metrics import Metrics


class HintedScans:
    """The hints of one generation.

    *schedule* returns its schedule, None before it runs; *longest* is `interval_with_webhooks`.
    """

    def __init__(
        self,
        asked: Inventory,
        scans: Scanner,
        metrics: Metrics,
        *,
        schedule: Callable[[], Schedule | None],
        longest: float | None,
    ) -> None:
        self._asked = asked
        self._scans = scans
        self._metrics = metrics
        self._schedule = schedule
        self._announced = AnnouncedImages(longest)
        self._queue = HintQueue(self._scan)

    async def run(self) -> None:
        """Scan what is named, until it is cancelled."""
        await self._queue.run()

    def hint(self, images: Iterable[ScanKey], tag: str, destinations: Iterable[Destination]) -> None:
        """Scan *images*, of which somebody said that *tag* was pushed ("": any), and look at *destinations*, at once."""
        self._queue.add(images, tag)
        if schedule := self._schedule():
            for destination in destinations:
                schedule.due(destination)

    def scanned(self, listed: ScanKey, names: Collection[str], *, is_news: bool) -> None:
        """Take what a scan found; *is_news* where it was not there before."""
        self._queue.scanned(listed, names)
        if self._announced.scanned(listed, has_changed=is_news):
            self._stretch()

    def plan(self) -> Plan:
        """Return what is scanned and landed, at the intervals that follow from what webhooks told lately."""
        plan = self._announced.stretched(self._asked.plan, self._asked.scans)
        self._metrics.set("updater_images_with_webhooks", to=len(self._announced))
        return plan

    def _scan(self, named: Mapping[ScanKey, Collection[str]]) -> None:
        self._metrics.count("updater_webhook_scans_total", by=len(named))
        for listed, tags in named.items():
            self._scans.forget(listed, tags)
        if schedule := self._schedule():
            schedule.ask(named)
        if self._announced.hear(named):
            self._stretch()

    def _stretch(self) -> None:
        if schedule := self._schedule():
            schedule.replan(self.plan())
