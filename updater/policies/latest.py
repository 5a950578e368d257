"""The policy `latest`: the candidate that appeared last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Final

from updater.model.candidate import Fact, Rank
from updater.model.selection import Code
from updater.policies.base import NotRanked, Policy, check_options, unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.model.candidate import Candidate

# Builders that want reproducible images write the epoch, or 1980, as the time of creation.
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class LatestPolicy(Policy):
    """Choose the newest candidate by push time, otherwise first-seen time, otherwise creation time."""

    is_by_time: ClassVar[bool] = True

    @property
    def reason(self) -> str:
        """The newest."""
        return "the newest"

    def missing(self, candidate: Candidate) -> frozenset[Fact]:
        """Ask for the time of creation where no time is known yet."""
        is_known = when(candidate) is not None or candidate.created is not None or candidate.failure is not None
        return frozenset() if is_known else frozenset({Fact.CREATED})

    def rank(self, text: str, candidate: Candidate) -> Rank | NotRanked:
        """Place a candidate with a time that can be true."""
        moment = when(candidate)
        if moment is None:
            dateless = NotRanked(Code.NO_DATE, f"{text} has no usable push or build date")
            return unread(candidate) or dateless
        return Rank(moment)


def when(candidate: Candidate) -> datetime | None:
    """Return the time by which a candidate is ordered; None where no time is known or it is before 1990."""
    for moment in (candidate.pushed, candidate.first_seen, candidate.created):
        if moment is not None:
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            if aware >= EARLIEST:
                return aware
    return None


def build(options: Mapping[str, object]) -> Policy:
    """Build; there are no options. Raise `PolicyError`."""
    check_options("latest", options, {})
    return LatestPolicy()
