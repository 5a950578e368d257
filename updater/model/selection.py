"""What a policy made of the candidates: the chosen one, and why each other lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from updater.model.candidate import Candidate
    from updater.model.image import Digest


class Code(StrEnum):
    """Why a candidate lost; stable words for log, metric, batch answer and docs heading."""

    NOT_A_VERSION = "not-a-version"
    RANGE = "range"
    PRERELEASE = "prerelease"
    ALLOW = "allow"
    IGNORE = "ignore"
    EXTRACT = "extract"
    VARIANT = "variant"
    SHAPE = "shape"
    ARTIFACT = "artifact"
    PLATFORM = "platform"
    NOT_A_NUMBER = "not-a-number"
    NO_DATE = "no-date"
    DUPLICATE = "duplicate"
    DOWNGRADE = "downgrade"
    UNREADABLE = "unreadable"
    LEAP = "leap"
    SUPERSEDED = "superseded"
    INCOMPARABLE = "incomparable"
    OUTRANKED = "outranked"
    REJECTED = "rejected"
    MIN_AGE = "min-age"
    GROUP = "group"
    FOLLOWS = "follows"


#: a candidate with one of these is the one that would be written, if no guard held it
HELD_CODES: Final = frozenset({Code.DOWNGRADE, Code.UNREADABLE, Code.LEAP, Code.INCOMPARABLE, Code.MIN_AGE, Code.FOLLOWS})


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertedImage:
    """A decision of people against one image: its tag, its digest where it is known, and the commit that took it back."""

    tag: str
    digest: Digest | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack(RevertedImage):
    """A bad image that our newest commit *by* took back, in favour of what ran well before, *good*, a tag or a digest."""

    good: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded(RevertedImage):
    """An image that our own commit replaced, at *when*, by one that the same policy found newer.

    *digests* are all that the tag had when it was replaced; *digest* is None where one of them is not known.
    """

    digests: frozenset[Digest]
    when: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack(RevertedImage):
    """What our commit *by* wrote last at a place that holds something else now, written by somebody else.

    *is_known_older* where that was written there before: the policy may not be able to compare the two. Unless *is_commit*, it
    was written to a live Application.
    """

    is_known_older: bool
    is_commit: bool = True

    @property
    def named(self) -> str:
        """What was written, by what."""
        return f"{self.tag}, written by commit {self.by[:9]}," if self.is_commit else f"{self.tag}, which updater wrote,"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why one candidate lost: its code, and a sentence for people; *hint* says what helps, "" where nothing does.

    *opens_at* is when it does not lose for this reason any more, None where that is not known.
    """

    tag: str
    code: str
    sentence: str
    hint: str = ""
    opens_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the policy chose for one written value.

    *status* is updated, unchanged, no-match or held; *chosen* is None unless updated or unchanged;
    *held* names the candidate a guard stopped, *code* and *detail* say which guard and why, *hint* what to do about it.
    *rejections*, the ranked ones first, may be made only when they are read. *unread* are those among the rejected whose facts
    the registry did not give: it is not known whether one of them should have been chosen. *digests* are those of the tags that
    a commit will name, None where the registry does not tell. *opens_at* is when a candidate that is too young now, and better
    than the chosen one, is old enough.
    """

    status: str
    chosen: Candidate | None
    held: Candidate | None = None
    code: str | None = None
    detail: str = ""
    hint: str = ""
    rejections: Mapping[str, Rejection]
    unread: tuple[Rejection, ...] = ()
    digests: Mapping[str, Digest | None] = field(default_factory=dict)
    opens_at: datetime | None = None
