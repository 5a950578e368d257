"""Which kinds can be followed: how the API server names them, what is kept of their objects, and which others belong to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.controller.objects import names_in
from updater.delivery.finding import GIT_REPOSITORY, POD_KINDS
from updater.delivery.progress import prune_analysis, prune_strategy, prune_weights
from updater.delivery.rollouts import GENERATION
from updater.documents.members import list_in, mapping_in
from updater.kube.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.controller.objects import Sharing


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedKind:
    """One kind: its names, the fields of spec and status that its reader reads, and the kinds that it is read together with.

    *is_rollout* where its controller says of each rollout how it ended; a bad state of another kind may have come later, for
    another reason.
    """

    kind: Kind
    spec: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    is_rollout: bool = False


_PODS: Final = ("replicas", "paused", "template", "updateStrategy")
KINDS: Final[dict[str, FollowedKind]] = {
    "Deployment": FollowedKind(
        kind=Kind("apps", "v1", "Deployment", "deployments"),
        spec=_PODS,
        status=("observedGeneration", "replicas", "updatedReplicas", "availableReplicas", "conditions"),
        is_rollout=True,
    ),
    "StatefulSet": FollowedKind(
        kind=Kind("apps", "v1", "StatefulSet", "statefulsets"),
        spec=_PODS,
        status=("observedGeneration", "readyReplicas", "updatedReplicas", "currentRevision", "updateRevision"),
    ),
    "DaemonSet": FollowedKind(
        kind=Kind("apps", "v1", "DaemonSet", "daemonsets"),
        spec=_PODS,
        status=("observedGeneration", "desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"),
    ),
    "Rollout": FollowedKind(
        kind=Kind("argoproj.io", "v1alpha1", "Rollout", "rollouts"),
        spec=(*_PODS, "workloadRef", "strategy"),
        status=(
            "observedGeneration",
            "workloadObservedGeneration",
            "phase",
            "message",
            "abort",
            "stableRS",
            "currentPodHash",
            "currentStepIndex",
            "canary",
            "pauseConditions",
            "conditions",
        ),
        beside=("Deployment",),
        is_rollout=True,
    ),
    "Canary": FollowedKind(
        kind=Kind("flagger.app", "v1beta1", "Canary", "canaries"),
        spec=("targetRef", "analysis", "canaryAnalysis"),
        status=("phase", "lastTransitionTime", "conditions", "canaryWeight", "iterations", "failedChecks"),
        beside=("Deployment",),
        is_rollout=True,
    ),
    "Application": FollowedKind(
        kind=Kind("argoproj.io", "v1alpha1", "Application", "applications"),
        spec=("destination", "source", "sources", "sourceHydrator"),
        status=("sync", "health", "operationState", "summary", "resources"),
    ),
    "Kustomization": FollowedKind(
        kind=Kind("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"),
        spec=("suspend", "wait", "healthChecks", "sourceRef", "path", "kubeConfig"),
        status=("observedGeneration", "lastAppliedRevision", "lastAttemptedRevision", "conditions", "inventory"),
    ),
    "HelmRelease": FollowedKind(
        kind=Kind("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases"),
        spec=("suspend", "values", "kubeConfig"),
        status=("observedGeneration", "conditions", "inventory"),
    ),
}
#: the kinds that are watched: beside those that are followed the one that says which repository a Kustomization reads
WATCHED: Final[dict[str, FollowedKind]] = {
    **KINDS,
    GIT_REPOSITORY: FollowedKind(
        kind=Kind("source.toolkit.fluxcd.io", "v1", GIT_REPOSITORY, "gitrepositories"), spec=("url", "ref")
    ),
}
REPLICA_SET: Final = Kind("apps", "v1", "ReplicaSet", "replicasets")
_CONDITIONS: Final = frozenset({"Available", "Progressing", "InvalidSpec", "Promoted", "Ready"})
_CONDITION_TEXTS: Final = ("type", "status", "reason", "message", "observedGeneration", "lastTransitionTime", "lastUpdateTime")
_APPLIED: Final = frozenset((*POD_KINDS, "HelmRelease"))
_STEPS: Final = {
    "strategy": prune_strategy,
    "canary": prune_weights,
    "analysis": prune_analysis,
    "canaryAnalysis": prune_analysis,
}
_SOURCE_TEXTS: Final = ("repoURL", "path", "targetRevision", "chart")


def prune_followed(item: Mapping[str, Any], followed: FollowedKind, sharing: Sharing) -> dict[str, Any]:
    """Return what is kept of an object, in its own shape: no field that changes without a meaning here."""
    metadata, spec, status = mapping_in(item, "metadata"), mapping_in(item, "spec"), mapping_in(item, "status")
    kept: dict[str, Any] = {"metadata": {**names_in(metadata), "generation": metadata.get("generation")}}
    noted = mapping_in(metadata, "annotations").get(GENERATION)
    if isinstance(noted, str):
        kept["metadata"]["annotations"] = {GENERATION: noted}
    kept["spec"] = {key: _pruned(key, spec[key], sharing) for key in followed.spec if key in spec}
    kept["status"] = {key: _pruned(key, status[key], sharing) for key in followed.status if key in status}
    return kept


def _pruned(key: str, value: Any, sharing: Sharing) -> Any:
    if key == "template" and isinstance(value, dict):
        spec = mapping_in(value, "spec")
        names = ("initContainers", "containers")
        return {"spec": {name: [_image(item, sharing) for item in list_in(spec, name)] for name in names if name in spec}}
    if prune := _STEPS.get(key):
        return sharing.whole(prune(value) if isinstance(value, dict) else {})
    if key == "conditions" and isinstance(value, list):
        kept = (item for item in value if isinstance(item, dict) and item.get("type") in _CONDITIONS)
        return [{name: sharing.whole(item[name]) for name in _CONDITION_TEXTS if name in item} for item in kept]
    if key == "operationState" and isinstance(value, dict):
        return {
            "phase": sharing.whole(value.get("phase")),
            "message": sharing.whole(value.get("message")),
            "syncResult": _revisions(mapping_in(value, "syncResult"), sharing),
        }
    if key in {"source", "sources", "sourceHydrator", "resources", "inventory", "healthChecks"}:
        return _listed(key, value, sharing)
    if key == "sync" and isinstance(value, dict):
        return {"status": sharing.whole(value.get("status")), **_revisions(value, sharing)}
    return sharing.whole(value)


def _listed(key: str, value: Any, sharing: Sharing) -> Any:
    """Return of sources where they lie, of what was applied what may run pods; of checks that there are some."""
    if isinstance(value, list):
        if key == "healthChecks":
            return [True] if value else []
        if key == "resources":
            found = (item for item in value if isinstance(item, dict) and item.get("kind") in _APPLIED)
            return [{name: sharing.whole(item.get(name)) for name in ("kind", "namespace", "name")} for item in found]
        return [_texts(item, sharing) for item in value if isinstance(item, dict)]
    if not isinstance(value, dict):
        return None
    if key == "sourceHydrator":
        return {"drySource": _texts(mapping_in(value, "drySource"), sharing)}
    if key == "inventory":
        ids = (item.get("id") for item in list_in(value, "entries") if isinstance(item, dict))
        kept = (text for text in ids if isinstance(text, str) and text.rpartition("_")[2] in _APPLIED)
        return {"entries": [{"id": sharing.text(text)} for text in kept]}
    return _texts(value, sharing)


def _texts(source: Mapping[str, Any], sharing: Sharing) -> dict[str, Any]:
    return {name: sharing.text(source[name]) for name in _SOURCE_TEXTS if isinstance(source.get(name), str)}


def _image(container: Any, sharing: Sharing) -> Any:
    return {"image": sharing.whole(container.get("image"))} if isinstance(container, dict) else None


def _revisions(item: Mapping[str, Any], sharing: Sharing) -> dict[str, Any]:
    return {key: sharing.whole(item[key]) for key in ("revision", "revisions") if key in item}
