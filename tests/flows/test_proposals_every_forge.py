"""The life of a pull request over a real git http-backend on each forge, with and without what was seen before."""

from __future__ import annotations

import pytest

from tests.flows.fleet import Status
from tests.flows.forge_table import has
from tests.flows.test_proposals import BRANCH, PERSON, proposing
from updater.forge.address import ForgeKind

#: the row of the table that Bitbucket Cloud, which never reopens what was declined, has a dash in
REOPENED = "a closed one can be reopened"


@pytest.fixture(params=["gitlab", "bitbucket", "bitbucket-server", "azure"])
def kind(request):
    return request.param


@pytest.fixture(params=["kept", "lost"])
async def life(request, tmp_path, kind):
    async with proposing(tmp_path, kind, request.param) as made:
        made.push("1.1.0")
        yield made


async def test_a_newer_tag_is_proposed_then_another_one_in_the_same_pull_request_and_a_quiet_pass_changes_nothing(life):
    first = await life.land()
    (pull,) = life.forge.pulls
    assert (first.status, first.link.startswith("http://forge.example.org/o/fleet/pull"), first.link[-1]) == (
        Status.PROPOSED,
        True,
        "1",
    )
    assert (life.written(), life.written("main"), pull.base) == ("1.1.0", "1.0.0", "main")
    head, asked = life.head(), len(life.forge.changes())
    again = await life.land()
    assert (again.status, again.link, again.revision) == (Status.PROPOSED, first.link, None)
    assert (life.head(), len(life.forge.changes())) == (head, asked)
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, life.written(), len(life.forge.pulls)) == (Status.PROPOSED, "1.2.0", 1)
    assert ("1.2.0" in pull.title, "1.1.0" in pull.body) == (True, False)


async def test_a_merge_is_noticed_and_the_branch_goes(life):
    await life.land()
    life.forge.merge(1)
    assert (await life.land()).status is Status.UNCHANGED
    assert (life.written("main"), life.head()) == ("1.1.0", None)


async def test_a_close_is_a_no_to_that_value_and_a_newer_one_is_proposed(life):
    await life.land()
    life.forge.close(1)
    end = await life.land()
    assert (end.status, end.code) == (Status.HELD, "proposal-closed")
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, len(life.forge.opened())) == (Status.PROPOSED, 1)
    assert len(life.forge.pulls) == 2


@pytest.mark.parametrize("kind", [kind.value for kind in ForgeKind if has(kind.value, REOPENED)])
async def test_a_reopened_pull_request_counts_again(life):
    await life.land()
    life.forge.close(1)
    assert (await life.land()).status is Status.HELD
    life.forge.close(1, state="open")
    end = await life.land()
    assert (end.status, end.link[-1], len(life.forge.pulls)) == (Status.PROPOSED, "1", 1)


@pytest.mark.parametrize("kind", [kind.value for kind in ForgeKind])
async def test_the_text_and_the_hint_say_how_a_no_is_taken_back_on_this_forge(life, kind):
    await life.land()
    body = life.forge.pulls[0].body
    assert ("Reopen it to take that back" in body, "`updater release`" in body) == (has(kind, REOPENED), not has(kind, REOPENED))
    life.forge.close(1)
    end = await life.land()
    assert (end.hint.startswith("reopen the pull request"), "run updater release" in end.hint) == (has(kind, REOPENED), True)


async def test_a_base_that_moved_is_the_base_of_the_branch_again(life):
    await life.land()
    life.fleet.repository.commit(PERSON)
    assert (await life.land()).status is Status.PROPOSED
    assert life.fleet.commits(f"{BRANCH}..main") == []
    assert len(life.fleet.commits(f"main..{BRANCH}")) == 1


async def test_a_branch_that_a_person_committed_to_is_left_to_them(life):
    await life.land()
    theirs = life.fleet.repository.commit(PERSON, branch=BRANCH)
    life.push("1.2.0")
    end = await life.land()
    assert (end.status, end.code) == (Status.HELD, "foreign-commits")
    assert life.head() == theirs


async def test_what_people_did_by_hand_closes_the_pull_request_and_takes_its_branch_away(life):
    await life.land()
    old = life.fleet.file("apps/app.yaml")
    life.fleet.repository.commit({"apps/app.yaml": old.replace(":1.0.0", ":1.1.0").encode()})
    assert (await life.land()).status is Status.UNCHANGED
    assert (life.head(), life.forge.opened()) == (None, [])


async def test_a_pull_request_from_a_fork_with_the_same_branch_is_nothing_to_us(life):
    await life.land()
    life.forge.pulls[0].fork = True
    end = await life.land()
    assert (end.status, len(life.forge.pulls)) == (Status.PROPOSED, 2)


async def test_a_forge_that_is_down_costs_nothing_that_the_next_pass_does_not_mend(life):
    life.forge.fail("GET", 500)
    for _ in range(3):
        life.forge.fail("GET", 500)
        life.forge.fail("POST", 500)
    await life.land()
    life.forge.faults.clear()
    assert (await life.land()).status is Status.PROPOSED
    assert len(life.forge.opened()) == 1


@pytest.mark.parametrize("kind", [kind.value for kind in ForgeKind])
async def test_it_is_merged_by_the_forge_or_by_us_once_checks_are_green(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept") as made:
        made.fleet.subscriptions[-1] = made.fleet.subscriptions[-1].replace(
            "{per: destination}", "{per: destination, auto_merge: always}"
        )
        async with made.fleet.opened() as generation:
            made.generation = generation
            made.push("1.1.0")
            made.forge.rules.checks = True
            assert (await made.land()).status is Status.PROPOSED
            made.forge.check(BRANCH, "pending")
            assert (await made.land()).status is Status.PROPOSED
            assert made.written("main") == "1.0.0"
            assert made.forge.pulls[0].auto_merge is has(kind, "merges by itself")
            made.forge.check(BRANCH, "passed")
            for _ in range(2):
                end = await made.land()
            assert (end.status, made.written("main"), made.head()) == (Status.UNCHANGED, "1.1.0", None)


async def test_while_few_requests_remain_what_is_known_stays_in_force_and_what_is_new_is_proposed(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept") as made:
        made.push("1.1.0")
        await made.land()
        made.forge.headers = {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "50", "X-RateLimit-Reset": "3000"}
        await made.land()
        asked = len(made.forge.asked)
        assert (await made.land()).status is Status.PROPOSED
        assert len(made.forge.asked) == asked
        made.push("1.2.0")
        end = await made.land()
        assert (end.status, made.written(), "1.2.0" in made.forge.pulls[0].title) == (Status.PROPOSED, "1.2.0", True)
