"""Check that a value has the form of the place: a tag, a name, a digest or a full reference of the same image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.editors import references
from updater.errors import EditError
from updater.model.image import is_tag
from updater.model.view import PartKind

if TYPE_CHECKING:
    from updater.model.image import ImageRef
    from updater.model.view import Reading

_SHOWN: Final = 100
_LONGEST: Final = 1024  # a name has 255 characters at most (distribution spec), a tag 128, a digest of SHA-512 135
_FORCE: Final = "write it anyway by --force"


def check_marked(kind: PartKind, text: str, setter: str) -> None:
    """Refuse a marked value that plainly is another part than its marker says; raise `EditError` ``misfit``."""
    shown = text[:_SHOWN]
    if len(text) > _LONGEST:
        reason = f"the marked value is {len(text):,} characters long, and no image reference is"
        raise EditError(reason, hint="correct the value, or move the marker to the value that it means", code="misfit")
    if kind is PartKind.REFERENCE:
        return  # a place that holds a name alone, or a tag, becomes a full reference as in the peer
    policy = setter.rpartition(":")[0]
    before, _, behind = text.partition("@")
    said = references.split(text)
    if kind is PartKind.TAG and "/" in before:  # a name without a path becomes a tag as in the peer
        raise _wrong_part(
            f"{shown!r} is not a tag, but the marker stands for a tag", f'write "{policy}" to mark the full reference'
        )
    if kind is PartKind.NAME and (said.digest or (said.tag and "/" in text)):
        raise _wrong_part(f"{shown!r} is more than a name, but the marker stands for a name", f'write "{policy}"')
    if kind is PartKind.DIGEST and (behind or "/" in text):
        raise _wrong_part(f"{shown!r} is not a digest, but the marker stands for a digest", f'write "{policy}"')


def reads_as_version(text: str) -> bool:
    """Return whether a word without path, tag and digest begins like a version: with a digit, also behind a ``v``."""
    is_word = bool(text) and not any(char in text for char in "/:@${} ")
    return is_word and (text[0].isdigit() or (text[0] in "vV" and text[1:2].isdigit()))


def fitted(reading: Reading, image: ImageRef) -> ImageRef:
    """Return what to write for a person's *image* at a place that is there; raise `EditError` ``misfit``.

    A word alone is a tag where only a tag is written.
    """
    kinds = {part.kind for part in reading.parts}
    whole = next((part.text for part in reading.parts if part.kind is PartKind.TAG and ":" in part.text.partition("@")[0]), None)
    if whole is not None:
        raise misfit(
            f"{whole!r} is not a tag, but the marker stands for a tag", f'write "{reading.setter}" to mark the full reference'
        )
    is_bare = image.tag is None and image.digest is None
    word = image.name.spelled
    if kinds == {PartKind.TAG} and is_bare and "/" not in word and is_tag(word):
        return replace(image, tag=word)
    if PartKind.REFERENCE in kinds and is_bare:
        hint = f"write {reading.written.name or 'name'}:{word}" if "/" not in word and is_tag(word) else "add :tag or @digest"
        raise misfit(f"{word!r} has no tag or digest, and a full reference is written here", hint)
    if kinds & {PartKind.REFERENCE, PartKind.NAME} and reading.written.name:
        _check_name(reading.written.name, image)
    return image


def check_entry(reading: Reading, image: ImageRef) -> None:
    """Refuse what is no image for an entry of `images`, and another image than its `newName`; raise `EditError` ``misfit``."""
    if image.tag is None and image.digest is None and reads_as_version(image.name.spelled):
        named = reading.written.name or reading.setter
        raise misfit(f"{image} reads as a tag, and an image is expected", f"write {reading.setter}={named}:{image}")
    if any(part.kind is PartKind.NAME for part in reading.parts) and reading.written.name:
        _check_name(reading.written.name, image)


def check_text(old: str, new: str) -> None:
    """Refuse a text for a key that holds a tag, a name or a reference, where it is another of these; raise `EditError`."""
    before, after = references.split(old), references.split(new)
    is_reference = bool(old) and "/" in old and bool(before.tag or before.digest)
    if is_reference and not (after.name and (after.tag or after.digest)):
        raise misfit(f"{new!r} is not a full reference, and {old[:_SHOWN]!r} is written here", f"write {before.name}:{new}")
    if is_reference and references.canonical(before.name) != references.canonical(after.name):
        raise misfit(f"{new!r} names another image than {old[:_SHOWN]!r}, which is written here", _FORCE)
    if reads_as_version(old.partition("@")[0]) and ("/" in new or (after.tag and is_tag(after.tag))):
        tag = after.tag or "the tag alone"
        raise misfit(f"{new!r} is not a tag, and {old[:_SHOWN]!r} is written here", f"write {tag}")


def _wrong_part(reason: str, hint: str) -> EditError:
    return EditError(reason, hint=hint, code="misfit")


def misfit(reason: str, hint: str) -> EditError:
    """Return the refusal of a value that has another shape than its place."""
    return EditError(reason, hint=hint if "--force" in hint else f"{hint}, or {_FORCE}", code="misfit")


def _check_name(written: str, image: ImageRef) -> None:
    if not references.is_same_image(written, image.name):
        raise misfit(f"{image} is another image than {written}, which is written here", _FORCE)
