"""What the statuses of Flux's image objects have in common: conditions in kstatus order, and which of their fields differ.

https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from updater.controller.conditions import Condition, conditions_in, merge_conditions
from updater.model.text import printable_lines, without_waits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.controller.objects import KeptObject
    from updater.flux.request.requests import ObjectFault

READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
OWNED: Final = (STALLED, RECONCILING, READY)
SUCCEEDED: Final = "Succeeded"
PROGRESSING: Final = "Progressing"
RETRYING: Final = "ProgressingWithRetry"
IN_PROGRESS: Final = "reconciliation in progress"
#: fields that say nothing by themselves, wherever they are in a status
VOLATILE: Final = frozenset({"lastAutomationRunTime", "scanTime"})
#: a time that is all that changed is written this many seconds after the last one, and not before the interval has passed
TIMES_EVERY: Final = 3600.0
LAST_HANDLED: Final = "lastHandledReconcileAt"
LONGEST_MESSAGE: Final = 32_768


class End(StrEnum):
    """How the last reconciliation of an object ended."""

    READY = "ready"
    STALLED = "stalled"
    FAILED = "failed"
    RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an object stands: *reason* and *message* of its Ready condition.

    *progress* is the message of a Reconciling condition beside a failure that is tried again, or while the first try goes on.
    """

    end: End
    reason: str = PROGRESSING
    message: str = IN_PROGRESS
    progress: str = IN_PROGRESS

    @property
    def is_ready(self) -> bool:
        """Whether the object is Ready."""
        return self.end is End.READY


def condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return the condition of a type, an empty one where there is none."""
    return next((item for item in conditions_in(status) if item["type"] == kind), {})


def new_generation(kept: KeptObject) -> str:
    """Return what the Reconciling condition says while an object is read for the first time since its spec changed."""
    before = kept.status.get("observedGeneration", -1)
    return f"processing object: new generation {before} -> {kept.generation}" if before != kept.generation else IN_PROGRESS


def fault_verdict(fault: ObjectFault, progress: str = IN_PROGRESS) -> Verdict:
    """Return how an object stands whose *fault* ends it before any work."""
    end = End.STALLED if fault.is_stalled else End.FAILED
    return Verdict(end=end, reason=fault.reason, message=fault.message, progress=progress)


def is_time_due(text: object, interval: float, now: str) -> bool:
    """Return whether a time that a status has is so old that it is written although nothing else changed."""
    try:
        age = datetime.fromisoformat(now) - datetime.fromisoformat(str(text))
    except (ValueError, TypeError):
        return True
    return age.total_seconds() >= max(interval, TIMES_EVERY)


def status_to_write(
    kept: KeptObject, verdict: Verdict, fields: Mapping[str, Any], *, now: str, is_due: bool = False
) -> dict[str, Any] | None:
    """Return the status to write for *verdict* with *fields*, None where the one that stands there says the same.

    A field that is None is removed. With *is_due* another time alone is reason enough to write. While the first try goes on,
    nothing is written over what was said of this generation before: a restart of this program is no news.
    """
    before, generation = kept.status, kept.generation
    if verdict.end is End.RUNNING and condition(before, READY).get("observedGeneration") == generation:
        return None
    stays = verdict.end is End.RUNNING and bool(condition(before, READY))
    owned = tuple(name for name in OWNED if name != READY or not stays)
    made = [item for item in _conditions(verdict, before) if item.type in owned]
    status = members_replaced(before, fields)
    status["conditions"] = merge_conditions(before, made, owned=owned, generation=generation, now=now)
    if verdict.end in {End.READY, End.STALLED}:
        status["observedGeneration"] = generation
    ignored = frozenset[str]() if is_due else VOLATILE
    is_same = all(
        _bare(before.get(name), ignored) == _bare(value, ignored) for name, value in status.items() if name not in ignored
    )
    return None if is_same else status


def _conditions(verdict: Verdict, before: Mapping[str, Any]) -> list[Condition]:
    """Return our conditions, in the order in which Flux lists them; one that does not hold is left out."""
    reason, message = verdict.reason, _bounded(verdict.message)
    if verdict.end is End.READY:
        return [Condition(READY, "True", reason, message)]
    if verdict.end is End.STALLED:
        return [Condition(STALLED, "True", reason, message), Condition(READY, "False", reason, message)]
    if verdict.end is End.RUNNING:
        progress = Condition(RECONCILING, "True", PROGRESSING, _bounded(verdict.progress))
        return [progress, Condition(READY, "Unknown", PROGRESSING, _bounded(verdict.progress))]
    told, progress_before = condition(before, READY), condition(before, RECONCILING)
    former = str(told.get("message"))
    is_same = (told.get("status"), told.get("reason")) == ("False", reason) and without_waits(former) == without_waits(message)
    message = former if is_same else message  # the same failure, told with another wait, is no news
    is_retried = is_same and progress_before.get("reason") == RETRYING and isinstance(progress_before.get("message"), str)
    progress_text = progress_before["message"] if is_retried else _bounded(verdict.progress)
    return [Condition(RECONCILING, "True", RETRYING, progress_text), Condition(READY, "False", reason, message)]


def _bounded(message: str) -> str:
    shown = printable_lines(message)
    return shown if len(shown) <= LONGEST_MESSAGE else f"{shown[: LONGEST_MESSAGE - 3]}..."


def members_replaced(before: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return *fields* so that a merge patch puts them in the place of those that *before* has; None removes one."""
    status = {name: _with_removals(before.get(name), value) for name, value in fields.items()}
    return {name: value for name, value in status.items() if value is not None or before.get(name) is not None}


def _with_removals(before: Any, value: Any) -> Any:
    """Return *value* so that a merge patch makes it of *before*: members that are gone are None."""
    if not isinstance(before, dict) or not isinstance(value, dict):
        return value
    made = {name: _with_removals(before.get(name), item) for name, item in value.items()}
    return made | {name: None for name in before if name not in value}


def _bare(value: Any, ignored: frozenset[str]) -> Any:
    """Return *value* without what is removed or ignored."""
    if isinstance(value, dict):
        return {name: _bare(item, ignored) for name, item in value.items() if item is not None and name not in ignored}
    return [_bare(item, ignored) for item in value] if isinstance(value, list) else value
