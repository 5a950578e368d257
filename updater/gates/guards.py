"""Knows what stands against an update although its candidate is fine: going down, and a listing one cannot trust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.model.selection import Code, Rejection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from updater.model.candidate import Rank

INCOMPLETE_LIST: Final = "incomplete-list"


def downgrade(*, tag: str, rank: Rank, written: str | None, written_rank: Rank | None, allowed: bool) -> Rejection | None:
    """Refuse a tag that the policy's own order puts below the written one, unless that is *allowed*.

    A written value without a rank, such as ``latest`` under a policy of versions, guards nothing.
    """
    if allowed or written_rank is None or not rank.order < written_rank.order:
        return None
    sentence = f"{tag} is below {written}, which is written, and allow_downgrade is not set"
    return Rejection(tag=tag, code=Code.DOWNGRADE, sentence=sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why updates of an image are held until a second scan shows the same; a stable code and a sentence."""

    code: str = INCOMPLETE_LIST
    sentence: str


class ListingGuard:
    """Remembers the list of tags of one image that was trusted last, and a doubted one that waits to be confirmed.

    With nothing remembered there is no doubt, so a fresh one trusts what it sees first.
    """

    __slots__ = ("_doubted", "_trusted")

    def __init__(self, trusted: Collection[str] | None = None) -> None:
        self._trusted = trusted
        self._doubted: Collection[str] | None = None

    def check(self, listed: Collection[str], written: Iterable[str] = ()) -> Doubt | None:
        """Compare a new list with the remembered one; None where it is trusted, and then it is remembered.

        A list is doubted when it has fewer than half of the tags seen last time, or a *written* tag that was listed then
        is gone. It is trusted as soon as the next one agrees, that is would not be doubted after it. *listed* should
        answer ``in`` fast (a map by tag does), and nobody changes it afterwards.
        """
        written = tuple(written)
        doubt = None if self._trusted is None else _doubt(listed, self._trusted, written)
        if doubt is not None and (self._doubted is None or _doubt(listed, self._doubted, written) is not None):
            self._doubted = listed
            return doubt
        self._trusted, self._doubted = listed, None
        return None


def _doubt(listed: Collection[str], before: Collection[str], written: Iterable[str]) -> Doubt | None:
    gone = sorted(tag for tag in written if tag in before and tag not in listed)
    if gone:
        return Doubt(sentence=f"{', '.join(gone[:3])} is written and was listed before, and is gone from the list of tags")
    if 2 * len(listed) < len(before):
        return Doubt(sentence=f"the list of tags shrank from {len(before)} to {len(listed)}")
    return None
