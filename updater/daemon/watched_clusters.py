"""The clusters in which one generation follows releases: that of updater, and those of the contexts that subscriptions name."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from updater.daemon.watch_reports import watch_ender, watch_reporter
from updater.delivery.interest import wanted_places
from updater.delivery.watch import WatchHooks, WorkloadWatch
from updater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from updater.daemon.process import Process
    from updater.daemon.watch_reports import LostWatches
    from updater.delivery.following import ReleaseFollower
    from updater.delivery.interest import Wanted, WatchPlace
    from updater.delivery.readers import ObjectKey
    from updater.kube.client import KubeClient
    from updater.model.release import ClusterContext
    from updater.model.subscription import Subscription

TRIED_AGAIN: Final = 30.0


class WatchedClusters:
    """One watch for each cluster: one that is away costs only what is followed there.

    Subscriptions of a cluster never name another one, so that all are known at the start. *namespaces* are those that a source of
    the cluster of updater is limited to, by the kind of its objects.
    """

    def __init__(
        self, subscriptions: Iterable[Subscription], process: Process, namespaces: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._process = process
        self._namespaces = namespaces
        self._subscriptions = {item.key: item for item in subscriptions}
        clusters = {_cluster_of(item) for item in self._subscriptions.values()} | ({None} if namespaces else set())
        self._watches: dict[ClusterContext | None, WorkloadWatch | None] = dict.fromkeys(clusters)
        self._clients: dict[ClusterContext, KubeClient] = {}

    @property
    def is_listed(self) -> bool:
        """Whether everything that is wanted was listed in each cluster, or cannot be."""
        return all(watch is not None and watch.is_listed for watch in self._watches.values())

    def want(self, subscriptions: Mapping[str, Subscription]) -> None:
        """Watch what these need from now on."""
        self._subscriptions = dict(subscriptions)
        for cluster, watch in self._watches.items():
            if watch is not None:
                watch.want(self._wanted(cluster))

    def client_for(self, key: str) -> KubeClient:
        """Return the cluster in which a subscription is followed; raise `ConfigError` where no way leads there."""
        item = self._subscriptions.get(key)
        return self._client(_cluster_of(item) if item else None)

    async def run(
        self,
        follower: ReleaseFollower,
        changed: Callable[[frozenset[ObjectKey] | None], None],
        beside: Callable[[KubeClient], Awaitable[None]],
    ) -> None:
        """Watch each cluster for *follower* until cancelled, and do what is done *beside* in the one of updater.

        *changed* is told what has changed.
        """
        lost: LostWatches = set()
        async with asyncio.TaskGroup() as tasks:
            for cluster in self._watches:
                report = watch_reporter(self._process, cluster, lost)
                ended, absent = watch_ender(self._process, cluster, lost), partial(self._say_absent, cluster)
                hooks = WatchHooks(changed=changed, report=report, absent=absent, ended=ended)
                tasks.create_task(self._follow(cluster, hooks, follower, beside), name=f"watch {cluster or 'the cluster'}")

    async def _follow(
        self,
        cluster: ClusterContext | None,
        hooks: WatchHooks,
        follower: ReleaseFollower,
        beside: Callable[[KubeClient], Awaitable[None]],
    ) -> None:
        client = await self._connected(cluster)
        self._watches[cluster] = watch = WorkloadWatch(client, hooks)
        follower.index.put_known(cluster, watch)
        watch.want(self._wanted(cluster))
        hooks.changed(None)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch.run(), name="watch workloads")
            if cluster is None:
                await beside(client)

    async def _connected(self, cluster: ClusterContext | None) -> KubeClient:
        """Return the way to a cluster; one that is wrong is tried again."""
        while True:
            try:
                return self._client(cluster)
            except ConfigError as error:
                self._process.log.warning("releases", detail=error.message, hint=error.hint, code=error.code)
                await asyncio.sleep(TRIED_AGAIN)

    def _client(self, cluster: ClusterContext | None) -> KubeClient:
        connection = self._process.cluster
        if cluster is None:
            return connection.client
        if cluster not in self._clients:
            self._clients[cluster] = connection.client_of(cluster)
        return self._clients[cluster]

    def _wanted(self, cluster: ClusterContext | None) -> Mapping[WatchPlace, Wanted]:
        own = [item for item in self._subscriptions.values() if _cluster_of(item) == cluster]
        return wanted_places(own, self._namespaces if cluster is None else {})

    def _say_absent(self, cluster: ClusterContext | None, resource: str) -> None:
        where = {"cluster": str(cluster)} if cluster else {}
        self._process.log.info("releases", detail=f"{resource} is not installed: nothing of that kind is followed", **where)


def _cluster_of(item: Subscription) -> ClusterContext | None:
    return item.delivery.cluster if item.delivery else None
