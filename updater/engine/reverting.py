"""Takes a bad release back: the very values that our commit wrote become the last ones that ran well, and nothing else. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.engine.decide import PlaceDecision, needs_digest, places_of
from updater.engine.place_image import differs, wanted_image
from updater.errors import ImageSyntaxError
from updater.model.candidate import Candidate
from updater.model.decision import hold_of, pin_of
from updater.model.image import ImageRef, parse_ref
from updater.model.outcome import Status
from updater.model.update import Purpose, Update
from updater.model.view import commits_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.engine.decide import Place, TargetDecision
    from updater.model.release import RevertOrder
    from updater.model.subscription import Subscription
    from updater.model.view import PastCommit, Reading, View

_CONFLICT: Final = "conflict"  # another subscription keeps the place
REVERT_HELD: Final = "revert-held"


def with_reverts(
    view: View, decisions: tuple[TargetDecision, ...], order_of: Callable[[str], RevertOrder | None]
) -> tuple[TargetDecision, ...]:
    """Return *decisions* with those values taken back for which there is an order, as far as they stand as we wrote them.

    Where somebody else has written since, or where people hold or pin the subscription, nothing is taken back.
    """
    if view.destination.method != "git":
        return decisions
    return tuple(
        _reverted(view, decision, order) if (order := order_of(decision.subscription.key)) is not None else decision
        for decision in decisions
    )


def _reverted(view: View, decision: TargetDecision, order: RevertOrder) -> TargetDecision:
    subscription = decision.subscription
    past = _newest(view, subscription)
    if past is None or past.revision != order.revision:
        return decision
    order = replace(order, bad=_identified(past, order.bad))
    foreign = None if order.is_kept else _foreign(view, past, subscription, order.good)
    places = list(decision.places)
    for number, place in enumerate(places_of(view, subscription, decision.index)):
        if number < len(places) and places[number].code != _CONFLICT and _is_ours(place.reading, order.bad):
            places[number] = _taken_back(place, order) if foreign is None else _held(f"{_reason(order)}; {foreign}")
    return replace(decision, places=tuple(places))


def _taken_back(place: Place, order: RevertOrder) -> PlaceDecision:
    subscription, reading = place.subscription, place.reading
    hold = hold_of(subscription.decisions) or pin_of(subscription.decisions)
    reason = _reason(order)
    if hold is not None:
        return PlaceDecision(status=Status.HELD, detail=f"{reason}; {hold.sentence}", code=hold.code)
    if needs_digest(place.target, reading) and order.good.digest is None:
        return _held(f"{reason}; the digest of {order.good.tag}, which ran before, is not known")
    if order.good.tag is None:
        return _held(f"{reason}; the tag of {order.good.digest}, which ran before, is not known")
    good = Candidate(tag=order.good.tag, digest=order.good.digest)
    image = wanted_image(subscription, place.target, reading, good)
    if not differs(reading, image):
        return _held(f"{reason}; it is what ran before")
    update = Update(
        subscription=subscription.key,
        target=place.target,
        reading=reading,
        image=image,
        written_as=ImageRef(name=subscription.image, tag=good.tag, digest=good.digest),
        policy=str(subscription.policy),
        origin=subscription.origin.in_commits,
        purpose=Purpose.REVERT,
        rejected=order.bad,
        why=reason,
    )
    return PlaceDecision(status=Status.REVERTED, detail=f"back to {good.tag}: {reason}", update=update)


def _reason(order: RevertOrder) -> str:
    return f"{order.bad.tag or order.bad.digest} is bad: {order.reason}"


def _foreign(view: View, past: PastCommit, subscription: Subscription, good: ImageRef) -> str | None:
    """Return why what we remember is not to be written: somebody else had written another value before our commit."""
    written = {move.new for item in view.recent for move in item.moves_of(subscription.key)}
    for _, old, _ in past.moves_of(subscription.key):
        if old not in written and old.partition("@")[0] != good.tag:
            return f"{old}, which it replaced, was not written by updater, and {good.tag} ran before that"
    return None


def _held(detail: str) -> PlaceDecision:
    return PlaceDecision(
        status=Status.HELD, detail=detail, code=REVERT_HELD, hint="revert the commit by hand, or write the version that you want"
    )


def _newest(view: View, subscription: Subscription) -> PastCommit | None:
    """Return the newest of our commits that wrote for *subscription* and was not taken back."""
    return next((past for past in commits_for(subscription.key, view.recent) if past.reverted_by is None), None)


def _identified(past: PastCommit, image: ImageRef) -> ImageRef:
    """Return *image* with the digest that the commit names for its tag: another build under that tag is another image."""
    for text in past.images:
        try:
            ref = parse_ref(text)
        except ImageSyntaxError:
            continue
        if ref.name == image.name and ref.tag == image.tag and image.digest is None:
            return replace(image, digest=ref.digest)
    return image


def _is_ours(reading: Reading, bad: ImageRef) -> bool:
    """Return whether a place still says what our commit wrote."""
    written = reading.written
    if reading.is_missing or (written.tag is None and written.digest is None):
        return False
    is_tag = written.tag is None or written.tag == bad.tag
    return is_tag and (written.digest is None or written.digest == str(bad.digest))
