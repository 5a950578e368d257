"""Which image of an Application moved, from which version to which, as the peer's Events and statuses write versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from updater.errors import ImageSyntaxError
from updater.model.image import parse_name
from updater.model.outcome import Status

if TYPE_CHECKING:
    from updater.argocd.request.subscriptions import ImageTranslation
    from updater.model.image import ImageName
    from updater.model.outcome import Outcome
    from updater.model.written import Written


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMove:
    """One image of one Application (``namespace/name``) that was written; *old* is "" where nothing stood there or ran.

    *alias* is the image's path where it has none. Versions are tags, digests, or ``tag@digest``.
    """

    application: str
    alias: str
    image: ImageName
    old: str
    new: str


def move_of(answer: ImageTranslation, outcome: Outcome) -> ImageMove | None:
    """Return the move that an outcome tells of; None where nothing was written."""
    subscription = answer.subscription
    if subscription is None or outcome.status is not Status.UPDATED:
        return None
    image = subscription.image
    first = next(iter(outcome.moves), None)
    if first is None:
        return None
    return ImageMove(
        application=answer.application,
        alias=answer.alias or image.path,
        image=image,
        old=_version(first.old, image),
        new=_version(first.new, image),
    )


def _version(written: Written, image: ImageName) -> str:
    """Return the version of *image* that is written; the whole reference where it is to another image."""
    if written.name is not None and not _is_of(written.name, image):
        return str(written)
    return "@".join(part for part in (written.tag, written.digest) if part)


def _is_of(text: str, image: ImageName) -> bool:
    try:
        return parse_name(text) == image
    except ImageSyntaxError:
        return False
