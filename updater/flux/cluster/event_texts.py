"""Which Events Flux's image objects are told: the words of the original, and what it leaves to a log at trace level.

What the original records as a trace, such as that nothing changed, is no Event here: it says nothing that a status does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.flux.cluster.status_fields import READY, End, condition
from updater.kube.events import Event
from updater.model.text import printable, printable_lines, without_waits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.flux.cluster.automation_landing import AutomationCommit
    from updater.flux.cluster.status_fields import Verdict
    from updater.model.problem import Problem

FORWARDED: Final = "event.toolkit.fluxcd.io/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What was said last of how an object stands."""

    is_ready: bool
    reason: str
    message: str


def said_by_status(status: Mapping[str, Any]) -> Said:
    """Return what a status says, as it is read at the start."""
    found = condition(status, READY)
    reason, message = str(found.get("reason", "")), str(found.get("message", ""))
    return Said(is_ready=found.get("status") == "True", reason=reason, message=message)


def said_by_verdict(verdict: Verdict) -> Said:
    """Return what is said from now on."""
    return Said(is_ready=verdict.is_ready, reason=verdict.reason, message=verdict.message)


def event_on_selection(before: Said, verdict: Verdict) -> Event | None:
    """Return what is told of an ImageRepository or ImagePolicy that now stands as *verdict* says; None is a trace."""
    if verdict.end is End.RUNNING:
        return None
    if not verdict.is_ready:
        return _warning(before, verdict)
    if before.is_ready and before.message == verdict.message:
        return None
    return Event(reason=verdict.reason, message=printable_lines(verdict.message))


def event_on_automation(before: Said, verdict: Verdict, pushed: AutomationCommit | None) -> Event | None:
    """Return what is told of an ImageUpdateAutomation whose last landing pushed *pushed*; None is a trace."""
    if verdict.end is End.RUNNING:
        return None
    if not verdict.is_ready:
        return _warning(before, verdict)
    if pushed is None and before.is_ready:
        return None
    return Event(reason=verdict.reason, message=printable_lines(pushed.summary if pushed else verdict.message))


def event_on_problem(problem: Problem) -> Event:
    """Return what is told of a place that the original skips in silence; the reason is the code in CamelCase."""
    reason = "".join(word.capitalize() for word in problem.code.split("-")) or "Skipped"
    said = printable(f"{problem}; {problem.hint}" if problem.hint else str(problem))
    return Event(reason=reason, message=f"{said} ({problem.code})", weight="Warning")


def forwarded_annotations(metadata: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the annotations of an object that travel with its Events."""
    found = metadata.get("annotations")
    items = found.items() if isinstance(found, dict) else ()
    return tuple((name, text) for name, text in items if name.startswith(FORWARDED) and isinstance(text, str))


def _warning(before: Said, verdict: Verdict) -> Event | None:
    """Return why an object is not Ready, once while that lasts."""
    is_same = before.reason == verdict.reason and without_waits(before.message) == without_waits(verdict.message)
    if not before.is_ready and is_same:
        return None
    return Event(reason=verdict.reason, message=printable_lines(verdict.message), weight="Warning")
