"""Gates hold what the policy chose until their moment, through settings, registry, Git and restarts."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import click

from tests.fakes.eventually import until_there
from tests.flows.fleet import Status, add_usual, fleet
from updater.cli.explain import _lines, explained

START = datetime(2026, 11, 27, 13, tzinfo=UTC).timestamp()  # a Friday
DAY = 86400
OTHER = datetime(2026, 1, 1, tzinfo=UTC)  # builds of one time are one digest here


class WallClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def timed(tmp_path, gates: str, **files):
    async with fleet(tmp_path, **files) as made:
        made.wall = clock = WallClock()
        made.add("app", "marker: ns:app", more=f"gates: {gates}")
        yield made, clock


async def test_a_tag_is_written_when_it_is_three_days_old_and_an_older_one_meanwhile(tmp_path):
    async with timed(tmp_path, "{min_age: 3d}") as (made, clock):
        made.registry.push("o/app", "1.1.0")
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.HELD, "min-age")
        assert end.opens_at == datetime.fromtimestamp(START + 3 * DAY, UTC)
        clock.now += 2 * DAY
        made.registry.push("o/app", "1.2.0", created=OTHER)
        assert (await made.once())["app"].code == "min-age"
        clock.now += DAY
        end = (await made.once())["app"]
        assert (end.status, end.opens_at) == (Status.UPDATED, datetime.fromtimestamp(START + 5 * DAY, UTC))
        assert "o/app:1.1.0 " in made.file("apps/app.yaml")
        clock.now += 2 * DAY
        assert (await made.once())["app"].status is Status.UPDATED
        assert "o/app:1.2.0 " in made.file("apps/app.yaml")


async def test_another_build_under_the_same_tag_starts_its_age_again(tmp_path):
    async with timed(tmp_path, "{min_age: 3d}") as (made, clock):
        made.registry.push("o/app", "1.1.0")
        assert (await made.once())["app"].code == "min-age"
        clock.now += 3 * DAY
        made.registry.push("o/app", "1.1.0", created=OTHER)
        end = (await made.once())["app"]
        assert (end.code, end.opens_at) == ("min-age", datetime.fromtimestamp(START + 6 * DAY, UTC))
        clock.now += 3 * DAY
        assert (await made.once())["app"].status is Status.UPDATED


async def test_ages_that_are_lost_with_the_cache_start_again_and_nothing_is_written_early(tmp_path):
    async with timed(tmp_path, "{min_age: 3d}") as (made, clock):
        made.registry.push("o/app", "1.1.0")
        await made.once()
        clock.now += 2 * DAY
        made.forget()
        end = (await made.once())["app"]
        assert (end.code, end.opens_at) == ("min-age", datetime.fromtimestamp(START + 5 * DAY, UTC))
        clock.now += 3 * DAY - 1
        assert (await made.once())["app"].code == "min-age"
        clock.now += 1
        assert (await made.once())["app"].status is Status.UPDATED


async def test_a_clock_that_is_set_back_holds_longer_and_never_shorter(tmp_path):
    async with timed(tmp_path, "{min_age: 3d}") as (made, clock):
        made.registry.push("o/app", "1.1.0")
        await made.once()
        clock.now -= 30 * DAY
        assert (await made.once())["app"].code == "min-age"
        clock.now += 3 * DAY
        assert (await made.once())["app"].status is Status.UPDATED


async def test_nothing_is_committed_in_a_freeze_and_everything_after_it(tmp_path):
    freeze = '{windows: [{kind: deny, schedule: "0 12 * * 5", duration: 60h, time_zone: Europe/Berlin}]}'
    async with timed(tmp_path, freeze) as (made, clock):
        made.registry.push("o/app", "1.1.0")
        before = made.commits()
        end = (await made.once())["app"]
        assert (end.status, end.code) == (Status.HELD, "window")
        assert end.opens_at == datetime(2026, 11, 29, 23, tzinfo=UTC)
        assert "1.0.0 → 1.1.0" in end.detail
        assert made.commits() == before
        made.forget()  # a freeze needs no memory
        assert (await made.once())["app"].code == "window"
        clock.now = end.opens_at.timestamp()
        assert (await made.once())["app"].status is Status.UPDATED


async def test_changes_are_counted_from_git_so_that_no_restart_forgets_them(tmp_path):
    async with timed(tmp_path, "{max_changes: 2/h}") as (made, clock):
        for minute, tag in enumerate(("1.1.0", "1.2.0")):
            clock.now = START + minute * 60
            made.registry.push("o/app", tag)
            assert (await made.once())["app"].status is Status.UPDATED
        made.registry.push("o/app", "1.3.0")
        made.forget()
        end = (await made.once())["app"]
        assert (end.code, end.opens_at) == ("max-changes", datetime.fromtimestamp(START + 3600, UTC))
        clock.now = START + 3600
        assert (await made.once())["app"].status is Status.UPDATED


async def test_a_pass_of_once_does_not_wait_for_others(tmp_path):
    async with timed(tmp_path, "{coalesce: 5m}") as (made, _):
        made.registry.push("o/app", "1.1.0")
        assert (await made.once())["app"].status is Status.UPDATED


async def test_what_a_push_branch_holds_already_stays_there_through_a_freeze(tmp_path):
    freeze = '{windows: [{kind: deny, schedule: "0 12 * * 5", duration: 60h}], min_age: 1d}'
    async with fleet(tmp_path) as made:
        made.wall = clock = WallClock()
        clock.now -= 3 * DAY
        made.add("app", "marker: ns:app", push="updates", more=f"gates: {freeze}")
        made.registry.push("o/app", "1.1.0")
        await made.once()
        clock.now += DAY
        assert (await made.once())["app"].status is Status.UPDATED
        clock.now = START
        made.registry.push("o/app", "1.2.0", created=OTHER)
        await made.once()
        clock.now = START + 30 * 3600  # still frozen, and 1.2.0 is old enough
        assert (await made.once())["app"].code == "window"
        made.repository.commit({"other.txt": b"1"})
        made.forget()  # the ages are lost too
        assert (await made.once())["app"].code == "min-age"
        assert "o/app:1.1.0 " in made.file("apps/app.yaml", "updates")


async def test_the_daemon_wakes_when_a_hold_ends_and_writes_what_waited_together(tmp_path):
    async with fleet(tmp_path) as made:
        made.extra = "gates: {coalesce: 2s}"
        add_usual(made)
        for name in ("app", "web", "api"):
            made.registry.push(f"o/{name}", "1.1.0")
        text = made.configure().read_text().replace("interval: 1s", "interval: 1h")
        made.configure = lambda: _written(made, text)
        before = made.commits()
        async with made.opened() as generation:
            running = asyncio.create_task(generation.run())
            await until_there(lambda: made.commits() != before)
            generation.stop()
            await running
        assert len(made.commits()) == len(before) + 1
        assert "1.1.0" in made.file("charts/values.yaml")


def _written(made, text):
    path = made.folder / "updater.yaml"
    path.write_text(text)
    return path


async def test_an_older_image_under_a_new_tag_has_the_age_of_its_digest(tmp_path):
    async with timed(tmp_path, "{min_age: 3d}") as (made, clock):
        made.registry.push("o/app", "1.1.0-rc.1", created=OTHER)
        made.registry.push("o/app", "1.1.0", created=OTHER)
        assert (await made.once())["app"].code == "min-age"
        clock.now += 3 * DAY
        made.registry.push("o/app", "1.1.1", created=OTHER)
        assert (await made.once())["app"].status is Status.UPDATED
        assert "o/app:1.1.1 " in made.file("apps/app.yaml")


async def test_a_hold_and_a_rejection_of_people_are_outcomes_that_say_when_they_end(tmp_path):
    async with timed(tmp_path, "{}") as (made, clock):
        end = datetime.fromtimestamp(START + DAY, UTC)
        holds = tmp_path / "holds.yaml"
        made.registry.push("o/app", "1.1.0")
        for entry in ("hold: {author: Jane, until: %s}", "reject: [{tag: 1.1.0, author: Jane, until: %s}]"):
            holds.write_text(f"app: {{{entry % end.isoformat().replace('+00:00', 'Z')}}}\n")
            outcome = (await made.once())["app"]
            assert (outcome.status, outcome.opens_at) == (Status.HELD, end)
            assert "Jane" in outcome.detail
        clock.now += DAY
        assert (await made.once())["app"].status is Status.UPDATED


async def test_explain_shows_every_gate_with_its_answer_and_the_moment_at_which_it_opens(tmp_path):
    gates = '{min_age: 3d, max_changes: 4/h, windows: [{kind: deny, schedule: "* * * * *", duration: 1h}]}'
    async with timed(tmp_path, gates) as (made, _):
        made.registry.push("o/app", "1.1.0")
        path = str(made.configure())
        (row,) = await explained([path], "app")
    answers = {item["gate"]: (item["is_open"], item["code"]) for item in row["gates"]}
    assert answers == {"min-age": (False, "min-age"), "window": (False, "window"), "max-changes": (True, None)}
    by_gate = {item["gate"]: item for item in row["gates"]}
    assert by_gate["min-age"]["opens_at"] == row["outcomes"][0]["opens_at"].replace(".000", "")
    assert by_gate["window"]["opens_at"] is None
    text = "\n".join(_lines(row, None))
    assert "  gate       window held [window]: held by the deny window" in click.unstyle(text)
    assert "  gate       max-changes open: 0 of 4/h changes are used" in click.unstyle(text)


async def test_a_hold_is_counted_while_it_lasts_and_is_no_trouble_where_its_end_is_known(tmp_path):
    async with timed(tmp_path, "{min_age: 3d}") as (made, clock):
        made.registry.push("o/app", "1.1.0")
        async with made.opened() as generation:
            for days, lines in ((0, ['updater_gate_holds{code="min-age"} 1.0']), (3, [])):
                clock.now = START + days * DAY
                await generation.once(generation.subscriptions, is_dry=False)
                text = generation._process.render_metrics().decode()
                assert [line for line in text.splitlines() if line.startswith("updater_gate_holds{")] == lines
                assert 'pending_since_timestamp_seconds{subscription="app"} 0.0' in text
