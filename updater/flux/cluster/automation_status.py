"""The status of an ImageUpdateAutomation: what its last landing read, pushed and could not do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from updater.flux.cluster.automation_landing import ready_text
from updater.flux.cluster.status_fields import (
    LAST_HANDLED,
    SUCCEEDED,
    End,
    Verdict,
    fault_verdict,
    is_time_due,
    new_generation,
    status_to_write,
)
from updater.model.moments import rfc3339
from updater.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from updater.controller.objects import KeptObject
    from updater.flux.cluster.automation_landing import AutomationCommit, AutomationLanding
    from updater.flux.cluster.policy_status import SelectedRef
    from updater.flux.request.requests import AutomationRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationFacts:
    """What the status of one ImageUpdateAutomation is made of.

    *policies* are what the policies that it selects had selected when the last landing that went well ended, by name. *push* is
    the last one that is known, perhaps of an earlier landing. Without *has_targets* no landing will be told of.
    """

    request: AutomationRequest
    kept: KeptObject
    landing: AutomationLanding | None = None
    policies: Mapping[str, SelectedRef] = field(default_factory=dict)
    push: AutomationCommit | None = None
    has_targets: bool = True
    is_handled: bool = False

    def answers(self, seen: datetime) -> bool:
        """Return whether a request that was *seen* then has been done: by a landing that began after it."""
        if self.request.fault is not None or not self.has_targets:
            return True
        return self.landing is not None and self.landing.began >= seen


def automation_verdict(facts: AutomationFacts) -> Verdict:
    """Return how an ImageUpdateAutomation stands, in the words of the original."""
    fault = facts.request.fault
    progress = new_generation(facts.kept)
    if fault is not None:
        return fault_verdict(fault, progress)
    if facts.landing is not None:
        found = facts.landing.verdict
        return Verdict(end=found.end, reason=found.reason, message=found.message, progress=progress)
    if not facts.has_targets:
        missing = Problem(path="", code="no-policy", message="no ImagePolicy with a selected tag is selected")
        return Verdict(end=End.READY, reason=SUCCEEDED, message=ready_text([missing]))
    return Verdict(end=End.RUNNING, progress=progress)


def automation_status(facts: AutomationFacts, now: str) -> dict[str, Any] | None:
    """Return the status to write at *now* (RFC 3339), None where the present one says the same or the object is suspended."""
    request, landing, before = facts.request, facts.landing, facts.kept.status
    if request.is_suspended:
        return None
    fields: dict[str, Any] = {}
    if request.requested_at and facts.is_handled:
        fields[LAST_HANDLED] = request.requested_at
    is_due = False
    if landing is not None and request.fault is None:
        fields["lastAutomationRunTime"] = rfc3339(landing.began)
        is_due = is_time_due(before.get("lastAutomationRunTime"), request.interval, now)
        if landing.failure is None:
            fields["observedPolicies"] = {name: ref.fields for name, ref in sorted(facts.policies.items())} or None
            fields["observedSourceRevision"] = landing.observed or None
    if facts.push is not None:
        fields["lastPushCommit"] = facts.push.revision
        fields["lastPushTime"] = rfc3339(facts.push.at)
    return status_to_write(facts.kept, automation_verdict(facts), fields, now=now, is_due=is_due)
