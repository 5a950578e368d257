"""Two writers who change one value back and forth are noticed, named and stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.flows.fleet import Status, fleet
from tests.flows.test_gates import START, WallClock

HOUR = 3600
#: it goes down by itself, as two daemons with different ranges do
ALWAYS = "downgrade: always"


def put_back(made, old, new):
    """Another tool writes its own value."""
    text = made.file("apps/app.yaml")
    assert old in text
    made.repository.commit(
        {"apps/app.yaml": text.replace(old, new).encode()}, message="sync", committer="Robot <robot@other.example>"
    )


async def fought(made, clock, times):
    """The other tool writes a newer version each time; gives the outcome after the last one."""
    for _ in range(times):
        put_back(made, "app:1.1.0", "app:2.0.0")
        clock.now += HOUR
        end = (await made.once())["app"]
    return end


async def test_a_value_that_two_writers_flip_is_stopped_and_both_are_named(tmp_path):
    async with fleet(tmp_path) as made:
        made.wall = clock = WallClock()
        made.add("app", "marker: ns:app", policy='{semver: {range: "<2"}}', more=ALWAYS)
        for tag in ("1.1.0", "2.0.0"):
            made.registry.push("o/app", tag)
        assert (await made.once())["app"].status is Status.UPDATED
        assert (await fought(made, clock, 3)).status is Status.UPDATED
        before = made.commits()
        put_back(made, "app:1.1.0", "app:2.0.0")
        made.forget()  # Git is the memory
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.HELD, "flapping")
        assert end.opens_at == datetime.fromtimestamp(START + HOUR, UTC) + timedelta(days=1)
        assert "robot@other.example" in end.detail
        assert "for app (commit" in end.detail
        assert end.hint
        assert len(made.commits()) == len(before) + 1
        clock.now = end.opens_at.timestamp()
        assert (await made.once())["app"].status is Status.UPDATED


async def test_one_writer_that_moves_a_value_often_is_no_loop(tmp_path):
    async with fleet(tmp_path) as made:
        made.wall = clock = WallClock()
        made.add("app", "marker: ns:app")
        for number in range(1, 7):
            made.registry.push("o/app", f"1.{number}.0")
            clock.now += 60
            assert (await made.once())["app"].status is Status.UPDATED


async def test_two_updaters_with_other_ranges_come_to_rest_at_once(tmp_path):
    async with fleet(tmp_path) as made:
        made.wall = clock = WallClock()
        for tag in ("1.1.0", "2.0.0"):
            made.registry.push("o/app", tag)
        ends, heads = {}, []
        for number in range(8):
            made.subscriptions.clear()
            key, policy = (("one", '{semver: {range: "<2"}}'), ("two", '{semver: {range: ">=1"}}'))[number % 2]
            made.add(key, "marker: ns:app", policy=policy, more=ALWAYS)
            made.subscriptions[0] = made.subscriptions[0].replace(f"/o/{key}", "/o/app")
            clock.now += HOUR
            made.forget()
            ends[key] = (await made.once())[key]
            heads.append(made.repository.head())
        assert len(set(heads[3:])) == 1
        assert {key: end.status for key, end in ends.items()} == {"one": Status.UNCHANGED, "two": Status.HELD}
