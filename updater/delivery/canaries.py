"""Reads the Canary of Flagger, together with its target and the primary that Flagger keeps.

A Canary has no observedGeneration: until Flagger sees a change its phase is that of the run before. So success counts only
where the primary asks for the image, and failure only where the phase began after the release.
https://docs.flagger.app/usage/how-it-works
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from updater.delivery.progress import progress_of_canary
from updater.delivery.state import WorkloadState, bad, condition_in, healthy, images_of, progressing, text_in, unknown
from updater.delivery.workloads import read_deployment
from updater.documents.members import mapping_in
from updater.model.release import ReleaseVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping

BUSY: Final = frozenset({"Initializing", "Waiting", "Progressing", "WaitingPromotion", "Promoting", "Finalising"})
_DONE: Final = frozenset({"Initialized", "Succeeded"})
PRIMARY: Final = "-primary"


def read_canary(
    item: Mapping[str, Any],
    *,
    target: Mapping[str, Any] | None,
    primary: Mapping[str, Any] | None,
    since: datetime,
) -> WorkloadState:
    """Return what a Canary says of itself; *since* is when the release began that is asked about."""
    status = mapping_in(item, "status")
    phase = text_in(status, "phase")
    asked, stable = _images(target), _images(primary)
    if target is None:
        return unknown(reason="its target is not there", kept=stable)
    if phase in BUSY:
        progress = progress_of_canary(mapping_in(item, "spec"), status)
        return progressing(reason=f"Flagger says {phase}", images=asked, is_busy=True, kept=stable, progress=progress)
    if phase in _DONE:
        if asked and asked == stable:
            return healthy(reason=f"Flagger says {phase}, and the primary runs it", images=asked, kept=stable)
        return progressing(reason="Flagger has not seen the change yet", images=asked, kept=stable)
    if phase == "Failed":
        if asked and asked == stable and primary is not None:
            return _back(read_deployment(primary), stable)
        if not _began_after(status, since):
            return progressing(reason="Flagger has not seen the change yet", images=asked, kept=stable)
        told = condition_in(status, "Promoted").message or "the analysis failed"
        return bad(reason=f"Flagger says Failed: {told}", images=asked, kept=stable)
    return unknown(reason=f"its phase is {phase or 'not known'}", images=asked, kept=stable)


def _back(primary: WorkloadState, stable: tuple[str, ...]) -> WorkloadState:
    """Return what a Canary says whose target is at what the primary runs: Flagger begins no canary then, and stays Failed."""
    if primary.verdict is ReleaseVerdict.HEALTHY:
        return healthy(reason=f"the primary runs it: {primary.reason}", images=stable, kept=stable)
    return progressing(reason=f"the primary asks for it: {primary.reason}", images=stable, kept=stable)


def is_canary_busy(item: Mapping[str, Any]) -> bool:
    """Return whether Flagger works on a Canary."""
    return text_in(mapping_in(item, "status"), "phase") in BUSY


def _images(workload: Mapping[str, Any] | None) -> tuple[str, ...]:
    return images_of(mapping_in(mapping_in(workload, "spec"), "template")) if workload is not None else ()


def _began_after(status: Mapping[str, Any], since: datetime) -> bool:
    """Return whether the phase began after *since*; Kubernetes keeps whole seconds."""
    try:
        began = datetime.fromisoformat(text_in(status, "lastTransitionTime"))
    except ValueError:
        return False
    began = began if began.tzinfo else began.replace(tzinfo=UTC)
    return began >= since.replace(microsecond=0)
