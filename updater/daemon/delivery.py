"""How one generation follows releases: the watch of workloads, the judge, and the Events on what was judged."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from updater.controller.event_queue import EventQueue
from updater.controller.options import ControllerOptions
from updater.daemon.busy import BusyRollouts
from updater.daemon.canaries import CanaryDesk
from updater.daemon.cluster_writes import event_recorder, write_counter, write_reporter
from updater.daemon.healthy_runs import WatchedRuns
from updater.daemon.offers import Offers
from updater.daemon.past_verdicts import recall_verdicts
from updater.daemon.watched_clusters import WatchedClusters
from updater.delivery.event_texts import event_of, object_of
from updater.delivery.following import ReleaseFollower, health_for
from updater.delivery.reversal import Reversals
from updater.model.release import ReleaseVerdict
from updater.model.report import DestinationLanded, InventoryChanged, ReleaseJudged

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping

    from updater.daemon.process import Process
    from updater.delivery.readers import ObjectKey
    from updater.kube.client import KubeClient
    from updater.model.release import RevertOrder
    from updater.model.report import Report
    from updater.model.subscription import Destination, Subscription

_NOWHERE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
LISTED_WITHIN: Final = 3.0


def _nothing(_destination: Destination) -> None:
    return


class Delivery:
    """Follows the releases of every subscription that says how, and tells the workload of its verdict.

    It hears reports, in the place of the generation before. *namespaces* are those that a source is limited to, by the kind of
    its objects; where there is none, all are watched at once. For those of *silent* kinds no Events are written.
    """

    name: Final = "releases"

    def __init__(
        self,
        subscriptions: Iterable[Subscription],
        process: Process,
        asked: Callable[[], tuple[Subscription, ...]],
        *,
        namespaces: Mapping[str, tuple[str, ...]] = _NOWHERE,
        silent: Collection[str] = (),
    ) -> None:
        self._process = process
        self._namespaces = namespaces
        self._silent = silent
        self._subscriptions = {item.key: item for item in subscriptions if item.delivery and item.targets}
        self._follower = ReleaseFollower(self._subscriptions.values(), publish=process.reports.publish, memory=process.releases)
        self._options = ControllerOptions(
            may_write=process.may_write, count=write_counter(process), report=write_reporter(process)
        )
        self._events: EventQueue[str] = EventQueue(self._options)
        self._clusters = WatchedClusters(self._subscriptions.values(), process, namespaces)
        self._listed = asyncio.Event()
        self._listed_until = 0.0
        self._reversals = Reversals(self._follower, process.releases, wake=self._due, log=process.log)
        self.healthy_runs = WatchedRuns(asked, process, lambda release, heads: health_for(release, self._follower, heads))
        self.offers = Offers(asked, self.healthy_runs.times.runs, process.wall)
        self.busy = BusyRollouts(self._follower, process, is_pending=self._reversals.is_pending, wake=self._due)
        self.canaries = CanaryDesk(self._follower, process.releases, process.wall)
        self._land: Callable[[Destination], None] = _nothing

    async def joined(self, land: Callable[[Destination], None]) -> Callable[[], Coroutine[Any, Any, None]]:
        """Hear reports from now on, and return what is to be run meanwhile; *land* lets a destination land."""
        self._land = land
        self._listed_until = asyncio.get_running_loop().time() + LISTED_WITHIN
        self.healthy_runs.joined(land)
        await self.healthy_runs.recall()
        await recall_verdicts(self._process, self._subscriptions, is_all=bool(self._namespaces))
        self._process.reports.join(self)
        return self.run

    def hear(self, report: Report) -> None:
        """Follow what landed, and let the workload of a verdict be told; never waits."""
        self.healthy_runs.times.hear(report)
        if isinstance(report, ReleaseJudged):
            self._tell(report)
            self._reversals.hear(report)
            if report.verdict is ReleaseVerdict.BAD and report.release.subscription in self._subscriptions:
                self._due(report.release.subscription)  # what is held for a person is told at once
            self.canaries.judged(report)
            self.busy.freed({report.release.subscription})
        else:
            self._follower.hear(report)
        if isinstance(report, InventoryChanged):
            self._subscriptions = {item.key: item for item in report.subscriptions if item.delivery and item.targets}
            self.canaries.asked(report)
            self._want()
        if isinstance(report, DestinationLanded) and report.notes is not None:
            self._reversals.landed(report)
            self.canaries.landed(report)

    async def settle(self) -> None:
        """Wait until the cluster was listed, in the first seconds after the start: then it is known what is in progress."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._listed_until):
                await self._listed.wait()

    def order_of(self, key: str) -> RevertOrder | None:
        """Return what is to be taken back of a subscription."""
        return self._process.releases.orders.get(key)

    def lead(self) -> None:
        """Write the Events that are due: this replica leads from now on."""
        self._events.wake()

    async def run(self) -> None:
        """Watch and judge until cancelled; a way to a cluster that is wrong is tried again."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.busy.end(), name="wait no longer for what is in progress")
            tasks.create_task(self._reversals.run(self._clusters.client_for), name="take bad releases back")
            tasks.create_task(self.healthy_runs.run(), name="note what is healthy")
            tasks.create_task(self._follower.run(), name="judge releases")
            await self._clusters.run(self._follower, self._changed, self._write_events)

    async def _write_events(self, client: KubeClient) -> None:
        """Write Events in the cluster of updater: in others it only reads."""
        self._options.events = event_recorder(client, self._process)
        await self._events.run()

    def _want(self) -> None:
        self._clusters.want(self._subscriptions)
        self._note_listed()

    def _note_listed(self) -> None:
        (self._listed.set if self._clusters.is_listed else self._listed.clear)()

    def _changed(self, objects: frozenset[ObjectKey] | None) -> None:
        """Judge again what concerns *objects*, None for all; let what waited for a rollout or canary land."""
        keys = self._follower.index.changed(objects)
        # at once: what is bad must be known before anything else is written
        self._follower.judge(None if objects is None else keys)
        self._follower.changed()
        self._note_listed()
        index = self._follower.index
        self.healthy_runs.times.judge(None if objects is None else lambda key: key in keys or not index.is_noted(key))
        self.busy.freed(None if objects is None else keys)

    def _due(self, key: str) -> None:
        """Let every destination of a subscription land."""
        item = self._subscriptions.get(key)
        for target in item.targets if item else ():
            self._land(target.destination)

    def _tell(self, report: ReleaseJudged) -> None:
        place = report.workload
        item = self._follower.known.get(place.kind, place.namespace, place.name) if place else None
        subscription = self._subscriptions.get(report.release.subscription)
        if subscription is None or subscription.origin.kind in self._silent:
            return
        if subscription.delivery is not None and subscription.delivery.cluster is not None:
            return
        if item is not None and place is not None and report.verdict is not ReleaseVerdict.PROGRESSING:
            self._events.put((report.release.subscription, report.release.revision), object_of(item, place), event_of(report))
