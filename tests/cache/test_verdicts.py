"""Verdicts outlive the process, and are bounded; what cannot be read is not there."""

from __future__ import annotations

from updater.cache.cache import Cache
from updater.cache.verdicts import MOST_VERDICTS
from updater.model.image import parse_ref
from updater.model.release import PastVerdict, ReleaseVerdict


def past(number, key="shop", verdict=ReleaseVerdict.HEALTHY):
    image = parse_ref(f"ghcr.io/acme/shop:1.{number}.0")
    return PastVerdict(
        key=key, revision=f"{number:040x}", image=image, verdict=verdict, reason="it runs", seconds=4.5, at=float(number)
    )


async def test_verdicts_are_there_after_a_restart_the_oldest_first(tmp_path):
    kept = [past(2), past(1, verdict=ReleaseVerdict.BAD)]
    async with Cache(tmp_path / "cache.db") as cache:
        await cache.remember_verdicts(kept)
    async with Cache(tmp_path / "cache.db") as cache:
        assert await cache.verdicts() == (kept[1], kept[0])


async def test_of_one_subscription_the_newest_are_kept_and_of_one_that_is_gone_none():
    async with Cache(None) as cache:
        await cache.remember_verdicts([past(number) for number in range(MOST_VERDICTS + 5)])
        await cache.remember_verdicts([past(1, key="web")])
        found = await cache.verdicts()
        assert len(found) == MOST_VERDICTS + 1
        assert min(item.at for item in found if item.key == "shop") == 5.0
        await cache.forget_outcomes(except_keys=["web"])
        assert {item.key for item in await cache.verdicts()} == {"web"}
