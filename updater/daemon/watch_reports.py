"""How a kind that cannot be watched is told: in the log when that begins and ends, and in a metric while it lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.daemon.process import Process
    from updater.errors import KubeError
    from updater.kube.reflector import WatchedKind


def watch_reporter(process: Process) -> Callable[[WatchedKind[Any], KubeError | None], None]:
    """Return what a source calls when a kind cannot be watched, and with None when it can again."""
    lost: set[WatchedKind[Any]] = set()

    def report(watched: WatchedKind[Any], error: KubeError | None) -> None:
        (lost.discard if error is None else lost.add)(watched)
        kind = watched.kind  # one kind is watched in several namespaces, and is lost while one of them is
        process.metrics.set("updater_watch_lost", kind.resource, to=any(other.kind == kind for other in lost))
        if error is None:
            process.log.info("watched again", what=str(watched))
        else:
            process.log.warning("watch lost", what=str(watched), detail=error.message, hint=error.hint, code=error.code)

    return report
