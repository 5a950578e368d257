"""Whether a candidate is exactly what a followed subscription offers; pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from updater.gates.promotion import shown
from updater.model.candidate import Candidate, Fact, FactRequest, Rank
from updater.model.selection import Code, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from updater.model.promotion import Offer

_DIGEST: Final = frozenset({Fact.DIGEST})
_COPY_HINT: Final = "copy the image with its digest to the registry of this subscription"


def is_offered(
    candidate: Candidate, offer: Offer, *, judge: Callable[[Candidate], object], standing: Rank | None
) -> Rejection | None:
    """Refuse a candidate of a tag that the followed subscription does not offer, or that it went back from; asks nobody."""
    key = offer.follows.subscription
    if not any(image.tag == candidate.tag for image in offer.promoted):
        return _refusal(candidate, offer)
    rank = judge(candidate)
    if standing is not None and isinstance(rank, Rank) and standing.order < rank.order:
        assert offer.standing is not None  # noqa: S101 - it has a rank
        sentence = f"{candidate.tag} ran well at {key}, which has gone back to {shown(offer.standing)} since"
        return Rejection(tag=candidate.tag, code=Code.FOLLOWS, sentence=sentence)
    return None


def exact(candidate: Candidate, offer: Offer) -> Candidate:
    """Return the build of this tag that was run, of which nothing else is known yet; the candidate itself where none was."""
    image = next((item for item in offer.promoted if item.tag == candidate.tag), None)
    if image is None:
        return candidate
    return replace(candidate, digest=image.digest, is_exact=True, labels=None, platforms=None, seen=None, failure=None)


def is_there(candidate: Candidate, offer: Offer) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
    """Hold an exact candidate that the registry does not serve: the followed subscription may have it from another one."""
    found = (yield FactRequest(candidate=candidate, facts=_DIGEST)) or candidate
    if found.failure is None:
        return found, None
    build = f"{candidate.tag}@{str(candidate.digest)[:19]}"
    sentence = f"{build}, which {offer.follows.subscription} ran, cannot be had here: {found.failure.message}"
    return candidate, Rejection(tag=candidate.tag, code=Code.FOLLOWS, sentence=sentence, hint=_COPY_HINT)


def unmoved(candidate: Candidate, offer: Offer) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
    """Refuse a candidate whose tag names another build by now than the one that was run; one that is exact is that one."""
    if candidate.is_exact:
        return candidate, None
    image = next(item for item in offer.promoted if item.tag == candidate.tag)
    candidate = (yield FactRequest(candidate=candidate, facts=_DIGEST)) or candidate
    if candidate.digest == image.digest:
        return candidate, None
    if candidate.digest is None:
        failure = candidate.failure
        sentence = failure.message if failure else f"the digest of {candidate.tag} is not known"
        return candidate, Rejection(tag=candidate.tag, code=failure.code if failure else Code.FOLLOWS, sentence=sentence)
    sentence = f"{candidate.tag} is {str(candidate.digest)[:19]} by now; {offer.follows.subscription} ran {shown(image)}"
    hint = "write the digest too (form: tag@digest), so that exactly what ran well can be written"
    return candidate, Rejection(tag=candidate.tag, code=Code.FOLLOWS, sentence=sentence, hint=hint)


def _refusal(candidate: Candidate, offer: Offer) -> Rejection:
    key, is_standing = offer.follows.subscription, offer.standing is not None and offer.standing.tag == candidate.tag
    opens_at = None
    if is_standing or offer.standing is None:
        sentence = f"{candidate.tag} waits for {key}: it {offer.reason}" if is_standing else f"{key}: {offer.reason}"
        opens_at = datetime.fromtimestamp(offer.opens_at, UTC) if is_standing and offer.opens_at is not None else None
    else:
        assert offer.standing is not None  # noqa: S101 - asked above
        sentence = f"{candidate.tag} is not what {key} runs, which is {shown(offer.standing)}"
    hint = "" if opens_at else f"updater explain {key} shows what holds it there"
    return Rejection(tag=candidate.tag, code=Code.FOLLOWS, sentence=sentence, hint=hint, opens_at=opens_at)
