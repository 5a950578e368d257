"""What webhooks start in one configuration at work: scans at once, looks at once, and longer intervals where they work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.engine.announced import AnnouncedImages
from updater.engine.hints import HintQueue

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from updater.engine.scanner import Scanner
    from updater.engine.schedule import Schedule
    from updater.inventory.inventory import Inventory
    from updater.inventory.plan import Plan
    from updater.model.scan_key import ScanKey
    from updater.model.subscription import Destination
    from updater.reporting.metrics import Metrics


class WebhookScans:
    """Serves what *asked* holds by *scans*. `schedule` is set while the configuration works; before, everything is due anyway.

    *longest* is the interval of images whose webhooks work, in seconds, None for their own.
    """

    def __init__(self, asked: Inventory, scans: Scanner, metrics: Metrics, *, longest: float | None) -> None:
        self._asked = asked
        self._scans = scans
        self._metrics = metrics
        self._hints = HintQueue(self._scan)
        self._announced = AnnouncedImages(longest)
        self.schedule: Schedule | None = None

    async def run(self) -> None:
        """Let what was hinted be scanned, until cancelled."""
        await self._hints.run()

    def hint(self, images: Iterable[ScanKey], tag: str, destinations: Iterable[Destination]) -> None:
        """Scan *images*, of which somebody said that *tag* was pushed ("": any), and look at *destinations*, at once."""
        self._hints.add(images, tag)
        if self.schedule:
            for destination in destinations:
                self.schedule.due(destination)

    def plan(self) -> Plan:
        """Return the plan with the longer intervals of images whose webhooks work."""
        plan = self._announced.stretched(self._asked.plan, self._asked.scans)
        self._metrics.set("updater_images_with_webhooks", to=len(self._announced))
        return plan

    def before(self, listed: ScanKey) -> Collection[str] | None:
        """Return the tags that an image offers before a scan, None where the last one failed or there was none."""
        return self._scans.offered(listed) if self._scans.has_scanned(listed) and not self._scans.failure(listed) else None

    def scanned(self, listed: ScanKey, before: Collection[str] | None, *, has_changed: bool) -> None:
        """Note what a scan found: a tag that is listed late, or a push that no webhook named."""
        names = self._scans.offered(listed)
        self._hints.scanned(listed, names)
        is_later = before is not None and not self._scans.failure(listed)
        # a list may count as changed because facts are asked anew; of a followed tag nothing but the digest can change
        is_news = is_later and has_changed and (before != names or self._is_followed(listed))
        if self._announced.scanned(listed, has_changed=is_news):
            self._replan()

    def _is_followed(self, listed: ScanKey) -> bool:
        return all(item.policy.kind == "digest" for item in self._asked.by_image.get(listed, ()))

    def _scan(self, named: Mapping[ScanKey, Collection[str]]) -> None:
        self._metrics.count("updater_webhook_scans_total", by=len(named))
        for listed, tags in named.items():
            self._scans.forget(listed, tags)
        if self.schedule:
            self.schedule.ask(named)
        if self._announced.hear(named):
            self._replan()

    def _replan(self) -> None:
        if self.schedule:
            self.schedule.replan(self.plan())
