"""What is said of a landing: metrics, log lines and the cache hear the same outcome; none of them can fail it."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from updater.model.outcome import Outcome, Status, fold
from updater.model.subscription import GitBranch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from updater.cache.cache import Cache
    from updater.engine.landing import Landing
    from updater.reporting.metrics import Metrics


REJECTED: Final = "updater_subscription_rejected_images"


class Reporter:
    """Tells of landings. *wall* gives seconds since 1970."""

    def __init__(self, metrics: Metrics, cache: Cache, log: Any, *, wall: Callable[[], float] = time.time) -> None:
        self._metrics = metrics
        self._cache = cache
        self._log = log
        self._wall = wall
        self._last: dict[tuple[str, str], Outcome] = {}
        self._pending: dict[str, float] = {}
        self._rejected: dict[tuple[str, str], set[str]] = {}

    async def report(self, landing: Landing, seconds: float) -> None:
        """Count a landing, log what is new in it, and remember its outcomes."""
        metrics = self._metrics
        metrics.outcomes(landing.outcomes, "git" if isinstance(landing.destination, GitBranch) else "argocd")
        if landing.replays:
            metrics.count("updater_landings_total", "refused", by=landing.replays)
        if landing.landed is not None:
            metrics.count("updater_landings_total", "pushed" if landing.landed.revisions else "unchanged")
            metrics.time("updater_landing_seconds", seconds=seconds)
        elif landing.view is None:
            metrics.count("updater_landings_total", "failed")
        news = [outcome for outcome in landing.outcomes if self._is_news(outcome)]
        for outcome in news:
            self._say(outcome)
            self._last[outcome.key, outcome.target] = outcome
        self._tell_rejections(landing)
        self._note_freshness(landing.outcomes)
        if news:
            await self._cache.remember_outcomes(news)

    def keep(self, keys: Collection[str]) -> None:
        """Forget every subscription but *keys*."""
        self._last = {place: outcome for place, outcome in self._last.items() if place[0] in keys}
        self._pending = {key: since for key, since in self._pending.items() if key in keys}
        self._rejected = {place: tags for place, tags in self._rejected.items() if place[0] in keys}
        self._metrics.keep(REJECTED, ((key,) for key in keys))

    def _is_news(self, outcome: Outcome) -> bool:
        """Return each state once, not at every pass."""
        before = self._last.get((outcome.key, outcome.target))
        return before is None or bool(outcome.revision) or (before.status, before.detail) != (outcome.status, outcome.detail)

    def _say(self, outcome: Outcome) -> None:
        is_bad = outcome.status in {Status.FAILED, Status.HELD}
        say = self._log.warning if is_bad else self._log.info
        fields = {
            "key": outcome.key,
            "detail": outcome.detail,
            "code": outcome.code,
            "hint": outcome.hint,
            "revision": outcome.revision,
            "changes": [f"{change.path}:{change.line} {change.old or 'nothing'} → {change.new}" for change in outcome.changes],
            "target": outcome.target,
        }
        say(outcome.status.value, **{name: value for name, value in fields.items() if value})

    def _tell_rejections(self, landing: Landing) -> None:
        """Report what people took back, once each, and count it as long as it is not chosen for that."""
        if landing.view is None:
            return
        where, found = str(landing.destination), landing.rejections()
        for key in {outcome.key for outcome in landing.outcomes}:
            before, tags = self._rejected.get((key, where), set()), found.get(key, {})
            for tag in tags.keys() - before:
                self._log.info("rejected", key=key, tag=tag, detail=tags[tag].sentence, code=str(tags[tag].code), target=where)
            if tags or before:
                self._rejected[key, where] = set(tags)
                self._metrics.set(REJECTED, key, to=sum(len(item) for place, item in self._rejected.items() if place[0] == key))

    def _note_freshness(self, outcomes: Sequence[Outcome]) -> None:
        now = self._wall()
        by_key: defaultdict[str, list[Status]] = defaultdict(list)
        for outcome in outcomes:
            by_key[outcome.key].append(outcome.status)
        for key, statuses in by_key.items():
            status = fold(statuses)
            if status is not Status.FAILED:
                self._metrics.set("updater_subscription_last_success_timestamp_seconds", key, to=now)
            since = 0.0
            if status in {Status.HELD, Status.FAILED}:
                since = self._pending.setdefault(key, now)
            else:
                self._pending.pop(key, None)
            self._metrics.set("updater_subscription_pending_since_timestamp_seconds", key, to=since)
