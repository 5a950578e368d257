"""What people decided about a subscription: holds, pins and rejections, each with its author, reason and end.

Times are Unix seconds, as circumstances have them. Nothing here looks at the clock: who asks says what time it is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from updater.model.moments import rfc3339
from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.model.candidate import Candidate

HELD: Final = "hold"
PINNED: Final = "pinned"
REJECTED: Final = "rejected"
#: what people decided cannot be read, so nothing is written
UNREADABLE: Final = "holds-unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What every decision has: the subscription that it is about, who made it, why, from when and until when.

    *key* is that of the subscription. *since* is when it was made, *until* when it ends by itself; None where nobody said so.
    *where* names the file and line, or the object, that holds it.
    """

    code: ClassVar[str] = ""

    key: str
    author: str = ""
    reason: str = ""
    since: float | None = None
    until: float | None = None
    where: str = field(default="", compare=False)

    def is_in_force(self, now: float) -> bool:
        """Return whether it has not ended at *now*."""
        return self.until is None or now < self.until

    @property
    def sentence(self) -> str:
        """What people are told."""
        return f"released{self.context}"

    @property
    def context(self) -> str:
        """Who, why and until when, as the end of a sentence: `` by Jane until 2026-12-01T09:00:00Z: freeze``."""
        by = f" by {printable(self.author)}" if self.author else ""
        end = f" until {rfc3339(self.until)}" if self.until is not None else ""
        return f"{by}{end}" + (f": {printable(self.reason)}" if self.reason else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Decision):
    """Nothing is written for the subscription; *is_unread* where a decision about it cannot be read, so that it may be held."""

    code: ClassVar[str] = HELD

    is_unread: bool = False

    @property
    def sentence(self) -> str:
        """What people are told."""
        if self.is_unread:
            return f"what people decided cannot be read, so nothing is written: {printable(self.reason)}"
        return f"held{self.context}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin(Decision):
    """The subscription stays at, or moves to, this *tag*, whatever its policy says."""

    code: ClassVar[str] = PINNED

    tag: str

    @property
    def sentence(self) -> str:
        """What people are told."""
        return f"pinned to {self.tag}{self.context}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRejection(Decision):
    """One image of the subscription is not to be chosen: that of a *tag*, or that of a *digest* (``sha256:…``) under any tag."""

    code: ClassVar[str] = REJECTED

    tag: str = ""
    digest: str = ""

    def matches(self, candidate: Candidate) -> bool:
        """Return whether it is about *candidate*, as far as its digest is known."""
        if self.tag and self.tag != candidate.tag:
            return False
        return not self.digest or (candidate.digest is not None and str(candidate.digest) == self.digest)

    @property
    def named(self) -> str:
        """The tag or digest."""
        return self.tag or self.digest

    @property
    def sentence(self) -> str:
        """What people are told."""
        return f"{self.named} was rejected{self.context}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readmission(Decision):
    """What people took back no longer counts for these *revisions*, commits of ours: somebody released the subscription."""

    revisions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Every decision, by the key of its subscription; *for_all* holds count for every one."""

    by_key: Mapping[str, tuple[Decision, ...]] = field(default_factory=lambda: MappingProxyType({}))
    for_all: tuple[Hold, ...] = ()

    @classmethod
    def of(cls, decisions: Iterable[Decision], *, for_all: Iterable[Hold] = ()) -> Decisions:
        """Sort *decisions* by their keys."""
        found: defaultdict[str, list[Decision]] = defaultdict(list)
        for decision in decisions:
            found[decision.key].append(decision)
        return cls(by_key=MappingProxyType({key: tuple(rows) for key, rows in found.items()}), for_all=tuple(for_all))

    def about(self, key: str) -> tuple[Decision, ...]:
        """Return everything that concerns the subscription *key*, whether it has ended or not."""
        return (*self.for_all, *self.by_key.get(key, ()))

    def hold(self, key: str, now: float) -> Hold | None:
        """Return the hold in force, the one that lasts longest."""
        return hold_of(in_force(self.about(key), now))

    def pin(self, key: str, now: float) -> Pin | None:
        """Return the pin in force, the latest where there are several."""
        return pin_of(in_force(self.about(key), now))

    def rejections(self, key: str, now: float) -> tuple[ImageRejection, ...]:
        """Return the rejections in force."""
        return rejections_of(in_force(self.about(key), now))

    def readmitted(self, key: str) -> frozenset[str]:
        """Return the commits of ours whose images may come again although people took them back."""
        return readmitted_by(self.about(key))


def in_force(decisions: tuple[Decision, ...], now: float) -> tuple[Decision, ...]:
    """Return those that have not ended at *now*; the same object where none has."""
    if all(item.is_in_force(now) for item in decisions):
        return decisions
    return tuple(item for item in decisions if item.is_in_force(now))


def ends_at(decision: Decision | None) -> datetime | None:
    """Return when a decision ends by itself, aware, in UTC; None where nobody said so."""
    return datetime.fromtimestamp(decision.until, UTC) if decision is not None and decision.until is not None else None


def hold_of(decisions: Iterable[Decision]) -> Hold | None:
    """Return the hold among decisions in force, the one that lasts longest."""
    return _lasting(item for item in decisions if isinstance(item, Hold))


def pin_of(decisions: Iterable[Decision]) -> Pin | None:
    """Return the pin among decisions in force, the latest where there are several."""
    return max((item for item in decisions if isinstance(item, Pin)), key=lambda item: item.since or 0.0, default=None)


def rejections_of(decisions: Iterable[Decision]) -> tuple[ImageRejection, ...]:
    """Return the rejections among decisions in force."""
    return tuple(item for item in decisions if isinstance(item, ImageRejection))


def readmitted_by(decisions: Iterable[Decision]) -> frozenset[str]:
    """Return the commits of ours that *decisions* let be written again."""
    return frozenset().union(*(item.revisions for item in decisions if isinstance(item, Readmission)))


def _lasting(holds: Iterable[Hold]) -> Hold | None:
    return max(holds, key=lambda item: float("inf") if item.until is None else item.until, default=None)
