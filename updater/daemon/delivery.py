"""How one generation follows releases: the watch of workloads, the judge, and the Events on what was judged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from updater.controller.event_queue import EventQueue
from updater.controller.options import ControllerOptions
from updater.daemon.cluster_writes import event_recorder, write_counter, write_reporter
from updater.daemon.past_verdicts import recall_verdicts
from updater.daemon.promotions import Promotions
from updater.daemon.watch_reports import watch_reporter
from updater.delivery.event_texts import event_of, object_of
from updater.delivery.following import ReleaseFollower, health_for
from updater.delivery.judging import is_busy
from updater.delivery.reversal import Reversals
from updater.delivery.watch import WorkloadWatch
from updater.errors import ConfigError
from updater.model.release import BUSY_KINDS, ReleaseVerdict
from updater.model.report import DestinationLanded, ReleaseJudged

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from updater.daemon.process import Process
    from updater.kube.client import KubeClient
    from updater.model.release import RevertOrder
    from updater.model.report import Report
    from updater.model.subscription import Destination, Subscription

TRIED_AGAIN: Final = 30.0


def _nothing(_destination: Destination) -> None:
    return


class Delivery:
    """Follows the releases of every subscription that names a workload, and tells the workload of its verdict.

    It hears reports, in the place of the generation before.
    """

    name: Final = "releases"

    def __init__(
        self, subscriptions: Iterable[Subscription], process: Process, asked: Callable[[], tuple[Subscription, ...]]
    ) -> None:
        self._process = process
        followed = [item for item in subscriptions if item.delivery]
        self._workloads = frozenset(item.delivery.workload for item in followed if item.delivery)
        self._follower = ReleaseFollower(followed, publish=process.reports.publish, memory=process.releases)
        self._options = ControllerOptions(
            may_write=process.may_write, count=write_counter(process), report=write_reporter(process)
        )
        self._events: EventQueue[str] = EventQueue(self._options)
        self._watch: WorkloadWatch | None = None
        self._subscriptions = {item.key: item for item in followed}
        self._reversals = Reversals(self._follower, process.releases, wake=self._due, log=process.log)
        self.promotions = Promotions(asked, process, watched=lambda release, heads: health_for(release, self._follower, heads))
        self._busy = set(self._subscriptions)
        self._land: Callable[[Destination], None] = _nothing

    async def joined(self, land: Callable[[Destination], None]) -> Callable[[], Coroutine[Any, Any, None]]:
        """Hear reports from now on, and return what is to be run meanwhile; *land* lets a destination land."""
        self._land = land
        self.promotions.joined(land)
        await recall_verdicts(self._process, self._subscriptions.values())
        await self.promotions.recall()
        self._process.reports.join(self)
        return self.run

    def hear(self, report: Report) -> None:
        """Follow what landed, and let the workload of a verdict be told; never waits."""
        self.promotions.hear(report)
        if isinstance(report, ReleaseJudged):
            self._tell(report)
            self._reversals.hear(report)
            if report.verdict is ReleaseVerdict.BAD and report.release.subscription in self._subscriptions:
                self._due(report.release.subscription)  # what is held for a person is told at once
        else:
            self._follower.hear(report)
        if isinstance(report, DestinationLanded) and report.notes is not None:
            self._reversals.landed(report)

    def order_of(self, key: str) -> RevertOrder | None:
        """Return what is to be taken back of a subscription."""
        return self._process.releases.orders.get(key)

    def busy_of(self, key: str) -> str:
        """Return which rollout or canary of a subscription is in progress, "" where none is; what is unknown may be."""
        options = self._follower.options_of(key)
        if options is None or options.workload.kind not in BUSY_KINDS:
            return ""
        place = options.workload
        if self._watch is None or self._watch.is_awaited(place.kind, place.namespace):
            return f"it is not known yet whether {place} is in progress"
        if self._reversals.is_pending(key):
            return f"the bad release of {place} is about to be taken back"
        return f"{place} is in progress" if is_busy(place, self._watch) else ""

    def lead(self) -> None:
        """Write the Events that are due: this replica leads from now on."""
        self._events.wake()

    async def run(self) -> None:
        """Watch and judge until cancelled; a way to the cluster that is wrong is tried again."""
        while True:
            try:
                client = self._process.cluster.client
            except ConfigError as error:
                self._process.log.warning("releases", detail=error.message, hint=error.hint, code=error.code)
                await asyncio.sleep(TRIED_AGAIN)
            else:
                await self._work(client)

    async def _work(self, client: KubeClient) -> None:
        self._options.events = event_recorder(client, self._process)
        report = watch_reporter(self._process)
        self._watch = self._follower.known = WorkloadWatch(client, self._workloads, changed=self._changed, report=report)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch.run(), name="watch workloads")
            tasks.create_task(self._events.run(), name="Events on workloads")
            tasks.create_task(self._reversals.run(client), name="take bad releases back")
            tasks.create_task(self.promotions.run(), name="note what is healthy")
            await self._follower.run()

    def _changed(self) -> None:
        """Judge again, and let what waited for a rollout or canary land."""
        self._follower.judge()  # at once: what is bad must be known before anything else is written
        self._follower.changed()
        self.promotions.judge()
        busy = {key for key in self._subscriptions if self.busy_of(key)}
        for key in self._busy - busy:
            self._due(key)
        self._busy = busy

    def _due(self, key: str) -> None:
        """Let every destination of a subscription land."""
        for target in self._subscriptions[key].targets:
            self._land(target.destination)

    def _tell(self, report: ReleaseJudged) -> None:
        place = report.workload
        item = self._watch.get(place.kind, place.namespace, place.name) if self._watch else None
        if item is not None and report.verdict is not ReleaseVerdict.PROGRESSING:
            self._events.put((report.release.subscription, report.release.revision), object_of(item, place), event_of(report))
