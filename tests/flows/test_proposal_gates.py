"""Gates and open pull requests: what waits, what is merged when, and what is kept while something is not known."""

from __future__ import annotations

import pytest
from aiohttp import web

from tests.flows.fleet import Status
from tests.flows.test_gates import DAY, START, WallClock
from tests.flows.test_proposal_holds import FREEZE, decided, gate
from tests.flows.test_proposal_life import APP, add_web, app, once, passes, pull
from tests.flows.test_proposals import proposing


@pytest.fixture(params=["github"])
def kind(request):
    return request.param


async def test_a_group_of_which_one_is_held_keeps_what_it_proposed_also_on_a_base_that_moves(tmp_path, kind):
    grouped = "{per: group, group: shop}"
    async with proposing(tmp_path, kind, "lost", grouped) as life:
        life.push("1.1.0")
        add_web(life, grouped)
        gate(life, "{group: shop}", 0)
        gate(life, "{group: shop}", 1)
        ends = await once(life, "lost")
        branch = pull(life).branch
        assert {end.status for end in ends.values()} == {Status.PROPOSED}
        decided(life, "app:\n  hold: {author: Jane}\n")
        for key in ("app", "web"):
            life.fleet.registry.push(f"o/{key}", "1.2.0")
        life.fleet.repository.commit({"x": b"1"})
        ends = await once(life, "lost")
        assert {key: (end.status, end.code) for key, end in ends.items()} == {
            "app": (Status.HELD, "hold"),
            "web": (Status.HELD, "group"),
        }
        assert pull(life).state == "open"
        assert (life.written(branch), "1.1.0" in life.fleet.file("apps/web.yaml", branch)) == ("1.1.0", True)
        decided(life, "{}\n")
        ends = await once(life, "lost")
        assert (life.written(branch), "1.2.0" in life.fleet.file("apps/web.yaml", branch)) == ("1.2.0", True)


async def test_a_group_whose_pull_request_was_closed_waits_for_a_version_that_all_of_it_offer(tmp_path, kind):
    grouped = "{per: group, group: shop}"
    async with proposing(tmp_path, kind, "lost", grouped) as life:
        life.push("1.1.0")
        add_web(life, grouped)
        gate(life, "{group: shop}", 0)
        gate(life, "{group: shop}", 1)
        await once(life, "lost")
        life.forge.close(1)
        ends = await once(life, "lost")
        assert {end.status for end in ends.values()} == {Status.HELD}, ends
        life.push("1.2.0")
        ends = await once(life, "lost")
        assert {end.status for end in ends.values()} == {Status.HELD}, ends
        life.fleet.registry.push("o/web", "1.2.0")
        ends = await once(life, "lost")
        assert {end.status for end in ends.values()} == {Status.PROPOSED}, ends


async def test_a_rejection_leaves_the_next_best_in_the_same_pull_request(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{}") as life:
        life.push("1.1.0")
        life.push("1.2.0")
        await life.land()
        decided(life, "app:\n  reject:\n  - {tag: 1.2.0}\n")
        end = await life.land()
        assert (end.status, app(life), len(life.forge.opened())) == (Status.PROPOSED, "1.1.0", 1)
        life.forge.close(1)
        decided(life, "{}\n")
        end = await life.land()
        assert (end.status, app(life)) == (Status.PROPOSED, "1.2.0")


async def test_a_window_that_closes_between_push_and_pull_request_is_waited_for_and_nothing_new_is_merged(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{auto_merge: patch}") as life:
        life.forge.rules.auto_merge = False
        life.fleet.wall = clock = WallClock()
        clock.now = START - 4 * 3600
        gate(life, FREEZE)
        life.push("1.0.1")
        for _ in range(3):
            life.forge.fail("POST", 500)
        assert (await life.land()).status is Status.FAILED
        life.forge.faults.clear()
        clock.now = START
        end = await life.land()
        assert (end.status, end.code, len(life.forge.pulls)) == (Status.HELD, "window", 0), end
        clock.now = START + 3 * DAY
        end = await life.land()
        assert (end.status, pull(life).merged) == (Status.PROPOSED, False)


async def test_merges_are_counted_as_changes(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{auto_merge: patch}") as life:
        life.forge.rules.auto_merge = False
        life.fleet.wall = clock = WallClock()
        gate(life, "{max_changes: 1/h}")
        life.push("1.0.1")
        await passes(life, 2)
        assert life.written("main") == "1.0.1"
        life.push("1.0.2")
        end = await passes(life, 3)
        assert (end.status, life.written("main"), end.code) == (Status.HELD, "1.0.1", "max-changes")
        clock.now += 3601
        await passes(life, 3)
        assert life.written("main") == "1.0.2"


async def test_decisions_that_cannot_be_read_any_more_stop_the_merge_of_the_forge(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept", "{auto_merge: patch}") as life:
        life.forge.rules.checks = True
        life.push("1.0.1")
        await passes(life, 2)
        decided(life, "app: {hold: {\n")
        found = await life.generation.holds.read()
        life.generation.asked.decide(found.decisions, found.problems)
        await life.generation.once(life.generation.subscriptions, is_dry=False)
        life.forge.check(APP, "passed")
        life.forge.sync()
        assert life.written("main") == "1.0.0"


async def test_what_the_policy_does_not_admit_any_more_is_closed_and_never_merged(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{auto_merge: patch}") as life:
        life.forge.rules.checks = True
        life.push("1.0.1")
        await passes(life, 2)
        life.fleet.subscriptions[0] = life.fleet.subscriptions[0].replace(">=1.0.0", ">=3.0.0")
        await life.land()
        assert (life.written("main"), pull(life).state, life.head(APP)) == ("1.0.0", "closed", None)


@pytest.mark.parametrize("state", ["lost", "kept"])
async def test_a_pull_request_stays_while_the_registry_does_not_show_its_image(tmp_path, kind, state):

    async with proposing(tmp_path, kind, "lost", "{}") as life:
        life.fleet.subscriptions[0] = life.fleet.subscriptions[0].replace(
            "    targets:\n", "    platforms: [linux/amd64]\n    targets:\n", 1
        )
        life.push("1.1.0")
        assert (await life.land()).status is Status.PROPOSED

        async def broken(request):
            return web.Response(status=404) if "/manifests/1.1.0" in request.path or "/blobs/" in request.path else None

        life.fleet.registry.faults.append(broken)
        for _ in range(2):
            ends = await once(life, state)
        assert (app(life), pull(life).state) == ("1.1.0", "open"), ends
