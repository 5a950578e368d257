"""Rank one listing under one policy, filter and variant, and keep the ranking from scan to scan.

Only the best candidates are kept, with the listing they come from: a new tag is compared with them,
and the whole is ranked again only when they are gone or somebody asks for more than the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from updater.errors import PolicyError
from updater.model.candidate import Candidate, Rank
from updater.model.selection import Code
from updater.policies.base import NotRanked
from updater.policies.shape import is_full
from updater.policies.variants import locked_words, read_variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from updater.policies.base import Policy
    from updater.policies.filters import NameFilter

_MAX_RANKERS: Final = 4  # one per variant that is written somewhere
_ORDER: Final = itemgetter(0)
_NOTHING: Final[Mapping[str, Candidate]] = {}


@dataclass(frozen=True, slots=True)
class Judge:
    """Judge one tag: filter, variant, policy, shape.

    *words* are those of the locked variant, None where none is. With *is_full* a version of fewer than three numbers loses.
    """

    policy: Policy
    name_filter: NameFilter
    words: tuple[str, ...] | None = None
    is_full: bool = False

    def judge(self, candidate: Candidate) -> Rank | NotRanked:
        """Place one candidate, or say why it has no place."""
        text = self.name_filter.judge(candidate.tag)
        if isinstance(text, NotRanked):
            return text
        if not self._has_variant(candidate.tag):
            return self._other_variant(candidate.tag)
        rank = self.policy.rank(text, candidate)
        if self.is_full and isinstance(rank, Rank) and not is_full(text):
            return NotRanked(Code.SHAPE, f"{candidate.tag} has fewer than three numbers, unlike the written tag")
        return rank

    def passing(self, tags: Sequence[str]) -> list[str]:
        """Return the tags that filter and variant let pass, in the given order."""
        passing, _ = self.name_filter.texts(tags)
        return [tag for tag in passing if self._has_variant(tag)]

    def ordered(self, tags: Sequence[str], candidates: Mapping[str, Candidate]) -> list[tuple[Any, str]]:
        """Return (order, tag) of those *tags* that have a place, in the given order."""
        return [pair for pair in self.placed(tags, candidates) if self.fits(pair[1])]

    def placed(self, tags: Sequence[str], candidates: Mapping[str, Candidate]) -> list[tuple[Any, str]]:
        """Return (order, tag) of those *tags* that pass and that the policy places, of whatever variant and shape."""
        passing, texts = self.name_filter.texts(tags)
        orders = self.policy.orders(texts, passing, candidates)
        return [pair for pair in zip(orders, passing, strict=True) if pair[0] is not None]

    def fits(self, tag: str) -> bool:
        """Return whether variant and shape of a tag that passes are those that must stay."""
        if not self._has_variant(tag):
            return False
        text = self.name_filter.judge(tag) if self.is_full else ""
        return not self.is_full or (isinstance(text, str) and is_full(text))

    def _has_variant(self, tag: str) -> bool:
        return self.words is None or read_variant(tag).words == self.words

    def written(self, tag: str, candidates: Mapping[str, Candidate]) -> Rank | None:
        """Place the tag that is written now; None where it cannot be compared."""
        if self.policy.orders_every_text and isinstance(self.name_filter.judge(tag), NotRanked):
            return None
        candidate = candidates.get(tag) or Candidate(tag=tag)
        return self.policy.written(self.name_filter.text_of_written(tag), candidate)

    def _other_variant(self, tag: str) -> NotRanked:
        mine, wanted = _shown(read_variant(tag).words), _shown(self.words or ())
        if mine == wanted:
            return NotRanked(Code.VARIANT, f"of {tag} and the written tag, only one names the version of its base system")
        return NotRanked(Code.VARIANT, f"{tag} has {mine}, the written tag has {wanted}")


def _shown(words: tuple[str, ...]) -> str:
    return f"the variant {'-'.join(words).replace('#', '')}" if words else "no variant"


def judge_for(
    policy: Policy, name_filter: NameFilter, written: str | None, *, is_locked: bool, is_shape_locked: bool = False
) -> Judge:
    """Make the judge for one written tag; with *is_locked* its variant must stay, with *is_shape_locked* its three numbers."""
    words = locked_words(written) if is_locked and policy.has_variants else None
    is_shaped = is_shape_locked and policy.has_shapes and written is not None
    needs_full = is_shaped and is_full(name_filter.text_of_written(written or ""))
    if words:
        policy = policy.within_variant()
    elif is_shaped and read_variant(name_filter.text_of_written(written or "")).is_counted:
        policy = policy.among_counters()
    return Judge(policy, name_filter, words, needs_full)


class Ranker:
    """Rank successive listings with one judge."""

    __slots__ = ("_best", "_listed", "_top", "judge")

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._listed: Mapping[str, Candidate] = _NOTHING
        self._best: list[str] = []
        self._top: Any = None

    def refresh(self, candidates: Mapping[str, Candidate]) -> None:
        """Take a new listing, which nobody changes afterwards; costs what changed if the policy ranks by name."""
        if candidates is self._listed:
            return
        before, self._listed = self._listed, candidates
        if not self.judge.policy.is_by_name or 2 * len(before) < len(candidates):
            self._restart()
            return
        added = _added(before, candidates)
        if len(candidates) != len(before) + len(added):
            self._best = [tag for tag in self._best if tag in candidates]
        if self._best:
            self._add(self.judge.placed(added, candidates))
        else:
            self._restart()

    def best_first(self, written: str | None) -> Iterator[str]:
        """Yield the tags that have a place, best first; among equals those that `preference` puts first."""
        best = sorted(self._best, key=preference(written))
        yield from best
        if best:
            yield from rank_all(self.judge, self._listed, written)[len(best) :]

    def _restart(self) -> None:
        self._best = []
        self._add(self.judge.placed(list(self._listed), self._listed))

    def _add(self, placed: list[tuple[Any, str]]) -> None:
        """Keep the best of *placed*; variant and shape, which cost most, are asked of those alone unless none of them fits."""
        try:
            pairs = self._leading(placed)
            if not pairs:
                return
            top = max([order for order, _ in pairs])
            if self._best and top < self._top:
                return
            if not self._best or self._top < top:
                self._best, self._top = [], top
            self._best += [tag for order, tag in pairs if order == top]
        except TypeError as error:
            raise _incomparable(self.judge) from error

    def _leading(self, placed: list[tuple[Any, str]]) -> list[tuple[Any, str]]:
        """Return the highest of *placed* that fit, or all that fit where a higher one does not."""
        if not placed:
            return []
        fits, top = self.judge.fits, max([order for order, _ in placed])
        leading = [pair for pair in placed if pair[0] == top and fits(pair[1])]
        return leading or [pair for pair in placed if fits(pair[1])]


def _added(before: Mapping[str, Candidate], after: Mapping[str, Candidate]) -> list[str]:
    """Find the tags that are new; what both listings begin with, nearly all of them, is passed over by comparing slices."""
    old, new = list(before), list(after)
    start, end = 0, min(len(old), len(new))
    while start < end:
        middle = (start + end + 1) // 2
        if old[start:middle] == new[start:middle]:
            start = middle
        else:
            end = middle - 1
    shift = len(new) - len(old)
    stop = len(new)
    if shift > 0 and old[start:] == new[start + shift :]:
        stop = start + shift  # only an insertion
    return [tag for tag in new[start:stop] if tag not in before]


def rank_all(judge: Judge, candidates: Mapping[str, Candidate], written: str | None) -> list[str]:
    """Return every tag that has a place, best first."""
    pairs = judge.ordered(sorted(candidates, key=preference(written)), candidates)
    try:
        pairs.sort(key=_ORDER, reverse=True)  # stable: equals stay as `preference` put them
    except TypeError as error:
        raise _incomparable(judge) from error
    return [tag for _, tag in pairs]


def _incomparable(judge: Judge) -> PolicyError:
    return PolicyError(
        f"the policy {type(judge.policy).__name__} gave ranks that do not compare with each other",
        hint="all ranks of one policy must be of one comparable type; report this to the author of the policy",
    )


def preference(written: str | None) -> Callable[[str], tuple[Any, ...]]:
    """Return the order among equals: the written tag, then tags spelled as it is, then plain text order.

    Spelled alike are tags with or without a leading ``v``, then with as many dots.
    """
    if written is None:
        return lambda tag: (tag,)
    has_v, dots = _has_v(written), written.count(".")
    return lambda tag: (tag != written, _has_v(tag) != has_v, tag.count(".") != dots, tag)


def _has_v(tag: str) -> bool:
    return tag[:1] in {"v", "V"} and tag[1:2].isdigit()


class RankingMemory:
    """The rankings kept between scans, so that a scan costs only what changed. They can be deleted at any time."""

    __slots__ = ("_rankers",)

    def __init__(self) -> None:
        self._rankers: list[Ranker] = []

    def ranker(self, judge: Judge) -> Ranker:
        """Return the ranker for a judge, the same as last time if it is still known."""
        known = next((ranker for ranker in self._rankers if ranker.judge == judge), None) or Ranker(judge)
        self._rankers = [known, *(ranker for ranker in self._rankers if ranker is not known)][:_MAX_RANKERS]
        return known
