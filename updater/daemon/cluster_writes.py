"""How writes to the objects of a cluster are counted, and how those that fail are logged, whichever source asks for them."""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import TYPE_CHECKING, Final

from updater.kube.events import EventRecorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.daemon.process import Process
    from updater.errors import KubeError
    from updater.kube.client import KubeClient

_COMPONENT: Final = "updater"
_WRITES: Final = "updater_kubernetes_writes_total"


def instance_name() -> str:
    """Return the name of this replica: that of its pod, else of the machine."""
    return os.environ.get("POD_NAME") or socket.gethostname()


def write_counter(process: Process) -> Callable[[str, str], None]:
    """Return what counts a write by its kind and result."""
    return partial(process.metrics.count, _WRITES)


def write_reporter(process: Process) -> Callable[[str, KubeError], None]:
    """Return what logs a write that failed, by its subject."""

    def report(subject: str, error: KubeError) -> None:
        process.log.warning("answer", subject=subject, detail=error.message, hint=error.hint, code=error.code)

    return report


def event_recorder(client: KubeClient, process: Process) -> EventRecorder:
    """Return what records Events in the name of this replica; one that fails is counted and logged."""

    def failed(error: KubeError) -> None:
        process.metrics.count(_WRITES, "event", error.code)
        process.log.warning("event", detail=error.message, hint=error.hint, code=error.code)

    return EventRecorder(client, component=_COMPONENT, instance=instance_name(), report=failed)
