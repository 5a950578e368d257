"""Reads the workloads of Kubernetes itself: Deployment, StatefulSet, DaemonSet, by the rules of `kubectl rollout status`.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.delivery.state import (
    WorkloadState,
    bad,
    condition_in,
    healthy,
    images_of,
    is_stale,
    number_in,
    progressing,
    unknown,
)
from updater.documents.members import mapping_in

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_SEEN: Final = "its controller has not seen the newest generation yet"
_SCALED_DOWN: Final = "it is scaled to zero, so that nothing runs"
_BY_HAND: Final = "its update strategy is OnDelete: pods are replaced by hand"


def read_deployment(item: Mapping[str, Any]) -> WorkloadState:
    """Return what a Deployment says of itself."""
    spec, status = mapping_in(item, "spec"), mapping_in(item, "status")
    images = images_of(mapping_in(spec, "template"))
    if is_stale(item):
        return progressing(reason=_NOT_SEEN, images=images)
    condition = condition_in(status, "Progressing")
    if condition.status == "False" and condition.reason == "ProgressDeadlineExceeded":
        return bad(reason=condition.told, images=images)
    wanted = _wanted(spec)
    if wanted == 0:
        return unknown(reason=_SCALED_DOWN, images=images)
    if spec.get("paused") is True:
        return progressing(reason="it is paused", images=images)
    updated, every, available = (_count(status, key) for key in ("updatedReplicas", "replicas", "availableReplicas"))
    if updated < wanted:
        return progressing(reason=f"{updated} of {wanted} replicas are updated", images=images)
    if every > updated:
        return progressing(reason=f"{every - updated} old replicas are still there", images=images)
    if available < updated:
        return progressing(reason=f"{available} of {updated} replicas are available", images=images)
    return healthy(reason=f"{available} of {wanted} replicas are available", images=images, since=_vouched(status))


def _vouched(status: Mapping[str, Any]) -> float | None:
    """Return from when on a Deployment is available and its rollout complete; None where it does not say so."""
    available, complete = condition_in(status, "Available"), condition_in(status, "Progressing")
    if available.status != "True" or complete.reason != "NewReplicaSetAvailable":
        return None
    if available.changed is None or complete.updated is None:
        return None
    return max(available.changed, complete.updated)


def read_stateful_set(item: Mapping[str, Any]) -> WorkloadState:
    """Return what a StatefulSet says of itself; it knows no deadline of its own."""
    spec, status = mapping_in(item, "spec"), mapping_in(item, "status")
    images = images_of(mapping_in(spec, "template"))
    if is_stale(item):
        return progressing(reason=_NOT_SEEN, images=images)
    wanted, strategy = _wanted(spec), mapping_in(spec, "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return unknown(reason=_BY_HAND, images=images)
    if wanted == 0:
        return unknown(reason=_SCALED_DOWN, images=images)
    if number_in(mapping_in(strategy, "rollingUpdate"), "partition"):
        return progressing(reason="its partition keeps some replicas on the old revision", images=images)
    ready, updated = _count(status, "readyReplicas"), _count(status, "updatedReplicas")
    current, newest = status.get("currentRevision"), status.get("updateRevision")
    if not isinstance(newest, str) or current != newest:
        return progressing(reason=f"{updated} of {wanted} replicas are updated", images=images)
    if ready < wanted:
        return progressing(reason=f"{ready} of {wanted} replicas are ready", images=images)
    return healthy(reason=f"{ready} of {wanted} replicas are ready", images=images)


def read_daemon_set(item: Mapping[str, Any]) -> WorkloadState:
    """Return what a DaemonSet says of itself; it knows no deadline of its own."""
    spec, status = mapping_in(item, "spec"), mapping_in(item, "status")
    images = images_of(mapping_in(spec, "template"))
    if is_stale(item):
        return progressing(reason=_NOT_SEEN, images=images)
    if mapping_in(spec, "updateStrategy").get("type") == "OnDelete":
        return unknown(reason=_BY_HAND, images=images)
    wanted = _count(status, "desiredNumberScheduled")
    if wanted == 0:
        return unknown(reason="no node is to run it", images=images)
    updated, available = _count(status, "updatedNumberScheduled"), _count(status, "numberAvailable")
    if updated < wanted:
        return progressing(reason=f"{updated} of {wanted} pods are updated", images=images)
    if available < wanted:
        return progressing(reason=f"{available} of {wanted} pods are available", images=images)
    return healthy(reason=f"{available} of {wanted} pods are available", images=images)


def _wanted(spec: Mapping[str, Any]) -> int:
    wanted = number_in(spec, "replicas")
    return 1 if wanted is None else wanted


def _count(status: Mapping[str, Any], key: str) -> int:
    """Return a count, 0 where it is left out as Kubernetes does with zeros."""
    return number_in(status, key) or 0
