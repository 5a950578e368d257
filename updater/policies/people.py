"""What people decided against, asked for one written value: what they rejected, and what they replaced by hand. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.model.candidate import Fact, FactRequest, Rank
from updater.model.decision import ends_at, rejections_of
from updater.model.selection import Code, Rejection, RolledBack, TakenBack

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from updater.model.candidate import Candidate
    from updater.model.decision import Decision, ImageRejection
    from updater.model.image import Digest
    from updater.model.selection import RevertedImage
    from updater.policies.select import Ranking

_DIGEST: Final = frozenset({Fact.DIGEST})
_KEPT_IN_GIT: Final = "if the Application itself is kept in Git, write to Git: write-back-method: git"
RELEASE_HINT: Final = "newer versions are still written; updater release KEY lets this one be written again"


def not_rejected(
    candidate: Candidate, rejections: Sequence[ImageRejection]
) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
    """Refuse a candidate that people rejected; where a digest was rejected and the registry does not tell it, refuse it too."""
    if candidate.digest is None and any(item.digest and not item.tag for item in rejections):
        candidate = (yield FactRequest(candidate=candidate, facts=_DIGEST)) or candidate
        if candidate.digest is None:
            failure = candidate.failure
            sentence = failure.message if failure else f"the digest of {candidate.tag} is not known, and one was rejected"
            return candidate, Rejection(tag=candidate.tag, code=failure.code if failure else Code.REJECTED, sentence=sentence)
    found = next((item for item in rejections if item.matches(candidate)), None)
    if found is None:
        return candidate, None
    named = "" if found.tag else f"{candidate.tag}: "
    sentence = f"{named}{found.sentence}"
    ends = ends_at(found)
    return candidate, Rejection(tag=candidate.tag, code=Code.REJECTED, sentence=sentence, hint=RELEASE_HINT, opens_at=ends)


@dataclass(frozen=True, slots=True)
class Rollback:
    """A person wrote *written* over what our own commit had written, *last*, whose rank is *rank*, None where there is none.

    *judge* ranks a candidate; what it returns for one without a rank is no `Rank`.
    """

    last: RolledBack
    written: str
    judge: Callable[[Candidate], object]
    rank: Rank | None

    def refusal(self, candidate: Candidate) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
        """Refuse what was taken back, and what ranks between it and what a person chose to write instead."""
        if candidate.tag != self.last.tag:
            rank = self.judge(candidate)
            if self.rank is None or not isinstance(rank, Rank) or not rank.order < self.rank.order:
                return candidate, None
            sentence = f"{candidate.tag} ranks below {self.last.tag}, which was replaced by hand with {self.written}"
            return candidate, Rejection(tag=candidate.tag, code=Code.REJECTED, sentence=sentence, hint=RELEASE_HINT)
        if self.last.digest is not None:
            if candidate.digest is None:
                candidate = (yield FactRequest(candidate=candidate, facts=_DIGEST)) or candidate
            if candidate.digest not in {None, self.last.digest}:
                return candidate, None
        sentence = f"{self.last.named} was replaced by hand with {self.written}"
        hint = RELEASE_HINT if self.last.is_commit else f"{RELEASE_HINT}; {_KEPT_IN_GIT}"
        return candidate, Rejection(tag=candidate.tag, code=Code.REJECTED, sentence=sentence, hint=hint)


@dataclass(frozen=True, slots=True)
class StepBack:
    """Our own commit took *last* back, whose rank is *rank*, in favour of what is written now.

    What ranks between the two never ran well, or was passed over: writing it would be the next try of a release that people have
    not looked at. *judge* is as for `Rollback`.
    """

    last: TakenBack
    judge: Callable[[Candidate], object]
    rank: Rank | None

    def refusal(self, candidate: Candidate) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
        """Refuse what ranks below the image that was taken back; that one itself is refused by its digest."""
        yield from ()
        rank = self.judge(candidate)
        is_above = self.rank is None or not isinstance(rank, Rank) or not rank.order < self.rank.order
        if candidate.tag == self.last.tag or is_above:
            return candidate, None
        sentence = f"{candidate.tag} ranks below {self.last.tag}, which was bad and was taken back to {self.last.good}"
        return candidate, Rejection(tag=candidate.tag, code=Code.REJECTED, sentence=sentence, hint=RELEASE_HINT)


def last_write(rejected: Mapping[str, RevertedImage]) -> RolledBack | None:
    """Return what our commit wrote last where something else stands now, as *rejected* has it."""
    return next((item for item in rejected.values() if isinstance(item, RolledBack)), None)


def is_older(last: RolledBack, *, written: Rank | None, ours: Rank | None) -> bool:
    """Return whether what is *written* is older than *ours*, what we wrote; where they do not compare, by what Git says."""
    if written is None or ours is None or written.order == ours.order:
        return last.is_known_older
    is_below: bool = written.order < ours.order
    return is_below


@dataclass(frozen=True, slots=True)
class PeoplesWill:
    """Asks whether people let a candidate be written over *current*."""

    current: str | None
    current_digest: Digest | None
    rejections: tuple[ImageRejection, ...]
    taken_back: Rollback | StepBack | None

    @classmethod
    def of(
        cls,
        decisions: tuple[Decision, ...],
        rejected: Mapping[str, RevertedImage],
        written: tuple[str | None, Digest | None],
        ranking: Ranking,
    ) -> PeoplesWill:
        """Read what was decided about the value *written*, its tag and digest, and what was *rejected* in Git."""
        return cls(
            *written, rejections_of(decisions), _rollback(rejected, written, ranking) or _step_back(rejected, written, ranking)
        )

    def admitted(self, candidate: Candidate) -> Generator[FactRequest, Candidate | None, tuple[Candidate, Rejection | None]]:
        """Refuse a candidate that people rejected, or took back by hand; what a person chose to write stays."""
        candidate, refusal = yield from not_rejected(candidate, self.rejections)
        if refusal is not None or self.taken_back is None:
            return candidate, refusal
        if candidate.tag == self.current and (self.current_digest is None or candidate.tag != self.taken_back.last.tag):
            return candidate, None
        return (yield from self.taken_back.refusal(candidate))


def _rollback(
    rejected: Mapping[str, RevertedImage], written: tuple[str | None, Digest | None], ranking: Ranking
) -> Rollback | None:
    """Return the rollback by hand that is in force: something else was written over what we wrote, and that is older."""
    last, (tag, digest) = last_write(rejected), written
    if last is None:
        return None
    judge, ours = ranking.judge, ranking.judge.written(last.tag, ranking.candidates)
    theirs = judge.written(tag, ranking.candidates) if tag else None
    return Rollback(last, tag or str(digest), judge.judge, ours) if is_older(last, written=theirs, ours=ours) else None


def _step_back(
    rejected: Mapping[str, RevertedImage], written: tuple[str | None, Digest | None], ranking: Ranking
) -> StepBack | None:
    """Return our own revert that is in force: what it wrote back still stands."""
    tag, digest = written
    stands = {text for text in (tag, str(digest) if digest else None) if text}
    last = next((item for item in rejected.values() if isinstance(item, TakenBack) and item.good in stands), None)
    return StepBack(last, ranking.judge.judge, ranking.judge.written(last.tag, ranking.candidates)) if last else None
