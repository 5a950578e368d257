"""The policy protocol: rank a tag, or say why it has no rank.

A policy is pure and frozen, and never sees the current tag, platforms or guards: it only orders. A
plugin subclasses `Policy` and is found by an entry point of the group ``updater.policies``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from updater.errors import PolicyError
from updater.model.candidate import Rank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.model.candidate import Candidate, Fact


@dataclass(frozen=True, slots=True)
class NotRanked:
    """The reason why a tag has no rank: a stable code of `updater.model.selection.Code`, and a sentence."""

    code: str
    sentence: str


def unread(candidate: Candidate) -> NotRanked | None:
    """Return the loss of a candidate whose facts could not be had, with the registry's own error; None for any other."""
    return NotRanked(candidate.failure.code, candidate.failure.message) if candidate.failure else None


class Policy(ABC):
    """Rank candidates. *text* is the tag, or the text that the filter extracted from it."""

    #: facts that the chosen one must have, before it is compared with what is written
    chosen_facts: ClassVar[frozenset[Fact]] = frozenset()
    #: the rank depends on the text alone, so that it may be remembered from one scan to the next
    is_by_name: ClassVar[bool] = False
    #: any text has a place in the order, so that only a tag the filter admits can be compared
    orders_every_text: ClassVar[bool] = False
    #: one tag is followed by its digest, and the text of the tag says nothing about what is current
    follows_digest: ClassVar[bool] = False
    #: the order is one of times, some of which are known here alone and are lost with the cache
    is_by_time: ClassVar[bool] = False
    #: texts are versions, so that a bare number can be told from a release by its shape
    has_shapes: ClassVar[bool] = False
    #: the suffix of the written tag, such as ``-alpine``, may be locked
    has_variants: ClassVar[bool] = True

    @abstractmethod
    def rank(self, text: str, candidate: Candidate) -> Rank | NotRanked:
        """Place one candidate; all ranks of one policy must compare with each other, greater is better."""

    @property
    @abstractmethod
    def reason(self) -> str:
        """Return what the chosen one is, to stand behind "1.9.0 is": ``the highest version in the range >=1.0``."""

    @property
    def followed_tag(self) -> str | None:
        """The one tag that can be chosen, so that no list of tags is needed; None where any could be."""
        return None

    def missing(self, candidate: Candidate) -> frozenset[Fact]:  # noqa: ARG002 - for those who need facts
        """Name the facts without which this candidate cannot be ranked; never asked of a policy by name."""
        return frozenset()

    def orders(self, texts: Sequence[str], tags: Sequence[str], candidates: Mapping[str, Candidate]) -> list[Any | None]:
        """Place many at once: `Rank.order` for each of *texts*, None for one without a place.

        *tags* are theirs in the same order, and *candidates* are by tag. Override it only to be faster.
        """
        ranks = (self.rank(text, candidates[tag]) for text, tag in zip(texts, tags, strict=True))
        return [rank.order if isinstance(rank, Rank) else None for rank in ranks]

    def written(self, text: str, candidate: Candidate) -> Rank | None:
        """Place the value that is written now, also where the policy would not choose it.

        None where it has no place: then nothing counts as going down.
        """
        rank = self.rank(text, candidate)
        return rank if isinstance(rank, Rank) else None

    @property
    def names_years(self) -> bool:
        """Whether an option names a number that reads like a year, so that a leap to one is wanted."""
        return False

    def within_variant(self) -> Policy:
        """Return the policy to use while every candidate has the same suffix, such as ``-alpine``."""
        return self

    def among_counters(self) -> Policy:
        """Return the policy to use where the written tag ends in a counter or date, such as ``-r9`` or ``-12-25``."""
        return self


def check_options(kind: str, options: Mapping[str, object], known: Mapping[str, str]) -> None:
    """Refuse an option that the policy does not have; *known* maps each option to what it wants."""
    for name in options:
        if name not in known:
            near = nearest(str(name), known)
            listed = ", ".join(known) or "none"
            raise PolicyError(
                f"the policy {kind} has no option {str(name)!r}",
                hint=f"did you mean {near!r}?" if near else f"its options: {listed}",
            )


def text_option(kind: str, options: Mapping[str, object], name: str) -> str | None:
    """Read an option that is a text; None where it is left out or null."""
    value = options.get(name)
    if value is None or isinstance(value, str):
        return value
    hint = f"write it in quotes, {name}: '{value}'" if isinstance(value, (int, float)) else f"{name} is a text"
    raise PolicyError(f"{name} of the policy {kind} is not a text", hint=hint)


def flag_option(kind: str, options: Mapping[str, object], name: str) -> bool:
    """Read an option that is true or false; left out and null are false."""
    value = options.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise PolicyError(f"{name} of the policy {kind} is neither true nor false", hint=f"write {name}: true")


def order_option(kind: str, options: Mapping[str, object]) -> bool:
    """Read ``order``; returns whether it is descending."""
    value = text_option(kind, options, "order")
    if value is None or value.lower() in {"asc", "desc"}:
        return value is not None and value.lower() == "desc"
    raise PolicyError(f"order {value!r} of the policy {kind} is not known", hint="write asc (the last wins) or desc (the first)")


def nearest(word: str, known: Mapping[str, object]) -> str | None:
    """Find the known word that somebody may have meant."""
    import difflib  # noqa: PLC0415 - only a mistake pays for it

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
