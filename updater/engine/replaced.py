"""What our own commits replaced: under a policy that goes by times, Git is their memory. Pure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from updater.errors import ImageSyntaxError
from updater.model.image import parse_ref
from updater.model.selection import Superseded
from updater.model.view import commits_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from updater.model.image import ImageName, ImageRef
    from updater.model.selection import RevertedImage
    from updater.model.subscription import Subscription
    from updater.model.view import PastCommit


def superseded_for(subscription: Subscription, recent: Sequence[PastCommit]) -> dict[str, RevertedImage]:
    """Return what our commits replaced for one subscription under its policy, by tag, as their trailers say.

    That is what a commit names as replaced, and what it wrote where a later one of ours wrote something else.
    """
    found: dict[str, Superseded] = {}
    key, policy = subscription.key, str(subscription.policy)
    later: PastCommit | None = None
    for past in commits_for(key, recent):
        if past.reverted_by is not None or policy not in past.policies:
            continue
        for ref in _tagged(past.replaced_of(key), subscription.image):
            _supersede(found, ref, past)
        written = _tagged(past.images, subscription.image)
        if later is not None and len(written) == 1:  # of several nobody can say which one was this subscription's
            _supersede(found, written[0], later)
        later = past
    return dict(found)


def _tagged(texts: Iterable[str], image: ImageName) -> list[ImageRef]:
    """Return those of *texts* that are references to *image* with a tag."""
    refs = []
    for text in texts:
        with suppress(ImageSyntaxError):
            refs.append(parse_ref(text))
    return [ref for ref in refs if ref.tag and ref.name == image]


def _supersede(found: dict[str, Superseded], ref: ImageRef, past: PastCommit) -> None:
    """Add what *past* replaced; of several commits the newest, which comes first, has the word."""
    tag = ref.tag or ""
    known = found.get(tag)
    digests = frozenset({ref.digest} if ref.digest else ())
    if known is None:
        found[tag] = Superseded(tag=tag, digest=ref.digest, digests=digests, by=past.revision, when=past.when)
    else:
        found[tag] = replace(known, digest=known.digest if ref.digest else None, digests=known.digests | digests)
