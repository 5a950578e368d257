"""The workloads that are followed, kept known: one watch for each kind and namespace, each by itself.

A kind that is not installed or that may not be read is reported once, and costs only those that are of that kind.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from updater.controller.objects import Sharing
from updater.delivery.kinds import KINDS, FollowedKind, prune_followed
from updater.kube.client import ListScope
from updater.kube.reflector import Reflector, StoreSnapshot, WatchedKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from updater.errors import KubeError
    from updater.http.client import Clock
    from updater.kube.client import KubeClient
    from updater.kube.kinds import Object
    from updater.model.release import Workload


class WorkloadWatch:
    """What is known of *workloads* and of what is read together with them. *changed* is called after each change."""

    def __init__(
        self,
        client: KubeClient,
        workloads: Iterable[Workload],
        *,
        changed: Callable[[], None],
        report: Callable[[WatchedKind[Any], KubeError | None], None],
        surroundings: Clock | None = None,
    ) -> None:
        self._client = client
        self._changed = changed
        self._report = report
        self._surroundings = surroundings
        sharing = Sharing()
        self._watched = {place: _watched(KINDS[place[0]], place[1], sharing) for place in sorted(_places(workloads))}
        self._objects: dict[tuple[str, str], Mapping[str, Object]] = {}
        self._lost: set[WatchedKind[Any]] = set()

    def is_known(self, kind: str, namespace: str) -> bool:
        """Return whether a kind was listed, and is watched at the moment."""
        place = (kind, namespace)
        return place in self._objects and self._watched[place] not in self._lost

    def is_awaited(self, kind: str, namespace: str) -> bool:
        """Return whether a kind is about to be listed for the first time."""
        place = (kind, namespace)
        return place not in self._objects and self._watched[place] not in self._lost

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return what is kept of an object, None where there is none, or none is known yet."""
        return self._objects.get((kind, namespace), {}).get(name)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for place, watched in self._watched.items():
                reflector = Reflector(self._client, [watched], report=self._told, surroundings=self._surroundings)
                tasks.create_task(reflector.run(partial(self._note, place, watched)), name=f"watch {watched}")

    def _told(self, watched: WatchedKind[Any], error: KubeError | None) -> None:
        (self._lost.discard if error is None else self._lost.add)(watched)
        self._report(watched, error)
        self._changed()

    async def _note(self, place: tuple[str, str], watched: WatchedKind[Object], stores: StoreSnapshot) -> None:
        self._objects[place] = {name: item for (_, name), item in stores.of(watched).items()}
        self._changed()


def _places(workloads: Iterable[Workload]) -> set[tuple[str, str]]:
    """Return each kind and namespace that is read for *workloads*."""
    return {(kind, item.namespace) for item in workloads for kind in (item.kind, *KINDS[item.kind].beside)}


def _watched(followed: FollowedKind, namespace: str, sharing: Sharing) -> WatchedKind[Object]:
    prune = partial(prune_followed, followed=followed, sharing=sharing)
    return WatchedKind(kind=followed.kind, prune=prune, scope=ListScope(namespace=namespace))
