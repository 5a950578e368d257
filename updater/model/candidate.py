"""What is on offer: a tag and the facts about it, and how a policy speaks of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from updater.model.image import Digest, Platform


class Fact(StrEnum):
    """What can be known of a candidate beyond its tag, at the price of a request."""

    DIGEST = "digest"
    CREATED = "created"
    PLATFORMS = "platforms"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class FactFailure:
    """Why a fact of a tag could not be had: the code of the error, its message and its hint.

    *public* is the message without words of a server, "" where *message* has none.
    """

    code: str
    message: str
    hint: str = ""
    public: str = ""

    @property
    def told(self) -> str:
        """What objects in a cluster are told: their owners may have chosen the server, and must not read its words."""
        return self.public or self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A tag on offer. A fact that is not known yet is None; times are aware, in UTC.

    *seen* is when its digest was seen first by this program, under whatever tag. *failure* is set where a fact was asked for and
    the registry has none of this tag: it is not asked for again. The facts of one that *is_exact* are those of its digest,
    whatever its tag points to.
    """

    tag: str
    digest: Digest | None = None
    created: datetime | None = None
    pushed: datetime | None = None
    first_seen: datetime | None = None
    labels: Mapping[str, str] | None = None
    platforms: tuple[Platform, ...] | None = None
    seen: datetime | None = None
    failure: FactFailure | None = None
    is_exact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What hangs on a digest and never changes: when it was built, its labels, the platforms it serves."""

    created: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[Platform, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRequest:
    """A selection needs *facts* of this candidate before it can go on; unless *is_needed*, it goes on without them too."""

    candidate: Candidate
    facts: frozenset[Fact]
    is_needed: bool = True


@dataclass(frozen=True, slots=True)
class Rank:
    """A place in a policy's order: greater is better; equal ranks are ties. *order* is any comparable value."""

    order: Any = field(compare=True)
