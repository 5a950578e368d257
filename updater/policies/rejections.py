"""Why each candidate but the chosen one lost, made when somebody asks; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from updater.model.selection import HELD_CODES, Code, Rejection, Selection
from updater.policies.base import NotRanked
from updater.policies.ranking import rank_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.model.candidate import Candidate
    from updater.policies.select import Ranking


class Rejections(Mapping[str, Rejection]):
    """Why each candidate but the chosen one lost, by tag, found out when asked; first the ranked ones, best first."""

    __slots__ = ("_chosen", "_current", "_matched", "_ranking", "_refused", "_twins")

    def __init__(self, ranking: Ranking, current: str | None, refused: Mapping[str, Rejection], chosen: Candidate | None) -> None:
        self._ranking = ranking
        self._current = current
        self._refused = refused
        self._chosen = chosen.tag if chosen else None
        self._matched: dict[str, None] | None = None
        self._twins: dict[str, str] | None = None

    def __len__(self) -> int:
        return len(self._ranking.candidates) - (self._chosen is not None)

    def __iter__(self) -> Iterator[str]:
        matched = self._all()
        yield from (tag for tag in matched if tag != self._chosen)
        yield from (tag for tag in self._ranking.candidates if tag not in matched)

    def __contains__(self, tag: object) -> bool:
        return tag in self._ranking.candidates and tag != self._chosen

    def __getitem__(self, tag: str) -> Rejection:
        if tag not in self:
            raise KeyError(tag)
        if tag in self._refused:
            return self._refused[tag]
        judged = self._ranking.judge.judge(self._ranking.candidates[tag])
        lost = judged if isinstance(judged, NotRanked) else self._outranked(tag)
        return Rejection(tag=tag, code=lost.code, sentence=lost.sentence)

    @property
    def by_people(self) -> tuple[Rejection, ...]:
        """What would have been chosen if people had not decided against it, the better-ranked ones first."""
        return tuple(item for item in self._refused.values() if item.code == Code.REJECTED)

    def _all(self) -> dict[str, None]:
        if self._matched is None:
            self._matched = dict.fromkeys(rank_all(self._ranking.judge, self._ranking.candidates, self._current))
        return self._matched

    def _outranked(self, tag: str) -> NotRanked:
        twin = self._twin(tag)
        if twin is not None:
            return NotRanked(Code.DUPLICATE, f"{tag} gives the same as {twin} once the filter has extracted")
        best = self._chosen or next((other for other, item in self._refused.items() if item.code in HELD_CODES), None)
        return NotRanked(Code.OUTRANKED, f"{tag} ranks below {best}")

    def _twin(self, tag: str) -> str | None:
        """Find the better candidate that the policy sees as the same text."""
        judge = self._ranking.judge
        if not judge.name_filter.extracts or not judge.policy.is_by_name:
            return None
        if self._twins is None:
            self._twins = {}
            for other in self._all():
                if other not in self._refused or self._refused[other].code in HELD_CODES:
                    self._twins.setdefault(judge.name_filter.text_of_written(other), other)
        twin = self._twins.get(judge.name_filter.text_of_written(tag))
        return twin if twin != tag else None


def refused_by_people(selection: Selection) -> tuple[Rejection, ...]:
    """Return what people decided against that would have been chosen; the better-ranked ones first."""
    return selection.rejections.by_people if isinstance(selection.rejections, Rejections) else ()


def count_codes(rejections: Mapping[str, Rejection]) -> str:
    """Return how many candidates lost for which reason, the most frequent first: ``7 outside the range, 2 not a version``."""
    counts = Counter(str(rejection.code) for rejection in rejections.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {_LOST.get(code, f'with the error {code}')}" for code, count in ordered)


_LOST: Final[Mapping[str, str]] = {
    Code.NOT_A_VERSION: "not a version",
    Code.RANGE: "outside the range",
    Code.PRERELEASE: "pre-release",
    Code.ALLOW: "not matched by allow",
    Code.IGNORE: "matched by ignore",
    Code.EXTRACT: "without a part to compare",
    Code.VARIANT: "of another variant",
    Code.SHAPE: "of another shape",
    Code.ARTIFACT: "not of an image",
    Code.PLATFORM: "not for the platform",
    Code.NOT_A_NUMBER: "not a number",
    Code.NO_DATE: "without a date",
    Code.DUPLICATE: "duplicate",
    Code.DOWNGRADE: "lower than what is written",
    Code.OUTRANKED: "ranked lower",
    Code.REJECTED: "reverted by people",
    Code.SUPERSEDED: "replaced before",
    Code.MIN_AGE: "too young",
    Code.FOLLOWS: "not run well by the one that is followed",
    Code.GROUP: "not offered by the whole group",
}
