"""How one generation follows releases: the watch of workloads, the judge, and the Events on what was judged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from updater.controller.event_queue import EventQueue
from updater.controller.options import ControllerOptions
from updater.daemon.cluster_writes import event_recorder, write_counter, write_reporter
from updater.daemon.watch_reports import watch_reporter
from updater.delivery.event_texts import event_of, object_of
from updater.delivery.following import ReleaseFollower
from updater.delivery.watch import WorkloadWatch
from updater.errors import ConfigError
from updater.model.release import ReleaseVerdict
from updater.model.report import ReleaseJudged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.daemon.process import Process
    from updater.kube.client import KubeClient
    from updater.model.report import Report
    from updater.model.subscription import Subscription

TRIED_AGAIN: Final = 30.0


class Delivery:
    """Follows the releases of every subscription that names a workload, and tells the workload of its verdict.

    It hears reports, in the place of the generation before.
    """

    name: Final = "releases"

    def __init__(self, subscriptions: Iterable[Subscription], process: Process) -> None:
        self._process = process
        followed = [item for item in subscriptions if item.delivery]
        self._workloads = frozenset(item.delivery.workload for item in followed if item.delivery)
        self._follower = ReleaseFollower(followed, publish=process.reports.publish, judged=process.judged_releases)
        self._options = ControllerOptions(
            may_write=process.may_write, count=write_counter(process), report=write_reporter(process)
        )
        self._events: EventQueue[str] = EventQueue(self._options)
        self._watch: WorkloadWatch | None = None

    def hear(self, report: Report) -> None:
        """Follow what landed, and let the workload of a verdict be told; never waits."""
        if isinstance(report, ReleaseJudged):
            self._tell(report)
        else:
            self._follower.hear(report)

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
        self._watch = self._follower.known = WorkloadWatch(client, self._workloads, changed=self._follower.changed, report=report)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch.run(), name="watch workloads")
            tasks.create_task(self._events.run(), name="Events on workloads")
            await self._follower.run()

    def _tell(self, report: ReleaseJudged) -> None:
        place = report.workload
        item = self._watch.get(place.kind, place.namespace, place.name) if self._watch else None
        if item is not None and report.verdict is not ReleaseVerdict.PROGRESSING:
            self._events.put((report.release.subscription, report.release.revision), object_of(item, place), event_of(report))
