"""Rank candidates when some facts must be requested first.

`select` is a generator: it yields `FactRequest` when a policy cannot go on without a fact, is sent the
candidate with it filled (or None, where the fact could not be had), and returns the ranking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from updater.model.candidate import FactRequest
from updater.policies.ranking import Ranker

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from updater.model.candidate import Candidate
    from updater.policies.ranking import Judge, RankingMemory


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates with the requested facts, and their order."""

    judge: Judge
    candidates: Mapping[str, Candidate]
    ranker: Ranker

    def best_first(self, written: str | None) -> Iterator[Candidate]:
        """Yield the candidates that have a place, best first."""
        return (self.candidates[tag] for tag in self.ranker.best_first(written))


def select(
    judge: Judge, candidates: Mapping[str, Candidate], written: str | None, memory: RankingMemory | None = None
) -> Generator[FactRequest, Candidate | None, Ranking]:
    """Rank *candidates*, which nobody changes afterwards; *written* is the tag that stands now.

    A policy by name asks for nothing. What *memory* keeps makes the next call cheap, never different.
    """
    if judge.policy.is_by_name:
        ranker = memory.ranker(judge) if memory else Ranker(judge)
    else:
        ranker = Ranker(judge)
        candidates = yield from _filled(foreseen(judge, candidates, written), candidates)
    ranker.refresh(candidates)
    return Ranking(judge, candidates, ranker)


def foreseen(judge: Judge, candidates: Mapping[str, Candidate], written: str | None) -> list[FactRequest]:
    """Return what `select` will ask for, so that somebody may fetch it all at once.

    The written tag is among them where it is listed: it is compared also if no filter lets it pass.
    """
    if judge.policy.is_by_name:
        return []
    tags = judge.passing(list(candidates))
    if written is not None and written in candidates and written not in tags:
        tags.append(written)
    missing = ((candidates[tag], judge.policy.missing(candidates[tag])) for tag in tags)
    return [FactRequest(candidate=candidate, facts=facts) for candidate, facts in missing if facts]


def _filled(
    asks: list[FactRequest], candidates: Mapping[str, Candidate]
) -> Generator[FactRequest, Candidate | None, Mapping[str, Candidate]]:
    found: dict[str, Candidate] = {}
    for ask in asks:
        answer = yield ask
        if answer is not None:
            found[answer.tag] = answer
    return {**candidates, **found} if found else candidates
