"""Pull requests that are open while people hold, reject or pin, while a window closes, and after a person rolled back."""

from __future__ import annotations

import pytest

from tests.flows.fleet import Status
from tests.flows.test_commands import updater
from tests.flows.test_gates import DAY, START, WallClock
from tests.flows.test_proposal_life import APP, add_web, app, once, passes, pull, reloaded
from tests.flows.test_proposals import FILE, proposing

FREEZE = '{windows: [{kind: deny, schedule: "0 12 * * 5", duration: 60h, time_zone: UTC}]}'


@pytest.fixture(params=["github", "gitea"])
def kind(request):
    return request.param


def decided(life, text):
    (life.fleet.folder / "holds.yaml").write_text(text)


def gate(life, gates, n=0):
    sub = life.fleet.subscriptions[n]
    life.fleet.subscriptions[n] = sub.replace("    targets:\n", f"    gates: {gates}\n    targets:\n", 1)


HOLDS = ["app:\n  hold: {author: Jane, reason: freeze}\n", "app: {hold: {\n"]


@pytest.mark.parametrize("text", HOLDS)
async def test_what_people_hold_is_not_merged_until_they_release_it(tmp_path, kind, text):
    async with proposing(tmp_path, kind, "lost", "{auto_merge: patch}") as life:
        life.forge.rules.auto_merge = False
        life.push("1.0.1")
        assert (await life.land()).status is Status.PROPOSED
        decided(life, text)
        for _ in range(3):
            end = await life.land()
            assert (end.status, life.written("main"), pull(life).merged, app(life)) == (Status.HELD, "1.0.0", False, "1.0.1")
        decided(life, "{}\n")
        assert (await passes(life, 2)).status in {Status.UPDATED, Status.UNCHANGED}
        assert life.written("main") == "1.0.1"


@pytest.mark.parametrize("text", HOLDS)
async def test_what_people_hold_is_not_merged_by_the_forge_either(tmp_path, kind, text):
    async with proposing(tmp_path, kind, "lost", "{auto_merge: patch}") as life:
        life.forge.rules.checks = True
        life.push("1.0.1")
        await passes(life, 2)
        decided(life, text)
        await life.land()
        life.forge.check(APP, "passed")
        end = await passes(life, 2)
        assert (end.status, life.written("main"), pull(life).merged) == (Status.HELD, "1.0.0", False)
        decided(life, "{}\n")
        await passes(life, 2)
        assert life.written("main") == "1.0.1"


