"""What another process saw of followed subscriptions outlives a start at which no source was heard yet."""

from __future__ import annotations

from types import SimpleNamespace

from tests.delivery.test_healthy_times import HEALTHY, HOUR, asked_for, prod, ran, staging
from updater.cache.cache import Cache
from updater.daemon.healthy_runs import WatchedRuns
from updater.delivery.memory import ReleaseMemory


async def test_healthy_times_in_the_cache_wait_for_the_source_that_asks_for_them(tmp_path):
    rows = ran(HOUR).times.remembered()
    async with Cache(tmp_path / "cache.sqlite") as cache:
        await cache.remember_runs(rows)
        process = SimpleNamespace(wall=lambda: rows[0].seen, cache=cache, releases=ReleaseMemory())
        watched = WatchedRuns(lambda: (), process, lambda _release, _heads: HEALTHY)
        await watched.recall()
        assert watched.times.remembered() == rows
        watched.times.hear(asked_for(prod(), staging(), is_whole=True))
        (run,), (before,) = watched.times.runs("staging"), rows[0].runs
        assert (run.revision, run.since) == (before.revision, before.since)
