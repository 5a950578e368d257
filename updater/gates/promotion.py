"""Promotion as a gate: what a followed subscription offers, and whether a candidate is exactly that; pure.

What ran healthy for the whole time goes on being offered when the followed subscription moves on to something newer, so that
one that moves often starves nobody. It is no longer offered once it is bad, or once something older stands there.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from updater.gates.answers import Gate, GateHold, Open, length, moment
from updater.model.candidate import Candidate, Fact, FactRequest, Rank
from updater.model.promotion import Follows, HealthyRun, Offer
from updater.model.selection import Code, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from updater.gates.answers import GateAnswer
    from updater.model.image import ImageRef

_DIGEST: Final = frozenset({Fact.DIGEST})
_NOBODY: Final = "no commit of updater is known there that the cluster runs"
_COPY_HINT: Final = "copy the image with its digest to the registry of this subscription"
UNWATCHED: Final = "how it runs is known to updater run alone"


def unwatched(follows: Follows) -> Offer:
    """Return the offer of one of whom nothing is known here, because nobody watches."""
    return Offer(follows=follows, reason=UNWATCHED)


def offer_of(follows: Follows, runs: Iterable[HealthyRun], now: float) -> Offer:
    """Return what a subscription with *runs*, the latest first, offers to one that *follows* it."""
    promoted: list[ImageRef] = []
    spoilt: set[ImageRef] = set()
    standing: HealthyRun | None = None
    for run in runs:
        standing = run if run.is_standing else standing
        if run.is_bad:
            spoilt.add(run.image)
        is_now = not run.is_standing or run.until is None  # one that is not healthy at this moment is not taken
        is_exact = run.image.tag is not None and run.image.digest is not None
        if is_now and is_exact and run.image not in spoilt and run.healthy_for(now) >= follows.healthy_for:
            promoted.append(run.image)
    if standing is None:
        return Offer(follows=follows, promoted=tuple(promoted), reason=_NOBODY)
    opens_at = _opens_at(follows, standing)
    return Offer(
        follows=follows,
        promoted=tuple(dict.fromkeys(promoted)),
        standing=standing.image,
        reason=_said(follows, standing, opens_at, is_promoted=standing.image in promoted),
        opens_at=None if standing.image in promoted else opens_at,
        is_bad=standing.is_bad,
    )


def _opens_at(follows: Follows, run: HealthyRun) -> float | None:
    if run.is_bad or run.since is None or run.until is not None:
        return None
    return run.since + follows.healthy_for


def _said(follows: Follows, run: HealthyRun, opens_at: float | None, *, is_promoted: bool) -> str:
    wanted, why = length(follows.healthy_for), f": {run.reason}" if run.reason else ""
    if is_promoted:
        return f"ran {shown(run.image)} healthy for {wanted}"
    if run.is_bad:
        return f"runs {shown(run.image)}, which is bad{why}"
    if run.image.digest is None:
        return f"runs {shown(run.image)}, whose digest is not known yet"
    if run.image.tag is None:
        return f"runs {shown(run.image)}, whose tag is not known"
    if run.since is None or opens_at is None:
        return f"has {shown(run.image)}, which is not healthy{why}; it must be for {wanted}"
    return f"runs {shown(run.image)} healthy since {moment(run.since)} and must for {wanted}; held until {moment(opens_at)}"


def shown(image: ImageRef) -> str:
    """Return tag and digest, the digest short."""
    digest = str(image.digest)[:19] if image.digest else ""
    return "@".join(part for part in (image.tag, digest) if part)


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


def followed(offer: Offer) -> GateAnswer:
    """Return what the gate answers about what the followed subscription has now."""
    key = offer.follows.subscription
    if offer.standing is not None and offer.standing in offer.promoted:
        return Open(gate=Gate.FOLLOWS, reason=f"{key} {offer.reason}")
    older = f"; {', '.join(map(shown, offer.promoted))} ran for the time before" if offer.promoted else ""
    reason = f"{key}: {offer.reason}" if offer.standing is None else f"{key} {offer.reason}"
    return GateHold(gate=Gate.FOLLOWS, code=Code.FOLLOWS, reason=reason + older, opens_at=offer.opens_at)
