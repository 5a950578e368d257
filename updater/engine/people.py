"""What people decided against, asked for one written value: explicit rejections, and rollbacks by hand. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from updater.gates.people import Rollback, StepBack, is_older, last_write, not_rejected
from updater.model.decision import in_force, rejections_of
from updater.model.selection import TakenBack

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from updater.model.candidate import Candidate, FactRequest
    from updater.model.decision import Decision, ImageRejection
    from updater.model.image import Digest
    from updater.model.promotion import Follows, Offer
    from updater.model.selection import Rejection, RevertedImage
    from updater.model.subscription import Subscription
    from updater.policies.select import Ranking


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


def decided(subscription: Subscription, now: float) -> Subscription:
    """Return *subscription* with the decisions of people that are in force; the same object where none has ended."""
    decisions = in_force(subscription.decisions, now)
    return subscription if decisions is subscription.decisions else replace(subscription, decisions=decisions)


def offered(subscription: Subscription, offers: Callable[[Follows], Offer]) -> Subscription:
    """Return *subscription* with what the one that it follows offers; the same object where it follows none."""
    follows = subscription.gates.follows
    return subscription if follows is None else replace(subscription, offer=offers(follows))


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