async def test_nothing_that_was_proposed_before_is_merged_in_a_freeze(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{auto_merge: patch}") as life:
        life.forge.rules.auto_merge = False
        gate(life, FREEZE)
        life.fleet.wall = clock = WallClock()
        clock.now = START - 4 * 3600
        life.push("1.0.1")
        assert (await life.land()).status is Status.PROPOSED
        clock.now = START
        for _ in range(3):
            await life.land()
            assert (life.written("main"), pull(life).merged, app(life)) == ("1.0.0", False, "1.0.1")
        clock.now = START + 3 * DAY
        await passes(life, 2)
        assert life.written("main") == "1.0.1"


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("text", ["app:\n  reject:\n  - {tag: 1.0.1, author: Jane}\n", "app:\n  pin: {tag: 1.0.0}\n"])
async def test_what_people_reject_or_pin_away_is_closed_and_proposed_again_once_they_release_it(tmp_path, kind, text, native):
    async with proposing(tmp_path, kind, "lost", "{auto_merge: patch}") as life:
        life.forge.rules.auto_merge = native
        life.forge.rules.checks = native
        life.push("1.0.1")
        await passes(life, 2 if native else 1)
        decided(life, text)
        end = await life.land()
        if native and life.head(APP):
            life.forge.check(APP, "passed")
        end = await passes(life, 2)
        assert end.status is Status.HELD
        assert (life.written("main"), pull(life).merged) == ("1.0.0", False)
        assert (pull(life).state, life.head(APP)) == ("closed", None)
        decided(life, "{}\n")
        assert (await life.land()).status is Status.PROPOSED


async def test_a_pin_proposes_what_a_closed_pull_request_rejected_and_closing_that_one_is_a_no_too(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{}") as life:
        life.push("1.1.0")
        await life.land()
        life.forge.close(1)
        assert (await life.land()).code == "proposal-closed"
        decided(life, "app:\n  pin: {tag: 1.1.0, author: Jane, since: 2999-01-01T00:00:00Z}\n")
        end = await life.land()
        assert end.status is Status.PROPOSED
        life.forge.close(2)
        end = await passes(life, 2)
        assert (end.code, len(life.forge.pulls)) == ("proposal-closed", 2)


async def test_an_open_pull_request_keeps_its_value_through_a_freeze_and_a_closed_one_stays_closed(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{}") as life:
        gate(life, FREEZE)
        life.fleet.wall = clock = WallClock()
        clock.now = START - 4 * 3600
        life.push("1.1.0")
        await life.land()
        clock.now = START
        life.push("1.2.0")
        end = await life.land()
        assert (end.status, app(life), pull(life).state) == (Status.HELD, "1.1.0", "open")
        life.fleet.repository.commit({"x": b"1"})
        end = await life.land()
        assert (end.status, app(life), pull(life).state) == (Status.HELD, "1.1.0", "open")
        life.forge.close(1)
        end = await life.land()
        assert (end.status, len(life.forge.pulls)) == (Status.HELD, 1)
        clock.now = START + 3 * DAY
        end = await passes(life, 2)
        assert (end.status, app(life), len(life.forge.opened())) == (Status.PROPOSED, "1.2.0", 1)


async def test_a_rollback_by_hand_of_what_a_pull_request_brought_is_respected(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{}") as life:
        life.push("1.1.0")
        await life.land()
        life.forge.merge(1)
        assert (await life.land()).status is Status.UNCHANGED
        text = life.fleet.file(FILE).replace("1.1.0", "1.0.0")
        life.fleet.repository.commit({FILE: text.encode()}, message="back")
        end = await passes(life, 2)
        assert (end.status, end.code) == (Status.HELD, "rejected")


async def test_a_pull_request_keeps_nothing_of_a_group_of_which_people_rejected_one_member(tmp_path, kind):
    text = "{per: destination}"
    async with proposing(tmp_path, kind, "lost", text) as life:
        life.push("1.1.0")
        add_web(life, text)
        gate(life, "{group: shop}", 0)
        gate(life, "{group: shop}", 1)
        ends = await once(life, "lost")
        assert {end.status for end in ends.values()} == {Status.PROPOSED}
        decided(life, "app:\n  reject:\n  - {tag: 1.1.0, author: Jane}\n")
        ends = await once(life, "lost")
        assert {end.status for end in ends.values()} == {Status.HELD}
        assert pull(life).state == "closed"


@pytest.mark.parametrize("native", [False, True])
async def test_what_people_took_back_after_a_squash_merge_is_proposed_and_left_to_them(tmp_path, kind, native):
    async with proposing(tmp_path, kind, "lost", "{auto_merge: patch}") as life:
        life.forge.rules.auto_merge = False
        life.push("1.0.1")
        await life.land()
        life.forge.merge(1, squashed=True)
        await life.land()
        life.forge.rules.auto_merge = life.forge.rules.checks = native
        text = life.fleet.file(FILE).replace("1.0.1", "1.0.0")
        life.fleet.repository.commit({FILE: text.encode()}, message="back")
        await life.land()
        if native:
            life.forge.check(APP, "passed")
        end = await passes(life, 3)
        assert life.written("main") == "1.0.0", end


async def test_what_was_pushed_but_never_proposed_waits_while_people_hold_it(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{}") as life:
        life.push("1.1.0")
        life.forge.fail("POST", 500)
        life.forge.fail("POST", 500)
        life.forge.fail("POST", 500)
        end = await life.land()
        assert (end.status, life.head(APP) is not None) == (Status.FAILED, True)
        life.forge.faults.clear()
        decided(life, "app:\n  hold: {author: Jane}\n")
        end = await life.land()
        assert (end.status, len(life.forge.pulls)) == (Status.HELD, 0)
        decided(life, "{}\n")
        assert (await life.land()).status is Status.PROPOSED


async def test_what_people_rejected_takes_no_place_of_the_limit(tmp_path, kind):
    limited = "{limit: 1}"
    async with proposing(tmp_path, kind, "lost", limited) as life:
        life.push("1.1.0")
        await once(life, "lost")
        add_web(life, limited)
        ends = await once(life, "lost")
        assert ends["web"].code == "proposal-limit"
        life.forge.close(1)
        ends = await once(life, "lost")
        assert (ends["app"].code, ends["web"].status) == ("proposal-closed", Status.PROPOSED)
        decided(life, "web:\n  reject:\n  - {tag: 1.1.0}\n")
        life.push("1.2.0")
        for _ in range(2):
            ends = await once(life, "lost")
        assert (ends["app"].status, ends["web"].code) == (Status.PROPOSED, "rejected")
        assert len(life.forge.opened()) == 1


async def test_what_is_held_and_then_left_is_closed(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept", "{}") as life:
        life.push("1.1.0")
        await life.land()
        decided(life, "app:\n  hold: {author: Jane}\n")
        async with reloaded(life, life.generation) as generation:
            life.generation = generation
            assert (await life.land()).code == "hold"
            life.fleet.subscriptions.clear()
            async with reloaded(life, generation) as last:
                left = last._process.left_proposals
                await left.close(lambda branch: last.land(branch, ()))
                assert (pull(life).state, life.head(APP)) == ("closed", None)


async def test_a_base_that_moves_while_we_merge_is_never_overwritten(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{auto_merge: patch}") as life:
        life.forge.rules.auto_merge = False
        life.push("1.0.1")
        await life.land()
        answer = life.forge.dialect.answer
        done = []

        def moved(request, path, data):
            if not done and "merge" in path and request.method in {"PUT", "POST"}:
                done.append(1)
                text = life.fleet.file(FILE).replace("1.0.0", "0.9.0")
                life.fleet.repository.commit({FILE: text.encode()}, message="person")
                pull(life).conflicts = True
            return answer(request, path, data)

        life.forge.dialect.answer = moved
        end = await life.land()
        assert end.status is Status.PROPOSED, end
        assert life.written("main") == "0.9.0"


@pytest.mark.parametrize("held", ["", "app:\n  hold: {author: Jane}\n", "app:\n  reject:\n  - {tag: 1.1.0}\n"])
async def test_release_takes_back_also_while_held_that_a_pull_request_was_closed_and_the_next_counts_anew(tmp_path, kind, held):
    async with proposing(tmp_path, kind, "lost", "{}") as life:
        life.push("1.1.0")
        await life.land()
        life.forge.close(1)
        assert (await life.land()).code == "proposal-closed"
        if held:
            decided(life, held)
        code, _, errors = await updater("release", "app", "-c", life.fleet.configure())
        assert code == 0, errors
        end = await passes(life, 2)
        assert (end.status, len(life.forge.pulls)) == (Status.PROPOSED, 2)
        life.forge.close(2)
        end = await passes(life, 2)
        assert (end.code, len(life.forge.pulls)) == ("proposal-closed", 2)
