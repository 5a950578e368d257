"""What the cluster says of a release: the objects of its workloads, each read by the reader of its kind; the worst one counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from updater.delivery.agents import has_applied, read_application, read_helm_release, read_kustomization
from updater.delivery.canaries import PRIMARY, is_canary_busy, read_canary
from updater.delivery.rollouts import read_rollout
from updater.delivery.state import WorkloadState, health_of, images_of, text_in, unknown
from updater.delivery.workloads import read_daemon_set, read_deployment, read_stateful_set
from updater.documents.members import mapping_in
from updater.model.release import Health, ReleaseVerdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from updater.delivery.finding import FoundWorkload, FoundWorkloads
    from updater.delivery.interest import Wanted
    from updater.kube.kinds import Key, Object
    from updater.model.release import Release, Workload

#: which verdict of several workloads counts
_WORST: Final = (ReleaseVerdict.BAD, ReleaseVerdict.PROGRESSING, ReleaseVerdict.UNKNOWN, ReleaseVerdict.HEALTHY)


class KnownWorkloads(Protocol):
    """What is known of the cluster; see `updater.delivery.watch.WorkloadWatch`."""

    def is_known(self, kind: str, namespace: str) -> bool:
        """Return whether a kind was listed, and is watched at the moment."""

    def is_awaited(self, kind: str, namespace: str, need: Wanted | None = None) -> bool:
        """Return whether *need* of a kind is about to be listed for the first time, None for all that is wanted of it."""

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return what is kept of an object."""

    def readers_of(self, kind: str, place: tuple[str, str]) -> Iterable[Key]:
        """Return namespace and name of the agents of one kind that read the Git repository at *place*."""


def is_busy(workload: Workload, known: KnownWorkloads) -> bool:
    """Return whether the controller of a Rollout or Canary works on it; what cannot be watched or is not there is not busy."""
    return known.is_known(workload.kind, workload.namespace) and _is_kept_busy(workload, known)


def was_busy(workload: Workload, known: KnownWorkloads) -> bool:
    """Return whether a Rollout or Canary was worked on when it was seen last, and cannot be watched at the moment."""
    return not known.is_known(workload.kind, workload.namespace) and _is_kept_busy(workload, known)


def _is_kept_busy(workload: Workload, known: KnownWorkloads) -> bool:
    item = known.get(workload.kind, workload.namespace, workload.name)
    if item is None:
        return False
    return read_rollout(item).is_busy if workload.kind == "Rollout" else is_canary_busy(item)


_REFERENCES = {"Canary": "targetRef", "Rollout": "workloadRef"}


def images_asked(workload: Workload, known: KnownWorkloads) -> tuple[str, ...]:
    """Return the images that *workload* asks for, or the Deployment that it names; none where that is not known."""
    item = known.get(workload.kind, workload.namespace, workload.name)
    name = text_in(mapping_in(mapping_in(item or {}, "spec"), _REFERENCES.get(workload.kind, "")), "name")
    owner = known.get("Deployment", workload.namespace, name) if name else item
    return images_of(mapping_in(mapping_in(owner or {}, "spec"), "template"))


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
        return read_application(item, None if release.is_live else {release.revision, *revisions}, release.image)
    if kind == "Kustomization":
        return read_kustomization(item, {release.revision, *revisions})
    return read_helm_release(item, release.image)


def joint_health(
    release: Release,
    found: FoundWorkloads,
    known: KnownWorkloads,
    revisions: Collection[str] = frozenset(),
    before: Collection[str] = frozenset(),
) -> Health:
    """Return what all workloads of a release say together; the worst one counts, and the reason names it.

    *before* are revisions that agents showed when the commit was made: a workload that they have not touched since says nothing.
    """
    if not found.found:
        verdict = ReleaseVerdict.PROGRESSING if found.is_awaited else ReleaseVerdict.UNKNOWN
        return Health(verdict=verdict, reason=found.reason, is_blind=found.is_awaited)
    said = [_health(release, item, known, (revisions, before)) for item in found.found]
    worst = min(said, key=lambda health: (_WORST.index(health.verdict), health.progress is None))
    seen, busy = any(health.is_applied for health in said), any(health.is_busy for health in said)
    reason = worst.reason if len(said) == 1 else f"{worst.workload}: {worst.reason}"
    blind = any(health.is_blind for health in said)
    vouched = [health.since for health in said if health.since is not None]
    since = max(vouched) if len(vouched) == len(said) else None
    return replace(worst, reason=reason, is_seen=seen, is_busy=busy, is_blind=blind, since=since)


def _health(
    release: Release, item: FoundWorkload, known: KnownWorkloads, revisions: tuple[Collection[str], Collection[str]]
) -> Health:
    after, before = revisions
    agent = item.agent
    applied = known.get(agent.kind, agent.namespace, agent.name) if agent and not release.is_live else None
    if applied is not None and has_applied(applied, {release.revision, *after}, before) is False:
        reason = f"{agent} has not applied the commit yet"
        return Health(verdict=ReleaseVerdict.PROGRESSING, reason=reason, workload=item.workload)
    health = health_of(state_for(release, item.workload, known, after), release.image)
    return replace(health, workload=item.workload, is_blind=not known.is_known(item.workload.kind, item.workload.namespace))
