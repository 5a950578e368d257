"""The status of an ImagePolicy: the tag that it selected last, when its digest is kept, and why it selects none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.documents.members import mapping_in
from updater.errors import ImageSyntaxError
from updater.flux.cluster.status_fields import (
    LAST_HANDLED,
    SUCCEEDED,
    End,
    Verdict,
    fault_verdict,
    members_replaced,
    new_generation,
    status_to_write,
)
from updater.flux.request.requests import DigestReflection
from updater.model.image import ImageRef, is_tag, parse_digest, parse_name
from updater.model.selection import Code
from updater.policies.guards import INCOMPLETE_LIST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from updater.controller.objects import KeptObject
    from updater.flux.cluster.repository_status import RepositoryScan
    from updater.flux.request.requests import ImagePolicyRequest, ImageRepositoryRequest
    from updater.model.report import SelectionReflected
    from updater.model.selection import Selection

CHOSEN: Final = frozenset({"updated", "unchanged"})
#: what the original says where its kinds of policies select nothing
_NOTHING: Final = {
    "semver": "unable to determine latest version from provided list",
    "alphabetical": "version list argument cannot be empty",
    "numerical": "version list argument cannot be empty",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedRef:
    """An image as a status names it: *name* is that of the ImageRepository as it is written there."""

    name: str
    tag: str
    digest: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """What a status has."""
        return {"name": self.name, "tag": self.tag} | ({"digest": self.digest} if self.digest else {})

    @property
    def image(self) -> ImageRef | None:
        """The image that it names, None where the texts name none."""
        try:
            name, digest = parse_name(self.name), parse_digest(self.digest) if self.digest else None
        except ImageSyntaxError:
            return None
        return ImageRef(name=name, tag=self.tag, digest=digest) if is_tag(self.tag) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRefs:
    """What an ImagePolicy selected last, and before that."""

    latest: SelectedRef | None = None
    previous: SelectedRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflection:
    """What became of the last selection of an ImagePolicy: from when to when; *failure* is the verdict where it selected none."""

    began: datetime
    at: datetime
    failure: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFacts:
    """What the status of one ImagePolicy is made of.

    *refs* are what it selected. *repository* is its ImageRepository and *scan* the last one for it, None where there is none.
    *is_fixed* says that nothing is selected because the ImageRepository is suspended: what was selected last stays. *is_owed*
    says that *refs* were selected and no status told them yet.
    """

    request: ImagePolicyRequest
    kept: KeptObject
    refs: PolicyRefs = PolicyRefs()
    reflection: Reflection | None = None
    repository: ImageRepositoryRequest | None = None
    scan: RepositoryScan | None = None
    is_fixed: bool = False
    is_owed: bool = False
    is_handled: bool = False

    def answers(self, seen: datetime) -> bool:
        """Return whether a request that was *seen* then has been done: by a selection that began after it."""
        if self.request.fault is not None or self.is_fixed:
            return True
        done = self.reflection or self.scan
        return done is not None and done.began >= seen


def refs_in(status: Mapping[str, Any]) -> PolicyRefs:
    """Return what a status says was selected."""
    return PolicyRefs(latest=_ref_in(status, "latestRef"), previous=_ref_in(status, "observedPreviousRef"))


def refs_after(request: ImagePolicyRequest, name: str, selection: Selection, before: PolicyRefs) -> PolicyRefs:
    """Return what is selected after *selection*, which has a chosen tag; *name* is that of the ImageRepository.

    Whether the digest is kept, replaced or left out is what digestReflectionPolicy says.
    """
    chosen, old = selection.chosen, before.latest
    assert chosen is not None  # noqa: S101 - only such selections are handed over
    digest = ""
    if request.reflection is not DigestReflection.NEVER:
        found = chosen.digest or selection.digests.get(chosen.tag)
        digest = str(found) if found else ""
    is_kept = request.reflection is DigestReflection.IF_NOT_PRESENT and old is not None and bool(old.digest)
    if is_kept and old is not None and (old.name, old.tag) == (name, chosen.tag):
        digest = old.digest
    latest = SelectedRef(name=name, tag=chosen.tag, digest=digest)
    return before if latest == old else PolicyRefs(latest=latest, previous=old)


def is_undecided(report: SelectionReflected, scan: RepositoryScan | None) -> bool:
    """Return whether nothing was selected because nothing new is known: no scan, a list in doubt, or what is new is too young.

    What was selected before stands then, as in the original, which evaluates the tags that it has.
    """
    if report.selection is not None:
        return report.selection.code in {INCOMPLETE_LIST, Code.MIN_AGE, Code.FOLLOWS}
    return scan is not None and scan.failure is not None and scan.tags is not None


def failure_of(request: ImagePolicyRequest, report: SelectionReflected, scan: RepositoryScan | None, name: str) -> Verdict | None:
    """Return why a report has no selection, None where it has one."""
    failure, selection = report.failure, report.selection
    if failure is not None and (scan is None or scan.tags is None):
        return _not_ready(failure.told)
    if failure is not None and request.reflection is not DigestReflection.NEVER:
        return Verdict(end=End.FAILED, reason="Failed", message=f"failed fetching digest of {name}: {failure.told}")
    if failure is not None:
        return Verdict(end=End.FAILED, reason="Failure", message=failure.told)
    if selection is None or selection.chosen is None or selection.status not in CHOSEN:
        said = _NOTHING.get(request.policy.kind if request.policy else "", "nothing is selected")
        detail = selection.detail if selection is not None else ""
        return Verdict(end=End.FAILED, reason="Failure", message=f"{said}: {detail}" if detail else said)
    return None


def ready_message(refs: PolicyRefs) -> str:
    """Return what the Ready condition says of what was selected."""
    latest, previous = refs.latest, refs.previous
    if latest is None:
        return ""
    message = f"Latest image tag for {latest.name} resolved to {latest.tag}"
    if latest.digest:
        message += f" with digest {latest.digest}"
    if previous is not None and previous != latest:
        old = f"{previous.name}:{previous.tag}" + (f"@{previous.digest}" if previous.digest else "")
        message += f" (previously {old})"
    return message


def policy_verdict(facts: PolicyFacts) -> Verdict:
    """Return how an ImagePolicy stands, in the words of the original."""
    verdict = _verdict(facts)
    return Verdict(end=verdict.end, reason=verdict.reason, message=verdict.message, progress=new_generation(facts.kept))


def policy_status(facts: PolicyFacts, now: str) -> dict[str, Any] | None:
    """Return the status to write at *now* (RFC 3339), None where the present one says the same or the object is suspended.

    What was selected stays where nothing is selected now. What was selected before the object was suspended is all that is
    written then: it may be committed already, and automations go on to write it.
    """
    request, refs = facts.request, facts.refs
    selected: dict[str, Any] = {}
    if refs.latest is not None:
        selected["latestRef"] = refs.latest.fields
        selected["observedPreviousRef"] = refs.previous.fields if refs.previous else None
    if request.is_suspended:
        return members_replaced(facts.kept.status, selected) if facts.is_owed and selected else None
    fields: dict[str, Any] = dict(selected)
    if request.requested_at and facts.is_handled:
        fields[LAST_HANDLED] = request.requested_at
    return status_to_write(facts.kept, policy_verdict(facts), fields, now=now)


def _verdict(facts: PolicyFacts) -> Verdict:
    fault = facts.request.fault
    if fault is not None:
        return fault_verdict(fault)
    ready = Verdict(end=End.READY, reason=SUCCEEDED, message=ready_message(facts.refs))
    if facts.is_fixed and facts.refs.latest is not None:
        return ready
    if facts.reflection is None:
        scan = facts.scan
        if scan is not None and scan.tags is None and scan.failure is not None:
            return _not_ready(scan.failure.told)
        repository_fault = facts.repository.fault if facts.repository else None
        return _not_ready(repository_fault.message) if repository_fault else Verdict(end=End.RUNNING)
    return facts.reflection.failure or ready


def _not_ready(why: str) -> Verdict:
    message = f"retrying after the next scan of the ImageRepository error: no tags in database: {why}"
    return Verdict(end=End.FAILED, reason="DependencyNotReady", message=message)


def _ref_in(status: Mapping[str, Any], name: str) -> SelectedRef | None:
    found = mapping_in(status, name)
    texts = [found.get(part) if isinstance(found.get(part), str) else "" for part in ("name", "tag", "digest")]
    return SelectedRef(name=texts[0] or "", tag=texts[1] or "", digest=texts[2] or "") if texts[0] and texts[1] else None
