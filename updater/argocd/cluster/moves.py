"""Which image moved, from which version to which, where an outcome only tells the texts that were exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from updater.errors import ImageSyntaxError
from updater.model.image import parse_ref
from updater.model.outcome import Status
from updater.model.written import Written

if TYPE_CHECKING:
    from updater.argocd.request.subscriptions import ImageTranslation
    from updater.model.image import ImageName
    from updater.model.outcome import Outcome


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
    versions = [(_version(change.old, image), _version(change.new, image)) for change in outcome.changes]
    old, new = next(((old, new) for old, new in versions if new), ("", ""))
    old = old or _version(_ran(outcome.detail), image)
    return ImageMove(
        application=answer.application, alias=answer.alias or image.path, image=image, old=old, new=new or outcome.detail
    )


def _ran(detail: str) -> str:
    """Return what ran before the first override: nothing was written then, and only the decision, ``old → new``, knows it."""
    old, arrow, _ = detail.partition(" → ")
    return old if arrow and old != str(Written()) else ""


def _version(text: str, image: ImageName) -> str:
    """Return the version in a text that was written: a reference to *image*, the entry of a kustomization, or a bare version."""
    text = text.rpartition("=")[2]
    try:
        ref = parse_ref(text)
    except ImageSyntaxError:
        return text.removeprefix("@")
    if ref.name != image:
        return text
    return "@".join(part for part in (ref.tag, str(ref.digest) if ref.digest else None) if part)
