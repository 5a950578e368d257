"""When a release is over, and how: the rules of settling and of the deadline. Pure; times are seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from updater.delivery.kinds import KINDS
from updater.model.release import ReleaseVerdict

if TYPE_CHECKING:
    from updater.model.progress import Progress
    from updater.model.release import DeliveryOptions, Health, Release

#: a release that is taken up so long after its commit was on its way before this program ran
FRESH: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How a release ended. *is_certain* where a controller said so of this very rollout, or we saw it from its commit on."""

    verdict: ReleaseVerdict
    reason: str
    is_certain: bool = False


@dataclass(slots=True)
class FollowedRelease:
    """One release on its way. *since* is when this program took it up, *told* the progress that was reported last.

    `settled_at` and `deadline_at` are the moments at which something may be decided although no object changes.
    """

    release: Release
    options: DeliveryOptions
    since: float
    health: Health | None = None
    healthy_since: float | None = None
    was_applied: bool = False
    told: Progress | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether we have followed it from its commit on."""
        return self.since - self.release.began.timestamp() <= FRESH

    @property
    def next_at(self) -> float:
        """The next moment at which it may be over by time alone."""
        if self.healthy_since is not None:
            return self.healthy_since + self.options.settle
        return self._deadline_at

    @property
    def _deadline_at(self) -> float:
        return max(self.since, self.release.began.timestamp()) + self.options.deadline

    def judge(self, health: Health, now: float) -> Judgement | None:
        """Take what the cluster says *now*; None while the release goes on."""
        self.health = health
        is_seen = health.is_seen or health.is_applied
        self.was_applied |= is_seen
        if health.verdict is not ReleaseVerdict.HEALTHY:
            self.healthy_since = None
        elif self.healthy_since is None or self.healthy_since > now:  # the clock was set back
            self.healthy_since = now
        if health.verdict is ReleaseVerdict.BAD:
            is_rollout = health.workload is not None and KINDS[health.workload.kind].is_rollout
            is_certain = health.is_applied and (is_rollout or self.is_fresh)
            return Judgement(verdict=ReleaseVerdict.BAD, reason=health.reason, is_certain=is_certain)
        if self.healthy_since is not None:
            is_settled = now - self.healthy_since >= self.options.settle
            return Judgement(verdict=ReleaseVerdict.HEALTHY, reason=health.reason, is_certain=True) if is_settled else None
        if self.was_applied and not is_seen and not health.is_blind:
            return Judgement(verdict=ReleaseVerdict.SUPERSEDED, reason=health.reason)
        if now < self._deadline_at or health.is_busy:
            return None
        return self._late(health)

    def _late(self, health: Health) -> Judgement:
        waited = f"not healthy after {self.options.deadline:.0f} s: {health.reason}"
        is_bad = health.is_applied and health.verdict is ReleaseVerdict.PROGRESSING
        verdict = ReleaseVerdict.BAD if is_bad else ReleaseVerdict.UNKNOWN
        return Judgement(verdict=verdict, reason=waited, is_certain=is_bad and self.is_fresh)


def moment(seconds: float) -> datetime:
    """Return a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
