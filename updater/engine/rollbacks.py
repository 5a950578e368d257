"""Whether somebody wrote another value over what our last commit wrote at a place: Git is the memory, our trailers say it. Pure.

A commit says by short sums of their paths which files it wrote for each subscription (``Updater-Place``). A place in another file
is a new one: it was never written, so nobody took anything back there. Commits of versions without that trailer count where the
place holds the very value that they replaced.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from updater.engine.decide import places_of
from updater.errors import ImageSyntaxError
from updater.model.decision import readmitted_by
from updater.model.image import is_tag, parse_digest, parse_ref
from updater.model.selection import RolledBack
from updater.model.view import NOTHING, commits_for, place_sum, trailer_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from updater.engine.decide import Place
    from updater.model.image import Digest, ImageName
    from updater.model.subscription import Subscription
    from updater.model.view import PastCommit, View
    from updater.model.written import Written


def rolled_back(alike: Sequence[Place], recent: Sequence[PastCommit]) -> dict[str, RolledBack]:
    """Return, by tag, what was written over by somebody else at one of *alike*, places that hold the same value; at most one.

    Whether that value is older is for the policy to tell.
    """
    subscription, written = alike[0].subscription, alike[0].reading.written
    sums = {place_sum(place.reading.path) for place in alike if not place.reading.is_missing}
    for past, olds, news in _writes(subscription, recent):
        named = _sums_of(past, subscription)
        if named is not None and not sums & named:
            continue
        if _shown(written) in news:
            return {}
        if named is None and _shown(written) not in olds:
            continue
        if past.revision in readmitted_by(subscription.decisions):
            return {}
        found = _last(subscription.image, past, news)
        return {found.tag: _marked(found, written, subscription, recent)} if found else {}
    return {}


def taken_back(subscription: Subscription, view: View | None) -> frozenset[str]:
    """Return the commits of ours whose images people took back at one destination: reverted ones, and those written over."""
    if view is None:
        return frozenset()
    found = {past.revision for past in commits_for(subscription.key, view.recent) if past.reverted_by is not None}
    for index, _ in enumerate(subscription.targets):
        for place in places_of(view, subscription, index):
            found |= {item.by for item in rolled_back([place], view.recent).values()}
    return frozenset(found)


def _writes(subscription: Subscription, recent: Iterable[PastCommit]) -> Iterator[tuple[PastCommit, set[str], list[str]]]:
    """Yield our commits that stand and wrote for *subscription*, newest first, with the values that they replaced and wrote."""
    for past in commits_for(subscription.key, recent):
        moves = past.moves_of(subscription.key) if past.reverted_by is None else ()
        if moves:
            yield past, {move.old for move in moves if move.old != NOTHING}, list(dict.fromkeys(move.new for move in moves))


def _sums_of(past: PastCommit, subscription: Subscription) -> frozenset[str] | None:
    """Return the sums of the files that *past* wrote for a subscription; None where it does not say so."""
    return past.file_sums().get(trailer_key(subscription.key), frozenset()) if past.places else None


def _shown(written: Written) -> str:
    """Return a value as trailers have it."""
    return "@".join(part for part in (written.tag, written.digest) if part)


def _last(image: ImageName, past: PastCommit, news: Sequence[str]) -> RolledBack | None:
    """Return what *past* wrote, with the tag and digest that its trailers name; None where they name several."""
    refs = []
    for text in past.images:
        try:
            ref = parse_ref(text)
        except ImageSyntaxError:
            continue
        if ref.tag and ref.name == image:
            refs.append(ref)
    for new in news:
        tag, digest = _parts(new)
        for ref in refs:
            if tag in {None, ref.tag} and (digest is None or ref.digest in {None, digest}):
                return RolledBack(
                    tag=ref.tag or "",
                    digest=ref.digest or digest,
                    by=past.revision,
                    is_known_older=False,
                    is_commit=bool(past.subject),
                )
    return None


def _parts(text: str) -> tuple[str | None, Digest | None]:
    tag, _, digest = text.partition("@") if "@" in text or ":" not in text else ("", "", text)
    try:
        found = parse_digest(digest) if digest else None
    except ImageSyntaxError:
        found = None
    return (tag if is_tag(tag) else None), found


def _marked(found: RolledBack, written: Written, subscription: Subscription, recent: Sequence[PastCommit]) -> RolledBack:
    """Note whether *written* is known to have been replaced by a commit of ours, so that it is the older of the two."""
    is_older = any(_shown(written) in olds for _, olds, _ in _writes(subscription, recent))
    return replace(found, is_known_older=is_older)
