"""Ours is what the account of our token opened: our marker and our branch alone make nothing ours, on any forge."""

from __future__ import annotations

import pytest

from tests.flows.fleet import Status
from tests.flows.test_proposals import BRANCH, proposing

KINDS = ["github", "gitea", "gitlab", "bitbucket", "bitbucket-server", "azure"]
#: by what each forge is asked whose token it is
QUESTIONS = ("/user", "graphql query", "application-properties", "connectionData")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def of_mallory(life):
    """Let a colleague have opened what is there, with a copy of our text."""
    life.forge.pulls[0].author = "mallory"


def questions(life):
    return [line for line in life.forge.asked if line.endswith(QUESTIONS)]


async def test_what_a_colleague_opened_from_our_branch_with_our_marker_is_not_ours(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        life.push("1.1.0")
        await life.land()
        of_mallory(life)
        title, head, asked = life.forge.pulls[0].title, life.head(), len(life.forge.changes())
        life.push("1.2.0")
        end = await life.land()
        assert (end.status, end.code) == (Status.FAILED, "proposal-not-ours")
        assert "mallory opened it" in end.detail
        assert (life.forge.pulls[0].title, life.head(), len(life.forge.changes())) == (title, head, asked)
        life.forge.close(1)
        assert (await life.land()).status is Status.PROPOSED
        assert (life.written(), len(life.forge.opened())) == ("1.2.0", 1)


async def test_what_a_colleague_closed_of_his_own_is_no_to_nothing(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        life.push("1.1.0")
        await life.land()
        of_mallory(life)
        life.forge.close(1)
        assert (await life.land()).status is Status.PROPOSED
        assert len(life.forge.opened()) == 1


async def is_kept_as_ours(life):
    """Expect a pull request that Mallory opened to be the one that goes on."""
    life.push("1.1.0")
    await life.land()
    of_mallory(life)
    life.push("1.2.0")
    assert (await life.land()).status is Status.PROPOSED
    assert ("1.2.0" in life.forge.pulls[0].title, len(life.forge.pulls)) == (True, 1)


async def test_where_nobody_may_ask_whose_token_it_is_branch_and_marker_decide(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        life.forge.tells_account = False
        await is_kept_as_ours(life)


async def test_what_an_account_opened_that_the_settings_name_is_ours_too(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost") as life:
        life.fleet.extra = life.fleet.extra.replace(f"kind: {kind},", f"kind: {kind}, accounts: [Mallory],")
        await is_kept_as_ours(life)


async def test_whose_token_it_is_is_asked_once(tmp_path, kind):
    async with proposing(tmp_path, kind, "kept") as life:
        life.push("1.1.0")
        await life.land()
        for tag in ("1.2.0", "1.3.0"):
            life.push(tag)
            assert (await life.land()).status is Status.PROPOSED
            await life.land()
        assert len(questions(life)) == 1


async def test_a_colleagues_copy_does_not_count_against_the_limit_and_is_not_put_away(tmp_path, kind):
    async with proposing(tmp_path, kind, "lost", "{per: destination, limit: 1}") as life:
        life.push("1.1.0")
        await life.land()
        of_mallory(life)
        pull = life.forge.pulls[0]
        pull.branch = "people/copy"
        life.fleet.repository.git("update-ref", "refs/heads/people/copy", BRANCH)
        assert (await life.land()).status is Status.PROPOSED
        assert (pull.state, len(life.forge.opened())) == ("open", 2)
