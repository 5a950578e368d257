"""What the cluster says of a release: the object of its workload, and of those beside it, read by the reader of the kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from updater.delivery.agents import read_application, read_helm_release, read_kustomization
from updater.delivery.canaries import PRIMARY, is_canary_busy, read_canary
from updater.delivery.rollouts import read_rollout
from updater.delivery.state import WorkloadState, text_in, unknown
from updater.delivery.workloads import read_daemon_set, read_deployment, read_stateful_set
from updater.documents.members import mapping_in

if TYPE_CHECKING:
    from collections.abc import Collection

    from updater.kube.kinds import Object
    from updater.model.release import Release, Workload


class KnownWorkloads(Protocol):
    """What is known of the cluster; see `updater.delivery.watch.WorkloadWatch`."""

    def is_known(self, kind: str, namespace: str) -> bool:
        """Return whether a kind was listed, and is watched at the moment."""

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return what is kept of an object."""


def is_busy(workload: Workload, known: KnownWorkloads) -> bool:
    """Return whether the controller of a Rollout or Canary works on it; what cannot be watched or is not there is not busy."""
    item = known.get(workload.kind, workload.namespace, workload.name)
    if item is None or not known.is_known(workload.kind, workload.namespace):
        return False
    return read_rollout(item).is_busy if workload.kind == "Rollout" else is_canary_busy(item)


_OWN = {"Deployment": read_deployment, "StatefulSet": read_stateful_set, "DaemonSet": read_daemon_set}


def state_for(
    release: Release, workload: Workload, known: KnownWorkloads, revisions: Collection[str] = frozenset()
) -> WorkloadState:
    """Return what *workload* says of itself; *revisions* are those of the branch that are known to hold the release."""
    kind, namespace = workload.kind, workload.namespace
    if not known.is_known(kind, namespace):
        return unknown(reason=f"{kind}s of {namespace} cannot be watched at the moment", images=None)
    item = known.get(kind, namespace, workload.name)
    if item is None:
        return unknown(reason=f"{workload} does not exist", images=None)
    if reader := _OWN.get(kind):
        return reader(item)
    if kind == "Rollout":
        name = text_in(mapping_in(mapping_in(item, "spec"), "workloadRef"), "name")
        return read_rollout(item, known.get("Deployment", namespace, name) if name else None)
    if kind == "Canary":
        name = text_in(mapping_in(mapping_in(item, "spec"), "targetRef"), "name")
        target, primary = known.get("Deployment", namespace, name), known.get("Deployment", namespace, name + PRIMARY)
        return read_canary(item, target=target, primary=primary, since=release.began)
    if kind == "Application":
        return read_application(item, {release.revision, *revisions}, release.image)
    if kind == "Kustomization":
        return read_kustomization(item, {release.revision, *revisions})
    return read_helm_release(item, release.image)
