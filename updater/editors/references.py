"""Read the parts of a written image leniently, and return what to write for each part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.errors import EditError, ImageSyntaxError
from updater.model.image import DOCKER_HUB, parse_ref
from updater.model.view import Part, PartKind
from updater.model.written import Written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.model.image import ImageName, ImageRef

_HUB_PREFIX: Final = "docker.io/"
# Looked up once, as a member of an enumeration is slow to find and these are asked for at every place.
_REFERENCE: Final = PartKind.REFERENCE
_NAME: Final = PartKind.NAME
_TAG: Final = PartKind.TAG
_DIGEST: Final = PartKind.DIGEST


def split(text: str) -> Written:
    """Read ``name[:tag][@digest]`` from any text: what is no valid reference is still cut into its parts."""
    name, at, digest = text.partition("@")
    tag = None
    if name.rfind(":") > name.rfind("/"):
        name, _, tag = name.rpartition(":")
    return Written(name=name or None, tag=tag or None, digest=digest if at and digest else None)


def written(parts: Iterable[Part]) -> Written:
    """Put together what the parts of a place say of their image."""
    name = tag = digest = None
    for part in parts:
        if part.kind is _REFERENCE:
            return split(part.text)
        if part.kind is _NAME:
            name = part.text or None
        elif part.kind is _DIGEST:
            digest = part.text or None
        else:
            tag, _, digest_behind = part.text.partition("@")
            tag, digest = tag or None, digest_behind or digest
    return Written(name=name, tag=tag, digest=digest)


def text_for(kind: PartKind, image: ImageRef) -> str:
    """Return what a part of this kind must say for *image*, its name as spelled.

    Raises `EditError`: ``no-tag`` or ``no-digest`` where the image has none to write.
    """
    if kind is _REFERENCE:
        return str(image)
    if kind is _NAME:
        return image.name.spelled
    if kind is _TAG:
        if image.tag is None:
            raise EditError(
                f"the place wants a tag, but {image} has none",
                hint="use the form tag or tag@digest, or take the tag out of this place",
                code="no-tag",
            )
        return image.tag
    if image.digest is None:
        raise EditError(
            f"the place wants a digest, but {image} has none",
            hint="use the form digest or tag@digest; a digest is never erased",
            code="no-digest",
        )
    return str(image.digest)


def is_same_image(first: str | None, second: ImageName) -> bool:
    """Return whether a written name is this image name in another spelling."""
    try:
        return bool(first) and parse_ref(first or "").name == second
    except ImageSyntaxError:
        return first == second.spelled


def canonical(name: str | None) -> str | None:
    """Return the normalised form of a written name, the text itself where it is no image name."""
    try:
        return parse_ref(name or "").name.canonical
    except ImageSyntaxError:
        return name


def keep_spelling(old: str | None, new: ImageName) -> str:
    """Return the name to write over *old*: the old one where it is the same image, short where the old one was.

    ``docker.io/bitnami/nginx`` over ``bitnami/nginx`` changes nothing; over ``bitnami/redis`` it is written
    as ``bitnami/nginx``. On any other registry there is no short form.
    """
    if old and is_same_image(old, new):
        return old
    is_short = bool(old) and not has_registry(old or "")
    if is_short and new.registry == DOCKER_HUB and new.spelled.startswith(_HUB_PREFIX):
        return new.spelled.removeprefix(_HUB_PREFIX)
    return new.spelled


def has_registry(name: str) -> bool:
    """Return whether a name begins with a registry host, by the rule of Docker."""
    first, slash, _ = name.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")
