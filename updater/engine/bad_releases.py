"""Holds what a person is to decide about: the newest commit of a subscription with `on_bad: hold` turned out bad. Pure.

The hold lasts as long as that commit stands: whoever reverts it, writes over it, or pins or releases the subscription ends it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.engine.decide import places_of
from updater.gates.answers import Gate, GateHold
from updater.model.decision import in_force, pin_of, readmitted_by
from updater.model.outcome import Status
from updater.model.release import OnBad
from updater.model.view import commits_for
from updater.model.written import says

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from updater.engine.decide import TargetDecision
    from updater.model.release import BadRelease
    from updater.model.subscription import Subscription
    from updater.model.view import PastCommit, View

    BadReleases = Callable[[str], BadRelease | None]

BAD_RELEASE: Final = "bad-release"


def bad_hold(view: View, subscription: Subscription, bad_of: BadReleases, now: float) -> GateHold | None:
    """Return the hold of a subscription whose newest release is bad, None where it is not, or not to be held."""
    if subscription.delivery is None or subscription.delivery.on_bad is not OnBad.HOLD:
        return None
    bad, past = bad_of(subscription.key), newest_commit(view.recent, subscription)
    if bad is None or past is None or past.revision != bad.revision or past.reverted_by is not None:
        return None
    decisions = in_force(subscription.decisions, now)
    if past.revision in readmitted_by(decisions) or pin_of(decisions) is not None or not _stands(view, subscription, bad):
        return None
    reason = f"{bad.image.tag or bad.image.digest} of commit {bad.revision[:9]} is bad: {bad.reason}; held for a person"
    hint = f"updater release {subscription.key} lets updates go on; to go back, revert the commit or pin a version"
    return GateHold(gate=Gate.RELEASE, code=BAD_RELEASE, reason=reason, hint=hint)


def newest_commit(recent: Sequence[PastCommit], subscription: Subscription) -> PastCommit | None:
    """Return the newest of our commits that wrote for *subscription*."""
    return next(commits_for(subscription.key, recent), None)


def told(decision: TargetDecision, hold: GateHold) -> TargetDecision:
    """Return a decision whose places say the hold where they would stay as they are."""
    places = tuple(
        place
        if place.status in {Status.FAILED, Status.HELD} or place.update is not None
        else replace(place, status=Status.HELD, detail=hold.reason, code=hold.code, hint=hold.hint, opens_at=None)
        for place in decision.places
    )
    return replace(decision, places=places)


def _stands(view: View, subscription: Subscription, bad: BadRelease) -> bool:
    """Return whether a place still says what is bad."""
    places = (place for index, _ in enumerate(subscription.targets) for place in places_of(view, subscription, index))
    return any(says(place.reading.written, bad.image) for place in places)
