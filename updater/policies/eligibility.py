"""Decide whether a candidate is eligible: it was not reverted, it runs on every required platform, and it is old enough."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from updater.gates.answers import length, moment
from updater.model.candidate import Fact, FactRequest
from updater.model.selection import Code, Rejection, RolledBack, Superseded
from updater.policies.people import RELEASE_HINT

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from datetime import datetime

    from updater.model.candidate import Candidate
    from updater.model.image import Digest, Platform
    from updater.model.selection import RevertedImage

_DIGEST: Final = frozenset({Fact.DIGEST})
_PLATFORMS: Final = frozenset({Fact.PLATFORMS})
_SEEN: Final = frozenset({Fact.SEEN})
_SEEN_NOW: Final = frozenset({Fact.SEEN, Fact.DIGEST})
_AGE_HINT: Final = "to write it earlier, pin its tag: updater pin KEY {tag}, and updater release KEY afterwards; or lower min_age"


def not_taken_back(
    candidate: Candidate, rejected: Mapping[str, RevertedImage]
) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
    """Refuse a candidate that people took back with `git revert`; another build under the same tag is another candidate."""
    decision = rejected.get(candidate.tag)
    if decision is None or isinstance(decision, Superseded | RolledBack):
        return candidate, None
    if decision.digest is not None:
        if candidate.digest is None:
            candidate = (yield FactRequest(candidate=candidate, facts=_DIGEST)) or candidate
        if candidate.digest not in {None, decision.digest}:
            return candidate, None
    sentence = f"{candidate.tag} was reverted by commit {decision.by[:9]}"
    return candidate, Rejection(tag=candidate.tag, code=Code.REJECTED, sentence=sentence, hint=RELEASE_HINT)


def not_replaced(
    candidate: Candidate, rejected: Mapping[str, RevertedImage]
) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
    """Refuse a tag that our own commit replaced by one found newer, unless it is another image by now."""
    past = rejected.get(candidate.tag)
    if not isinstance(past, Superseded):
        return candidate, None
    if past.digest is not None:
        if candidate.digest is None:
            candidate = (yield FactRequest(candidate=candidate, facts=_DIGEST)) or candidate
        if candidate.digest is not None and candidate.digest not in past.digests:
            return candidate, None
    sentence = f"{candidate.tag} was replaced by commit {past.by[:9]} under the same policy"
    return candidate, Rejection(tag=candidate.tag, code=Code.SUPERSEDED, sentence=sentence)


def eligible(
    candidate: Candidate, platforms: Sequence[Platform]
) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
    """Ask for the platforms of a candidate, if any is wanted, and refuse it where it lacks one.

    Returns the candidate with what became known. A candidate whose platforms cannot be had is refused: what
    is not known to run is not written.
    """
    if not platforms:
        return candidate, None
    if candidate.platforms is None and candidate.failure is None:
        candidate = (yield FactRequest(candidate=candidate, facts=_PLATFORMS)) or candidate
    return candidate, _refusal(candidate, platforms)


def old_enough(
    candidate: Candidate, min_age: float, *, now: datetime, written: Digest | None
) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
    """Refuse a candidate whose digest was seen first less than *min_age* seconds before *now*, unless it is the *written* one.

    What was known of the tag answers first; one that is old enough is resolved again, since a tag may have been pushed anew.
    """
    for facts in (_SEEN, _SEEN_NOW):
        candidate = (yield FactRequest(candidate=candidate, facts=facts)) or candidate
        if written is not None and candidate.digest == written:
            return candidate, None
        refusal = _too_young(candidate, min_age, now)
        if refusal is not None:
            return candidate, refusal
    return candidate, None


def _too_young(candidate: Candidate, min_age: float, now: datetime) -> Rejection | None:
    tag, seen = candidate.tag, candidate.seen
    if seen is None:
        if candidate.failure is not None:
            return Rejection(tag=tag, code=candidate.failure.code, sentence=candidate.failure.message)
        sentence = f"when {tag} was first seen is not known yet; it must be {length(min_age)} old"
        return Rejection(tag=tag, code=Code.MIN_AGE, sentence=sentence, hint=_AGE_HINT.format(tag=tag))
    opens_at = seen + timedelta(seconds=min_age)
    if opens_at <= now:
        return None
    since, until = (moment(at.timestamp()) for at in (seen, opens_at))
    sentence = f"{tag} was first seen at {since} and must be {length(min_age)} old; held until {until}"
    return Rejection(tag=tag, code=Code.MIN_AGE, sentence=sentence, hint=_AGE_HINT.format(tag=tag), opens_at=opens_at)


def _refusal(candidate: Candidate, platforms: Sequence[Platform]) -> Rejection | None:
    if candidate.platforms is None and candidate.failure is not None:
        return Rejection(tag=candidate.tag, code=candidate.failure.code, sentence=candidate.failure.message)
    if candidate.platforms is None:
        wanted = ", ".join(map(str, platforms))
        return Rejection(
            tag=candidate.tag, code=Code.PLATFORM, sentence=f"the platforms of {candidate.tag} are not known; required: {wanted}"
        )
    offered = candidate.platforms
    lacking = [str(wanted) for wanted in platforms if not any(wanted.accepts(platform) for platform in offered)]
    if not lacking:
        return None
    listed = ", ".join(sorted({str(platform) for platform in offered})) or "no platform"
    sentence = f"{candidate.tag} is not for {', '.join(lacking)}; it is for {listed}"
    return Rejection(tag=candidate.tag, code=Code.PLATFORM, sentence=sentence)
