"""What people decided against, as gates: an image that they rejected, and one that they replaced by hand with an older one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.model.candidate import Fact, FactRequest, Rank
from updater.model.decision import ends_at
from updater.model.selection import Code, Rejection, RolledBack

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from updater.model.candidate import Candidate
    from updater.model.decision import ImageRejection
    from updater.model.selection import RevertedImage, TakenBack

_DIGEST: Final = frozenset({Fact.DIGEST})
_KEPT_IN_GIT: Final = "if the Application itself is kept in Git, write to Git: write-back-method: git"
UNREAD_HINT: Final = "correct what the message names: until then it may be a hold"
RELEASE_HINT: Final = "a newer version is written by itself; updater release KEY lets this one be written again"


def hint_of_hold(key: str, *, is_unread: bool = False) -> str:
    """Return what lets updates of a subscription go on that people hold; what cannot be read is corrected where it is."""
    return UNREAD_HINT if is_unread else f"updater release {key} lets updates go on"


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
