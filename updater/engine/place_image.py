"""What image a place is to hold, in the form and the spelling of that place, and whether it holds it already. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from updater.errors import ImageSyntaxError
from updater.model.image import ImageName, ImageRef, is_tag, parse_digest, parse_name
from updater.model.subscription import Form
from updater.model.view import PartKind, Reading

if TYPE_CHECKING:
    from updater.model.candidate import Candidate
    from updater.model.subscription import Subscription, Target
    from updater.model.written import Written


def wanted_image(subscription: Subscription, target: Target, reading: Reading, candidate: Candidate) -> ImageRef:
    """Return the image to write at this place, reduced to what its form holds.

    Markers that name one part (``:tag``, ``:digest``), and the keys of a values file of which one is that of a digest,
    always get that part: there the form rules only full references.
    """
    name = _spelling(subscription.image, reading.written)
    kinds = {part.kind for part in reading.parts}
    is_by_parts = target.editor == "marker" or (target.editor == "helm" and PartKind.DIGEST in kinds)
    if is_by_parts and PartKind.REFERENCE not in kinds:
        return ImageRef(name=name, tag=candidate.tag, digest=candidate.digest if PartKind.DIGEST in kinds else None)
    return ImageRef(
        name=name,
        tag=None if target.form is Form.DIGEST else candidate.tag,
        digest=None if target.form is Form.TAG else candidate.digest,
    )


def differs(reading: Reading, image: ImageRef, *, follows_digest: bool = False) -> bool:
    """Return whether an edit could change anything; the editor has the last word, and an edit without change is none.

    With *follows_digest* a current digest is enough, whatever tag stands beside it: pods would roll for identical content.
    """
    kinds = {part.kind for part in reading.parts}
    digest = str(image.digest) if image.digest else None
    is_named = reading.written.name is not None and not is_same_name(reading.written.name, image.name)
    if follows_digest and digest is not None and reading.written.digest == digest:
        return is_named
    if reading.is_missing:  # what runs already needs no new entry
        runs = reading.written
        is_running = not reading.parts and image.tag in {None, runs.tag} and digest in {None, runs.digest}
        return not is_running or is_named
    if kinds == {PartKind.NAME}:
        return is_named
    if kinds <= {PartKind.DIGEST, PartKind.NAME}:
        return is_named or (reading.written.digest != digest)
    return is_named or reading.written.tag != image.tag or reading.written.digest != digest


def written_ref(written: Written, name: ImageName) -> ImageRef | None:
    """Read what is written as a reference to *name*; None where it holds neither a tag nor a digest."""
    tag = written.tag if written.tag and is_tag(written.tag) else None
    try:
        digest = parse_digest(written.digest) if written.digest else None
    except ImageSyntaxError:
        digest = None
    return ImageRef(name=_spelling(name, written), tag=tag, digest=digest) if tag or digest else None


def is_same_name(text: str, name: ImageName) -> bool:
    """Return whether *text* is a spelling of *name*."""
    try:
        return parse_name(text) == name
    except ImageSyntaxError:
        return False


def _spelling(image: ImageName, written: Written) -> ImageName:
    """Keep the spelling that stands there where it names the same image: the least change."""
    if written.name and is_same_name(written.name, image):
        return replace(image, spelled=written.name)
    return image
