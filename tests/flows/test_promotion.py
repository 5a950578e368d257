"""Promotion: production takes exactly what staging has run healthy for its time, through settings, registry, cluster and Git."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from tests.fakes.eventually import until, until_there
from tests.flows.promotion_flows import HOUR, stages
from updater.cli.explain import explained
from updater.daemon.fleet_desk import FleetDesk
from updater.errors import ConfigError
from updater.sources.file import load

FOLLOWS = "{follows: {subscription: staging, healthy_for: 2h}}"
OTHER = datetime(2026, 1, 1, tzinfo=UTC)  # builds of one time are one digest here


@asynccontextmanager
async def two(tmp_path, **more):
    async with stages(tmp_path, "staging", "prod") as line:
        line.add("staging", delivery=more.pop("delivery", "settle: 50ms"), more=more.pop("staging_more", ""))
        line.add("prod", gates=more.pop("gates", FOLLOWS), **{"delivery": "", **more})
        yield line


async def runs(line, tag, *, stage="staging", follower="prod"):
    """Push *tag*, let staging take it, and run it well."""
    line.push(tag)
    await line.written(stage, tag)
    await line.deploys(stage)
    await line.runs_well(stage, follower)


async def passes(line, seconds, *keys):
    """Let time pass, and let *keys* be decided again."""
    line.clock.pass_(seconds)
    await line.decided(*keys)


async def test_production_takes_what_staging_has_run_healthy_for_the_time_and_is_held_until_then(tmp_path):
    async with two(tmp_path) as line, line.running():
        await runs(line, "1.1.0")
        await until(lambda: line.outcome("prod").held_by == "follows")
        assert abs(line.offer("prod").opens_at - line.clock() - 2 * HOUR) < 120
        await passes(line, HOUR, "prod")
        assert (line.outcome("prod").held_by, line.says("prod")) == ("follows", "1.0.0")
        line.clock.pass_(HOUR)
        await line.wakes("prod")
        await line.written("prod", "1.1.0")


async def test_the_page_says_of_the_gates_what_the_landing_was_told(tmp_path):
    gates = "{follows: {subscription: staging, healthy_for: 2h}, wait_while_busy: true}"
    async with two(tmp_path, gates=gates, more="delivery: {workload: Rollout/prod/app}") as line, line.running():
        await runs(line, "1.1.0")
        await until(lambda: line.outcome("prod").held_by == "follows")
        found = await FleetDesk(line.generation._process, lambda: line.generation).detail("prod")
        told = {gate.gate: gate for gate in found.gates}
        assert (told["follows"].is_open, told["follows"].code) == (False, "follows")
        assert "1.1.0" in told["follows"].reason
        assert told["follows"].opens_at is not None
        assert "only updater run knows" not in told["busy"].reason


async def test_a_newer_version_at_staging_before_the_time_is_up_starts_a_time_of_its_own(tmp_path):
    async with two(tmp_path) as line, line.running():
        await runs(line, "1.1.0")
        line.clock.pass_(HOUR)
        await runs(line, "1.2.0")
        await passes(line, HOUR, "prod")  # two hours since 1.1.0, one since 1.2.0
        assert (line.outcome("prod").held_by, line.says("prod")) == ("follows", "1.0.0")
        line.clock.pass_(HOUR)
        await line.wakes("prod")
        await line.written("prod", "1.2.0")


async def test_what_ran_for_the_time_is_written_although_staging_moved_on_so_that_nobody_starves(tmp_path):
    async with two(tmp_path) as line:
        (tmp_path / "holds.yaml").write_text("prod: {hold: {author: Jane}}\n")
        async with line.running():
            await runs(line, "1.1.0")
            line.clock.pass_(2 * HOUR)
            await runs(line, "1.2.0")
            await line.decided("prod")
            assert line.outcome("prod").held_by == "hold"
            (tmp_path / "holds.yaml").write_text("{}\n")
            await line.written("prod", "1.1.0")


@pytest.mark.parametrize("on_bad", ["report", "revert", "hold"])
async def test_a_version_that_is_bad_at_staging_is_never_promoted(tmp_path, on_bad):
    async with two(tmp_path, delivery=f"settle: 50ms, on_bad: {on_bad}") as line, line.running():
        await line.deploys("staging")
        line.push("1.1.0")
        await line.written("staging", "1.1.0")
        await line.deploys("staging", "1.1.0", available=0)
        await line.fails("staging", "1.1.0")
        await until(lambda: line.outcome("staging").verdict == "bad")
        await passes(line, 5 * HOUR, "prod")
        assert (line.outcome("prod").held_by, line.says("prod")) == ("follows", "1.0.0")


async def test_a_version_that_a_person_rolled_back_at_staging_is_not_promoted(tmp_path):
    async with two(tmp_path) as line, line.running():
        await runs(line, "1.1.0")
        text = line.made.file("staging.yaml").replace("app:1.1.0", "app:1.0.0")
        line.made.repository.commit({"staging.yaml": text.encode()})
        await until(lambda: line.offer("prod").standing is None)
        await passes(line, 5 * HOUR, "prod")
        assert (line.outcome("prod").held_by, line.says("prod")) == ("follows", "1.0.0")


async def test_the_digest_is_what_staging_ran_and_a_tag_that_was_pushed_again_is_not_written(tmp_path):
    async with two(tmp_path) as line, line.running():
        await runs(line, "1.1.0")
        line.push("1.1.0", created=OTHER)
        await passes(line, 2 * HOUR, "prod")
        await until(lambda: "by now" in line.detail("prod"))
        assert line.says("prod") == "1.0.0"


async def test_with_the_digest_exactly_what_ran_is_written_although_the_tag_moved_on(tmp_path):
    async with two(tmp_path, more="form: tag@digest") as line, line.running():
        await runs(line, "1.1.0")
        ran = str(line.offer("prod").standing.digest)
        line.push("1.1.0", created=OTHER)
        line.clock.pass_(2 * HOUR)
        await line.wakes("prod")
        await line.written("prod", "1.1.0")
        assert line.says("prod") == f"1.1.0@{ran}"


async def test_a_tag_that_is_followed_by_its_digest_is_promoted_build_by_build(tmp_path):
    policy = "{digest: {tag: 1.0.0}}"
    async with stages(tmp_path, "staging", "prod") as line:
        for key, more in (("staging", {}), ("prod", {"gates": FOLLOWS})):
            line.add(key, policy=policy, more="form: tag@digest", **more)
        async with line.running():
            await until_there(lambda: "@" in line.says("staging"))
            await line.deploys("staging")
            await line.runs_well("staging", "prod")
            first = line.says("staging")
            line.clock.pass_(2 * HOUR)
            await line.wakes("prod")
            await until_there(lambda: line.says("prod") == first)
            line.push("1.0.0", created=OTHER)
            await until_there(lambda: line.says("staging") != first)
            await line.decided("prod")
            assert line.says("prod") == first


async def test_a_chain_of_three_stages_moves_one_after_the_other(tmp_path):
    async with stages(tmp_path, "dev", "staging", "prod") as line:
        line.add("dev")
        line.add("staging", gates="{follows: {subscription: dev, healthy_for: 1h}}")
        line.add("prod", gates=FOLLOWS)
        async with line.running():
            await runs(line, "1.1.0", stage="dev", follower="staging")
            await line.decided("staging", "prod")
            assert (line.says("staging"), line.says("prod")) == ("1.0.0", "1.0.0")
            line.clock.pass_(HOUR)
            await line.wakes("staging")
            await line.written("staging", "1.1.0")
            await line.deploys("staging")
            await line.runs_well("staging", "prod")
            await line.decided("prod")
            assert line.says("prod") == "1.0.0"
            line.clock.pass_(2 * HOUR)
            await line.wakes("prod")
            await line.written("prod", "1.1.0")


async def test_a_restart_in_the_middle_goes_on_where_it_was(tmp_path):
    async with two(tmp_path) as line:
        async with line.running():
            await runs(line, "1.1.0")
            line.clock.pass_(2 * HOUR - 600)
            await line.noted()
        async with line.running():
            await line.runs_well("staging", "prod")
            await line.decided("prod")
            assert (line.outcome("prod").held_by, line.says("prod")) == ("follows", "1.0.0")
            line.clock.pass_(600)
            await line.wakes("prod")
            await line.written("prod", "1.1.0")


async def test_times_that_are_lost_with_the_cache_start_again_and_nothing_is_written_early(tmp_path):
    async with two(tmp_path) as line:
        async with line.running():
            await runs(line, "1.1.0")
            line.clock.pass_(3 * HOUR)
            (tmp_path / "holds.yaml").write_text("prod: {hold: {author: Jane}}\n")
        line.made.forget()
        (tmp_path / "holds.yaml").unlink()
        async with line.running():
            await line.runs_well("staging", "prod")
            await passes(line, HOUR, "prod")
            assert (line.outcome("prod").held_by, line.says("prod")) == ("follows", "1.0.0")
            line.clock.pass_(HOUR)
            await line.wakes("prod")
            await line.written("prod", "1.1.0")


async def test_one_pass_promotes_nothing_because_nobody_watched(tmp_path):
    async with two(tmp_path) as line:
        async with line.running():
            await runs(line, "1.1.0")
            await line.noted()
        line.clock.pass_(5 * HOUR)
        end = (await line.made.once())["prod"]
        assert (end.code, line.says("prod")) == ("follows", "1.0.0")
        assert "updater run" in end.detail


async def test_explain_shows_what_the_gate_waits_for_and_the_moment_at_which_it_opens(tmp_path):
    async with two(tmp_path) as line:
        async with line.running():
            await runs(line, "1.1.0")
            await line.noted()
        (row,) = await explained([str(line.made.configure())], "prod")
        (gate,) = row["gates"]
        assert (gate["gate"], gate["is_open"], gate["code"]) == ("follows", False, "follows")
        assert gate["opens_at"]
        assert "staging runs 1.1.0@sha256:" in gate["reason"]


async def test_a_pin_of_production_moves_it_whatever_staging_says(tmp_path):
    async with two(tmp_path) as line:
        line.push("1.1.0")
        (tmp_path / "holds.yaml").write_text("prod: {pin: {tag: 1.1.0, author: Jane}}\n")
        async with line.running():
            await line.written("prod", "1.1.0")


async def test_a_group_of_production_moves_together_when_both_were_run_well(tmp_path):
    async with stages(tmp_path, "staging", "prod", "twin") as line:
        line.add("staging")
        line.add("prod", gates="{group: all, follows: {subscription: staging, healthy_for: 2h}}")
        line.add("twin", gates="{group: all}")
        async with line.running():
            await runs(line, "1.1.0")
            await line.decided("prod", "twin")
            assert (line.says("prod"), line.says("twin")) == ("1.0.0", "1.0.0")
            line.clock.pass_(2 * HOUR)
            await line.wakes("prod")
            await line.written("prod", "1.1.0")
            assert line.says("twin") == "1.1.0"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("{subscription: stagin, healthy_for: 2h}", "there is no subscription 'stagin'"),
        ("{subscription: prod, healthy_for: 2h}", "follow each other: prod → prod"),
        ("{subscription: bare, healthy_for: 2h}", "bare has no delivery"),
        ("{subscription: staging, healthy_for: 2 hours}", "is not a duration"),
        ("{subscription: staging}", "healthy_for"),
        ("{subscription: staging, healthy_for: 2h, settle: 3s}", "settle"),
    ],
)
async def test_what_cannot_be_followed_is_refused_at_load_with_path_and_hint(tmp_path, asked, said):
    async with stages(tmp_path, "staging", "prod", "bare") as line:
        line.add("staging")
        line.add("bare", delivery="")
        line.add("prod", gates=f"{{follows: {asked}}}")
        with pytest.raises(ConfigError) as refused:
            load([line.made.configure()], {})
        (problem,) = refused.value.problems
        assert said in problem.message
        assert (problem.path, bool(problem.hint), problem.line is not None) == (str(line.made.configure()), True, True)


async def test_subscriptions_that_follow_each_other_are_refused_each_with_the_chain(tmp_path):
    async with stages(tmp_path, "a", "b", "c") as line:
        for key, follows in (("a", "b"), ("b", "c"), ("c", "a")):
            line.add(key, gates=f"{{follows: {{subscription: {follows}, healthy_for: 1h}}}}")
        with pytest.raises(ConfigError) as refused:
            load([line.made.configure()], {})
        assert len(refused.value.problems) == 3
        assert {item.code for item in refused.value.problems} == {"follows"}
        assert "a → b → c → a" in refused.value.problems[0].message
