"""Guards that hold an update of an eligible candidate: downgrades, unreadable tags, leaps, and a doubtful tag list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.model.selection import Code, Rejection
from updater.model.subscription import Downgrade

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from updater.model.candidate import Candidate, Rank
    from updater.model.selection import Superseded

INCOMPLETE_LIST: Final = "incomplete-list"
_NUMBER_WITH_DOT: Final = re.compile(r"[0-9]\.[0-9]")
_DOWNGRADE_HINT: Final = "to let lower versions through, set downgrade: by-policy or always"
_VANISHED_HINT: Final = "the written tag may have been deleted; to move down, run updater pin KEY {tag}, or set downgrade: always"
_STILL_ADMITTED_HINT: Final = (
    "the written tag may have been deleted; to move down, exclude it by range or filter, or set downgrade: always"
)
_INCOMPARABLE_HINT: Final = "the next tag that is pushed is recognised as newer; or write the tag that you want once"
_LEAP_HINT: Final = (
    "if it is the next version, name such a number in the range (>=2021), or write it once; else exclude it by filter.ignore"
)
_UNREADABLE_HINT: Final = (
    "use the policy pep440, or extract the version from the tag by filter.allow and filter.extract;"
    " downgrade: always lets any tag replace the written one"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenTag:
    """The written value: its tag, and its *rank*, which is None if the policy cannot compare it.

    *is_admitted* says whether filter and policy would still take it, *is_filtered* whether the filter drops it.
    """

    tag: str
    rank: Rank | None
    is_admitted: bool
    is_filtered: bool = False


def downgrade(*, tag: str, rank: Rank, written: WrittenTag, rule: Downgrade) -> Rejection | None:
    """Refuse a tag that the policy's own order puts below the written one, unless the *rule* lets it go down.

    By policy it may where people ruled the written one out; one that would still be taken has merely vanished.
    """
    if rule is Downgrade.ALWAYS or written.rank is None or not rank.order < written.rank.order:
        return None
    if rule is Downgrade.NEVER:
        sentence = f"{tag} is lower than {written.tag}, which is written"
        hint = _VANISHED_HINT.format(tag=tag) if written.is_admitted else _DOWNGRADE_HINT
        return Rejection(tag=tag, code=Code.DOWNGRADE, sentence=sentence, hint=hint)
    if not written.is_admitted:
        return None
    sentence = f"{tag} is lower than {written.tag}, which is written and which the policy still admits"
    return Rejection(tag=tag, code=Code.DOWNGRADE, sentence=sentence, hint=_STILL_ADMITTED_HINT)


def unreadable(*, tag: str, written: WrittenTag, rule: Downgrade) -> Rejection | None:
    """Refuse any tag while the written one holds a number with a dot that the policy cannot read: it may be a higher version.

    A word such as ``latest`` is free; so is what people ruled out by the filter, where the *rule* is the policy's.
    """
    is_free = rule is Downgrade.ALWAYS or (rule is Downgrade.BY_POLICY and written.is_filtered)
    if is_free or written.rank is not None or tag == written.tag or not _NUMBER_WITH_DOT.search(written.tag):
        return None
    sentence = f"the policy cannot compare {written.tag}, which is written, so {tag} may be lower"
    return Rejection(tag=tag, code=Code.UNREADABLE, sentence=sentence, hint=_UNREADABLE_HINT)


def leap(*, tag: str, written: str) -> Rejection:
    """Refuse a version whose number jumped to what reads like a year, a date or a build; people decide once."""
    sentence = f"{tag} reads like a date or build number next to {written}, which is written"
    return Rejection(tag=tag, code=Code.LEAP, sentence=sentence, hint=_LEAP_HINT)


def incomparable(*, chosen: Candidate, written: str, passed: Rejection | None, gone: Superseded | None) -> Rejection | None:
    """Refuse a tag of which nobody can say whether it is newer than the written one, because first-seen times were lost.

    *passed* says which replaced tag stands above it in the order of times; *gone* is one that was replaced and is no longer
    listed. A tag whose push or first appearance is known after that is comparable.
    """
    if chosen.tag == written:
        return None
    if passed is not None:
        why = f"{passed.tag} ranks above it and was already replaced"
    elif gone is not None and _may_be_older(chosen, gone):
        why = f"it was built before commit {gone.by[:9]} replaced {gone.tag}, and when it was pushed is not known"
    else:
        return None
    sentence = f"whether {chosen.tag} is newer than {written}, which is written, cannot be told: {why}"
    return Rejection(tag=chosen.tag, code=Code.INCOMPARABLE, sentence=sentence, hint=_INCOMPARABLE_HINT)


def _may_be_older(chosen: Candidate, gone: Superseded) -> bool:
    is_built_only = chosen.pushed is None and chosen.first_seen is None and chosen.created is not None
    return is_built_only and chosen.created is not None and chosen.created <= gone.when


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """The reason to hold updates of an image until a second scan confirms the list; a stable code and a sentence."""

    code: str = INCOMPLETE_LIST
    sentence: str


class ListingGuard:
    """Remember the last trusted tag list of one image, and a doubtful one that waits for confirmation.

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
        return Doubt(sentence=f"{', '.join(gone[:3])} has disappeared from the registry")
    if 2 * len(listed) < len(before):
        return Doubt(sentence=f"the list of tags shrank from {len(before)} to {len(listed)}")
    return None
