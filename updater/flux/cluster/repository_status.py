"""The status of an ImageRepository: what its last scan found, in the fields and words that its owner defines."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from updater.documents.members import list_in, mapping_in
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
from updater.model.image import DOCKER_HUB
from updater.model.moments import rfc3339
from updater.policies.filters import searches_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from updater.controller.objects import KeptObject
    from updater.flux.request.requests import ImageRepositoryRequest
    from updater.model.candidate import FactFailure
    from updater.model.image import ImageName

MOST_LATEST: Final = 10
ALMOST_DUE: Final = 1.0
#: codes of failures for which no credential could be had: the registry was not asked
_UNAUTHENTICATED: Final = ("credential", "secret", "pull-secret", "token")


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSummary:
    """What a status says of the tags of an image: how many, the checksum of them all, and the first ones in descending order."""

    count: int
    revision: str
    latest: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryScan:
    """The last scan for an ImageRepository: from when to when, and what it found; *failure* is what stood in the way.

    *tags* is None where no scan ever went well; *mark* tells the names that they are made of from others.
    """

    began: datetime
    at: datetime
    tags: TagSummary | None
    failure: FactFailure | None = None
    mark: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFacts:
    """What the status of one ImageRepository is made of. *is_handled* says that what was requested last has been done."""

    request: ImageRepositoryRequest
    kept: KeptObject
    scan: RepositoryScan | None = None
    is_handled: bool = False

    def answers(self, seen: datetime) -> bool:
        """Return whether a request that was *seen* then has been done: by a scan that began after it."""
        return self.request.fault is not None or (self.scan is not None and self.scan.began >= seen)


@dataclass(frozen=True, slots=True)
class ScanDecision:
    """Whether a scan is due, and why; *wait* is in seconds where it is not."""

    reason: str
    wait: float = 0.0


def summarize(names: Iterable[str], exclusions: Sequence[str]) -> TagSummary:
    """Return what a status says of the tags *names* without those that one of *exclusions* finds; raise `PolicyError`."""
    is_excluded = searches_any(tuple(exclusions))
    stored = sorted((name for name in names if not is_excluded(name)), reverse=True)
    return TagSummary(count=len(stored), revision=revision_of(stored), latest=tuple(stored[:MOST_LATEST]))


def revision_of(stored: Sequence[str]) -> str:
    """Return the checksum of tags in the order in which the original stores them: Adler-32 of their JSON, in decimal."""
    return str(zlib.adler32(json.dumps(list(stored), separators=(",", ":"), ensure_ascii=False).encode()))


def canonical_name(image: ImageName) -> str:
    """Return an image name with everything that is implied: ``index.docker.io/library/alpine``."""
    return f"index.{image.canonical}" if image.registry == DOCKER_HUB else image.canonical


def decide_scan(facts: RepositoryFacts, now: datetime) -> ScanDecision:
    """Return why the original would scan at *now*, by what the status says; it is told while a scan goes on or fails."""
    request, status = facts.request, facts.kept.status
    result = mapping_in(status, "lastScanResult")
    if not result:
        return ScanDecision("first scan")
    if request.requested_at and request.requested_at != status.get(LAST_HANDLED, ""):
        return ScanDecision("reconcile requested")
    if request.image is not None and canonical_name(request.image) != status.get("canonicalImageName"):
        return ScanDecision("new image name")
    if set(request.exclusions) != {item for item in list_in(status, "observedExclusionList") if isinstance(item, str)}:
        return ScanDecision("updated exclusion list")
    try:
        scanned = datetime.fromisoformat(str(result.get("scanTime")))
        wait = request.interval - (now - scanned).total_seconds()
    except (ValueError, TypeError):
        wait = 0.0
    return ScanDecision("triggered by interval") if wait < ALMOST_DUE else ScanDecision("", wait)


def repository_verdict(facts: RepositoryFacts) -> Verdict:
    """Return how an ImageRepository stands, in the words of the original."""
    fault, scan = facts.request.fault, facts.scan
    if fault is not None:
        return fault_verdict(fault, new_generation(facts.kept))
    if scan is None:
        return Verdict(end=End.RUNNING, progress=new_generation(facts.kept))
    failure = scan.failure
    if failure is not None:
        is_unasked = failure.code.startswith(_UNAUTHENTICATED)
        reason = "AuthenticationFailed" if is_unasked else "ReadOperationFailed"
        said = "failed to configure authentication options" if is_unasked else "scan failed"
        why = decide_scan(facts, scan.at).reason or "triggered by interval"
        return Verdict(end=End.FAILED, reason=reason, message=f"{said}: {failure.told}", progress=f"scanning: {why}")
    tags = scan.tags or summarize((), ())
    message = f"successful scan: found {tags.count} tags with checksum {tags.revision}"
    return Verdict(end=End.READY, reason=SUCCEEDED, message=message)


def repository_status(facts: RepositoryFacts, now: str) -> dict[str, Any] | None:
    """Return the status to write at *now* (RFC 3339), None where the present one says the same or the object is suspended."""
    request, before = facts.request, facts.kept.status
    if request.is_suspended:
        return None
    verdict = repository_verdict(facts)
    fields: dict[str, Any] = {}
    if request.requested_at and facts.is_handled:
        fields[LAST_HANDLED] = request.requested_at
    scan, is_due = facts.scan, False
    if verdict.end is End.READY and scan is not None and scan.tags is not None and request.image is not None:
        fields["canonicalImageName"] = canonical_name(request.image)
        fields["observedExclusionList"] = list(request.exclusions) or None
        result: dict[str, Any] = {"revision": scan.tags.revision, "tagCount": scan.tags.count, "scanTime": rfc3339(scan.at)}
        if scan.tags.latest:
            result["latestTags"] = list(scan.tags.latest)
        fields["lastScanResult"] = result
        is_due = is_time_due(mapping_in(before, "lastScanResult").get("scanTime"), request.interval, now)
    return status_to_write(facts.kept, verdict, fields, now=now, is_due=is_due)
