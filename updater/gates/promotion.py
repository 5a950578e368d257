"""Promotion as a gate: what a followed subscription offers, and what the gate answers about it; pure.

What ran healthy for the whole time goes on being offered when the followed subscription moves on to something newer, so that
one that moves often starves nobody. It is no longer offered once it is bad, or once something older stands there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.gates.answers import Gate, GateHold, Open, length, moment
from updater.model.promotion import Follows, HealthyRun, Offer
from updater.model.selection import Code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.gates.answers import GateAnswer
    from updater.model.image import ImageRef

_NOBODY: Final = "no commit of updater is known there that the cluster runs"
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
    return f"runs {shown(run.image)} healthy since {moment(run.since)} and must be for {wanted}; held until {moment(opens_at)}"


def shown(image: ImageRef) -> str:
    """Return tag and digest, the digest short."""
    digest = str(image.digest)[:19] if image.digest else ""
    return "@".join(part for part in (image.tag, digest) if part)


def followed(offer: Offer) -> GateAnswer:
    """Return what the gate answers about what the followed subscription has now."""
    key = offer.follows.subscription
    if offer.standing is not None and offer.standing in offer.promoted:
        return Open(gate=Gate.FOLLOWS, reason=f"{key} {offer.reason}")
    older = f"; {', '.join(map(shown, offer.promoted))} ran for the time before" if offer.promoted else ""
    reason = f"{key}: {offer.reason}" if offer.standing is None else f"{key} {offer.reason}"
    return GateHold(gate=Gate.FOLLOWS, code=Code.FOLLOWS, reason=reason + older, opens_at=offer.opens_at)
