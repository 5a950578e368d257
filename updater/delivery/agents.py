"""Reads what applies Git to a cluster: Argo CD's Application, Flux's Kustomization and HelmRelease.

Health alone says nothing: an Application is often healthy on the commit before. What counts is health on a revision at or
after the release, or, of a HelmRelease, with its values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from updater.delivery.state import (
    MOST_ITEMS,
    ObservedCondition,
    WorkloadState,
    bad,
    condition_in,
    healthy,
    is_stale,
    number_in,
    progressing,
    runs_image,
    text_in,
    unknown,
)
from updater.documents.members import list_in, mapping_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from updater.model.image import ImageRef

_MOST_VALUES: Final = 5000
#: Flux's check of children, which cannot judge a Rollout: no sign of a bad release
_UNJUDGED: Final = frozenset({"HealthCheckFailed", "DependencyNotReady", "ArtifactFailed", "Progressing", "ProgressingWithRetry"})
_STOPPED: Final = "it is suspended"


def read_application(item: Mapping[str, Any], revisions: Collection[str] | None, image: ImageRef) -> WorkloadState:
    """Return what an Application says of *image* on one of *revisions*: the release's commit, and those known to follow it.

    None where it was written itself: then no commit says whether it is synced to that, only what runs.
    """
    status = mapping_in(item, "status")
    operation, sync = mapping_in(status, "operationState"), mapping_in(status, "sync")
    phase, told = text_in(operation, "phase"), text_in(operation, "message")
    tried = _revisions(mapping_in(operation, "syncResult"))
    if phase in {"Failed", "Error"} and revisions is not None and tried & set(revisions):
        return bad(reason=f"the sync failed: {told or phase}", images=None, is_applied=False)
    if phase == "Running":
        return progressing(reason="a sync is running", images=None)
    if revisions is not None and not _revisions(sync) & set(revisions):
        return progressing(reason="it is synced to a revision before the commit", images=None)
    if text_in(sync, "status") != "Synced":
        return progressing(reason=f"its sync status is {text_in(sync, 'status') or 'not known'}", images=None)
    images = list_in(mapping_in(status, "summary"), "images")
    runs = any(runs_image(text, image) for text in images[:MOST_ITEMS] if isinstance(text, str))
    if revisions is None and not runs:
        return progressing(reason="it does not list the image yet", images=None)
    return _application_health(status, runs=runs)


def _application_health(status: Mapping[str, Any], *, runs: bool) -> WorkloadState:
    health = mapping_in(status, "health")
    word, why = text_in(health, "status"), text_in(health, "message")
    reason = f"Argo CD says {word}" + (f": {why}" if why else "")
    if word == "Degraded":
        return bad(reason=reason, images=None)
    if word == "Healthy":
        return healthy(reason=reason, images=None) if runs else unknown(reason=f"{reason}, but does not list it", images=None)
    if word in {"Progressing", "Suspended", "Missing"}:
        return progressing(reason=reason, images=None, is_busy=word == "Suspended")
    return unknown(reason=f"its health is {word or 'not known'}", images=None)


def read_kustomization(item: Mapping[str, Any], revisions: Collection[str]) -> WorkloadState:
    """Return what a Kustomization says of itself on one of *revisions*."""
    spec, status = mapping_in(item, "spec"), mapping_in(item, "status")
    if spec.get("suspend") is True:
        return unknown(reason=_STOPPED, images=None)
    ready = condition_in(status, "Ready")
    if is_stale(item) or not _is_current(item, ready):
        return progressing(reason="Flux has not seen the newest generation yet", images=None)
    if ready.status == "True" and _commit(text_in(status, "lastAppliedRevision")) in revisions:
        if spec.get("wait") is True or list_in(spec, "healthChecks"):
            return healthy(reason="Flux applied the commit, and its health checks passed", images=None)
        return unknown(reason="Flux applied the commit; without wait or healthChecks it says nothing of health", images=None)
    is_tried = _commit(text_in(status, "lastAttemptedRevision")) in revisions
    if ready.status == "False" and is_tried:
        if ready.reason in _UNJUDGED:
            return unknown(reason=f"Flux does not know: {ready.told}", images=None)
        return bad(reason=f"Flux did not apply the commit: {ready.told}", images=None, is_applied=False)
    return progressing(reason=ready.told or "Flux has not applied the commit yet", images=None)


def read_helm_release(item: Mapping[str, Any], image: ImageRef) -> WorkloadState:
    """Return what a HelmRelease says of itself; its own values must name the tag or digest of *image*."""
    spec, status = mapping_in(item, "spec"), mapping_in(item, "status")
    if spec.get("suspend") is True:
        return unknown(reason=_STOPPED, images=None)
    if not _names(mapping_in(spec, "values"), image):
        return progressing(reason=f"its values do not name {image.tag or image.digest}", images=None)
    ready = condition_in(status, "Ready")
    if is_stale(item) or not _is_current(item, ready):
        return progressing(reason="Flux has not seen the newest generation yet", images=None)
    if ready.status == "True":
        return healthy(reason=ready.told or "Flux says Ready", images=None)
    if ready.status == "False" and ready.reason not in _UNJUDGED:
        return bad(reason=ready.told or "Flux says not Ready", images=None)
    return progressing(reason=ready.told or "Flux works on it", images=None)


def shown_revisions(item: Mapping[str, Any]) -> set[str]:
    """Return the commits at which an Application or Kustomization says it is, or tries to be."""
    status = mapping_in(item, "status")
    flux = {_commit(text_in(status, key)) for key in ("lastAppliedRevision", "lastAttemptedRevision")}
    operation = mapping_in(mapping_in(status, "operationState"), "syncResult")
    return (flux | _revisions(mapping_in(status, "sync")) | _revisions(operation)) - {""}


def has_applied(item: Mapping[str, Any], revisions: Collection[str], before: Collection[str]) -> bool | None:
    """Return whether an agent applied one of *revisions*; False where it shows one from *before* them, None where nobody knows.

    Flux tries a commit whose health checks fail without ever calling it applied.
    """
    status = mapping_in(item, "status")
    shown = shown_revisions(item)
    if shown & set(revisions):
        ready = condition_in(status, "Ready")
        is_flux = not mapping_in(status, "sync")
        is_done = not is_flux or _commit(text_in(status, "lastAppliedRevision")) in revisions
        return is_done or ready.status != "False" or ready.reason in _UNJUDGED
    return False if shown and shown <= set(before) else None


def _is_current(item: Mapping[str, Any], condition: ObservedCondition) -> bool:
    return condition.observed in {None, number_in(mapping_in(item, "metadata"), "generation")}


def _revisions(item: Mapping[str, Any]) -> set[str]:
    """Return every revision of one source or several."""
    several = [text for text in list_in(item, "revisions")[:MOST_ITEMS] if isinstance(text, str)]
    return {text for text in (text_in(item, "revision"), *several) if text}


def _commit(revision: str) -> str:
    """Return the commit of a revision as Flux writes it: ``main@sha1:…``."""
    return revision.rpartition(":")[2].rpartition("/")[2]


def _names(values: Mapping[str, Any], image: ImageRef) -> bool:
    """Return whether one of the texts in *values* is the tag, the digest or the whole reference."""
    wanted = {text for text in (image.tag, str(image.digest) if image.digest else None, str(image)) if text}
    queue: list[Any] = [values]
    for _ in range(_MOST_VALUES):
        if not queue:
            return False
        value = queue.pop()
        if isinstance(value, str) and value in wanted:
            return True
        queue += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return False
