"""What one place says of its image, in the words that stand there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.model.image import ImageRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a place says of its image; a part that stands nowhere is None. Texts are as written, not checked."""

    name: str | None = None
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        digest = f"@{self.digest}" if self.digest else ""
        return f"{':'.join(part for part in (self.name, self.tag) if part)}{digest}" or "nothing"


def says(written: Written, image: ImageRef, *, if_unknown: bool = False) -> bool:
    """Return whether a place says *image*: the digests decide where both have one, else the tags.

    *if_unknown* is the answer for a digest that stands alone where that of *image* is not known.
    """
    if written.digest and image.digest:
        return written.digest == str(image.digest)
    if written.tag:
        return written.tag == image.tag
    return if_unknown and bool(written.digest)


def common(several: Iterable[Written]) -> Written:
    """Return the first of *several*, at least one, without its digest where the others have another one: one of them is stale."""
    first, *others = several
    return first if all(other.digest == first.digest for other in others) else replace(first, digest=None)
