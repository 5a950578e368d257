"""How a kind that cannot be watched is told: in the log when that begins and ends, and in a metric while it lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.daemon.process import Process
    from updater.errors import KubeError
    from updater.kube.reflector import WatchedKind
    from updater.model.release import ClusterContext

    #: the watches that are lost, each with the cluster, None for the one of updater
    LostWatches = set[tuple[ClusterContext | None, WatchedKind[Any]]]


def watch_reporter(
    process: Process, cluster: ClusterContext | None = None, lost: LostWatches | None = None
) -> Callable[[WatchedKind[Any], KubeError | None], None]:
    """Return what a source calls when a kind cannot be watched, and with None when it can again.

    *cluster* is another one than that of updater; those that watch several share what is *lost*.
    """
    lost = set() if lost is None else lost
    where = {"cluster": str(cluster)} if cluster else {}

    def report(watched: WatchedKind[Any], error: KubeError | None) -> None:
        (lost.discard if error is None else lost.add)((cluster, watched))
        _count(process, watched, lost)
        if error is None:
            process.log.info("watched again", what=str(watched), **where)
        else:
            process.log.warning("watch lost", what=str(watched), detail=error.message, hint=error.hint, code=error.code, **where)

    return report


def watch_ender(process: Process, cluster: ClusterContext | None, lost: LostWatches) -> Callable[[WatchedKind[Any]], None]:
    """Return what is called with a watch that was lost and is not at work any more: another one may have taken its place."""

    def ended(watched: WatchedKind[Any]) -> None:
        lost.discard((cluster, watched))
        _count(process, watched, lost)

    return ended


def _count(process: Process, watched: WatchedKind[Any], lost: LostWatches) -> None:
    kind = watched.kind  # one kind is watched in several namespaces, and is lost while one of them is
    process.metrics.set("updater_watch_lost", kind.resource, to=any(other.kind == kind for _, other in lost))
