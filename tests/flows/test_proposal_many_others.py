"""A no is found again however many other pull requests a repository has: on a Gitea, which does not list by branch."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.forge import FakePull
from tests.flows.fleet import Status
from tests.flows.test_proposals import BRANCH, proposing

PAGE, OTHERS = 50, 260


def others_change(forge, count=OTHERS):
    """Let people open and close *count* pull requests."""
    for number in range(count):
        forge.pulls.append(FakePull(len(forge.pulls) + 1, "p", "b", f"x/{number}", "main", state="closed", head="0" * 40))
        forge.touch(forge.pulls[-1])


@pytest.mark.parametrize("memory", ["kept", "lost"])
@pytest.mark.parametrize("is_branch_gone", [False, True])
async def test_a_closed_pull_request_is_a_no_though_many_others_changed_since(tmp_path, memory, is_branch_gone):
    async with proposing(tmp_path, "gitea", "lost") as life:
        life.push("1.1.0")
        await life.land()
        life.forge.close(1)
        if is_branch_gone:
            life.fleet.repository.git("update-ref", "-d", f"refs/heads/{BRANCH}")
        others_change(life.forge)
        if memory == "lost":
            held = await life.land()
        else:  # what was seen is on disk, and the process is a new one
            held = (await life.fleet.once())["app"]
        assert (held.status, held.code) == (Status.HELD, "proposal-closed")
        assert len(life.forge.pulls) == OTHERS + 1
        life.push("1.2.0")
        assert (await life.land()).status == Status.PROPOSED


async def test_all_are_read_once_and_then_only_what_changed(tmp_path):
    async with proposing(tmp_path, "gitea", "kept") as life:
        life.push("1.1.0")
        await life.land()
        life.forge.close(1)
        others_change(life.forge)
        listings = []
        for number, tag in enumerate(("1.2.0", "1.3.0"), 1):
            life.push(tag)
            before = len(life.forge.asked)
            assert (await life.land()).status == Status.PROPOSED
            listings.append(life.forge.asked[before:].count("GET pulls"))
            life.forge.close(OTHERS + 1 + number)
        pages = (OTHERS + 1) // PAGE + 1
        assert (listings[0], listings[1]) == (1 + pages + 1, 1 + 1)  # what is open, and all or what changed


async def test_many_that_changed_in_one_second_are_read_to_their_end_and_no_further(tmp_path):
    async with proposing(tmp_path, "gitea", "kept") as life:
        life.push("1.1.0")
        await life.land()
        life.forge.close(1)
        others_change(life.forge)
        for pull in life.forge.pulls:
            pull.changed = life.forge.clock
        life.push("1.2.0")
        async with asyncio.timeout(120):
            assert (await life.land()).status == Status.PROPOSED


async def test_a_branch_that_nothing_was_proposed_from_costs_one_question_whatever_others_did(tmp_path):
    async with proposing(tmp_path, "gitea", "lost") as life:
        others_change(life.forge)
        life.push("1.1.0")
        assert (await life.land()).status == Status.PROPOSED
        assert life.forge.asked.count("GET pulls") <= 1
