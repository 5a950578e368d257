"""Reads the Rollout of Argo Rollouts, in the order in which its states may be trusted.

Right after a change its phase is that of the generation before, and right after an abort it is still Paused.
https://argo-rollouts.readthedocs.io/en/stable/features/specification/
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from updater.delivery.progress import progress_of_rollout
from updater.delivery.state import (
    WorkloadState,
    bad,
    condition_in,
    healthy,
    images_of,
    number_in,
    progressing,
    text_in,
    unknown,
)
from updater.documents.members import list_in, mapping_in

if TYPE_CHECKING:
    from collections.abc import Mapping

GENERATION: Final = "rollout.argoproj.io/workload-generation"
_NOTHING: Final[dict[str, Any]] = {}


def read_rollout(item: Mapping[str, Any], referenced: Mapping[str, Any] | None = None) -> WorkloadState:
    """Return what a Rollout says of itself; *referenced* is the workload of its ``workloadRef``, where it has one."""
    spec, status = mapping_in(item, "spec"), mapping_in(item, "status")
    owner = mapping_in(referenced or _NOTHING, "spec") if mapping_in(spec, "workloadRef") else spec
    images, stable = images_of(mapping_in(owner, "template")), text_in(status, "stableRS")
    if _is_stale(item):
        return progressing(
            reason="Argo Rollouts has not seen the newest generation yet", images=images, is_busy=True, stable=stable
        )
    phase, told = text_in(status, "phase"), text_in(status, "message")
    if status.get("abort") is True:
        return bad(reason=told or "the update was aborted", images=images, stable=stable)
    failed = _failure(status)
    if phase == "Degraded" or failed:
        return bad(reason=failed or told or "it is degraded", images=images, stable=stable)
    current = text_in(status, "currentPodHash")
    is_promoted = bool(current) and current == stable
    is_busy = not is_promoted
    moving = partial(
        progressing,
        images=images,
        is_busy=is_busy,
        stable=stable,
        progress=progress_of_rollout(spec, status) if is_busy else None,
    )
    if phase == "Healthy" and is_promoted:
        return healthy(reason="it is fully promoted", images=images, stable=stable)
    if phase == "Paused":
        return moving(reason=_pause(spec, status))
    if phase in {"Healthy", "Progressing"}:
        return moving(reason=told or "the update is under way")
    return unknown(reason=f"its phase is {phase or 'not known'}", images=images, stable=stable)


def _is_stale(item: Mapping[str, Any]) -> bool:
    """Return whether the status is of another generation; Argo Rollouts writes the one that it saw as text."""
    metadata, spec, status = mapping_in(item, "metadata"), mapping_in(item, "spec"), mapping_in(item, "status")
    generation = number_in(metadata, "generation")
    if generation is None or text_in(status, "observedGeneration") != str(generation):
        return True
    if not mapping_in(spec, "workloadRef"):
        return False
    wanted = text_in(mapping_in(metadata, "annotations"), GENERATION)
    return not wanted or text_in(status, "workloadObservedGeneration") != wanted


def _failure(status: Mapping[str, Any]) -> str:
    """Return what a condition says that ends an update; "" where none does."""
    invalid = condition_in(status, "InvalidSpec")
    if invalid.status == "True":
        return invalid.told or "its spec is invalid"
    moving = condition_in(status, "Progressing")
    is_over = moving.status == "False" and moving.reason in {"ProgressDeadlineExceeded", "RolloutAborted"}
    return moving.told if is_over else ""


def _pause(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if spec.get("paused") is True:
        return "it is paused by a person"
    reasons = [text_in(item, "reason") for item in list_in(status, "pauseConditions")[:1] if isinstance(item, dict)]
    progress = progress_of_rollout(spec, status)
    where = "" if progress.step is None else f" at step {progress.step} of {progress.steps}"
    return f"it is paused{where}: {reasons[0]}" if reasons and reasons[0] else f"it is paused{where}"
