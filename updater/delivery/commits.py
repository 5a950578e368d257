"""Which of our commits are releases, read from what a landing saw: so that nothing is lost with the program or its cache."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from updater.errors import ImageSyntaxError
from updater.model.image import ImageRef, parse_digest, parse_ref
from updater.model.outcome import Status
from updater.model.release import Release
from updater.model.view import commits_for
from updater.model.written import says

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.model.report import DestinationLanded
    from updater.model.subscription import Subscription
    from updater.model.view import PastCommit
    from updater.model.written import Written

_WRITTEN_NOW = frozenset({Status.UPDATED, Status.REVERTED})


def release_of(subscription: Subscription, report: DestinationLanded) -> Release | None:
    """Return the release of *subscription* at a destination: what this landing pushed, else our newest commit that still stands.

    None where we wrote nothing there, or where somebody has written another value since.
    """
    if subscription.key not in report.written:
        return None
    found = None if report.destination.is_rebuilt else _pushed(subscription, report)
    found = found or _newest(subscription, report.recent)
    if found is not None and report.destination.method != "git":  # each write stands for itself: an Application has no commits
        found = replace(found, revision=f"{report.destination} {found.image}", is_live=True)
    return found if found is not None and _stands(found.image, report.written[subscription.key]) else None


def _pushed(subscription: Subscription, report: DestinationLanded) -> Release | None:
    for outcome in report.outcomes:
        if outcome.key == subscription.key and outcome.revision and outcome.status in _WRITTEN_NOW:
            for move in outcome.moves:
                image = _image(subscription, move.new)
                if image is not None:
                    is_revert = outcome.status is Status.REVERTED
                    return Release(
                        subscription=subscription.key,
                        revision=outcome.revision,
                        image=image,
                        began=report.at,
                        is_revert=is_revert,
                    )
    return None


def _newest(subscription: Subscription, recent: Iterable[PastCommit]) -> Release | None:
    """Return the newest of our commits that wrote *subscription*, as its trailers say."""
    for past in commits_for(subscription.key, recent):
        moves = past.moves_of(subscription.key)
        if not moves:
            continue
        image = next(filter(None, (_named(text, subscription, moves[0].new) for text in past.images)), None)
        if past.reverted_by is not None or image is None:
            return None
        is_revert = bool(past.rejected_of(subscription.key))
        return Release(subscription=subscription.key, revision=past.revision, image=image, began=past.when, is_revert=is_revert)
    return None


def _named(text: str, subscription: Subscription, value: str) -> ImageRef | None:
    """Return the image of a trailer where it is the one that was written as *value*, a tag or a digest."""
    try:
        ref = parse_ref(text)
    except ImageSyntaxError:
        return None
    if ref.name != subscription.image:
        return None
    tag, _, digest = value.partition("@")
    return ref if ref.tag == tag or str(ref.digest) in {value, digest} else None


def _image(subscription: Subscription, written: Written) -> ImageRef | None:
    try:
        digest = parse_digest(written.digest) if written.digest else None
    except ImageSyntaxError:
        return None
    return ImageRef(name=subscription.image, tag=written.tag, digest=digest) if written.tag or digest else None


def _stands(image: ImageRef, written: Iterable[Written]) -> bool:
    """Return whether every place still says *image*."""
    values = tuple(written)
    return bool(values) and all(says(value, image) for value in values)
