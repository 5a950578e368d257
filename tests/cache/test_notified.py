"""What routes of notifications were told outlives a restart, each route by itself."""

from __future__ import annotations

from updater.cache.cache import Cache


async def test_states_are_there_after_a_restart_and_an_empty_one_is_forgotten(tmp_path):
    place, other = ("web", "somewhere"), ("app", "somewhere")
    async with Cache(tmp_path / "cache.db") as cache:
        await cache.notified.write("chat", {place: "failed|1", other: "held|2"})
        await cache.notified.write("mail", {place: "failed|3"})
        await cache.notified.write("chat", {place: "failed|4", other: ""})
    async with Cache(tmp_path / "cache.db") as cache:
        assert await cache.notified.read("chat") == {place: "failed|4"}
        assert await cache.notified.read("mail") == {place: "failed|3"}
        assert await cache.notified.read("other") == {}


async def test_a_route_that_is_gone_leaves_nothing(tmp_path):
    place = ("web", "somewhere")
    async with Cache(tmp_path / "cache.db") as cache:
        for route in ("chat", "mail", "old"):
            await cache.notified.write(route, {place: "failed|1"})
        await cache.notified.keep({"chat", "new"})
        assert [await cache.notified.read(route) for route in ("chat", "mail", "old")] == [{place: "failed|1"}, {}, {}]
        await cache.notified.keep(())
        assert await cache.notified.read("chat") == {}


async def test_a_cache_that_cannot_be_used_remembers_in_memory(tmp_path):
    (tmp_path / "cache.db").write_bytes(b"no database")
    async with Cache(tmp_path / "cache.db") as cache:
        await cache.notified.write("chat", {("web", "somewhere"): "failed|1"})
        assert await cache.notified.read("chat") == {("web", "somewhere"): "failed|1"}
