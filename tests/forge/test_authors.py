"""Whose a pull request is: the account of the token, asked once for each token of a host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes.forge import ACCOUNT, TOKEN
from updater.errors import ForgeError
from updater.forge.address import ForgeKind, ForgeRepository
from updater.forge.authors import is_same
from updater.forge.base import ForgeAccess, ForgeUser, ProposalText
from updater.forge.budget import ForgeBudget
from updater.forge.kinds import DIALECTS
from updater.http.client import HttpClient
from updater.http.exchange import Connection

BASE = "main"
BRANCH = "updater/main"


async def opened(forge):
    return await forge.open(ProposalText(title="t", body="b"), branch=BRANCH, base=BASE)


async def test_each_way_to_read_one_tells_who_opened_it(server, forge):
    made = await opened(forge)
    (listed,), (found,), got = await forge.list_open(), await forge.find(BRANCH, BASE), await forge.get(made.number)
    assert {item.author.name for item in (made, listed, found, got)} == {ACCOUNT}
    assert await forge.is_own(got)
    server.pulls[0].author = "mallory"
    assert not await forge.is_own(await forge.get(made.number))


async def test_what_has_no_author_any_more_is_judged_by_branch_and_marker(forge):
    assert await forge.is_own(replace(await opened(forge), author=None))


async def test_another_token_is_asked_again_whose_it_is_and_one_token_once_for_all_repositories(server):
    tokens, budget = [TOKEN], ForgeBudget()

    async def reach():
        return ForgeAccess(token=tokens[-1], connection=Connection())

    async with HttpClient() as http:
        kind = ForgeKind(server.kind)
        path = server.path.replace("/", "%2F") if kind is ForgeKind.GITLAB else server.path
        place = ForgeRepository(kind=kind, api=server.api, path=path)
        first, second = (DIALECTS[kind](place, http, reach, budget=budget) for _ in range(2))
        made = await opened(first)
        asked = len(server.asked)
        assert [await first.is_own(made), await second.is_own(made)] == [True, True]
        assert len(server.asked) == asked + 1
        tokens.append("another-token-of-nobody")
        assert await first.is_own(made)  # it may not ask: nobody can tell
        assert len(server.asked) == asked + 2


async def test_a_forge_that_is_down_is_no_answer_and_is_asked_again(server, forge):
    made = await opened(forge)
    method = "POST" if server.kind == "github" else "GET"
    for _ in range(4):
        server.fail(method, 503)
    with pytest.raises(ForgeError) as caught:
        await forge.is_own(made)
    assert caught.value.code == "forge-unavailable"
    server.faults.clear()
    server.account = "somebody"
    assert not await forge.is_own(made)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_who_was_not_told_once_asks_again_later(server, forge, time, status):
    made = await opened(forge)
    server.account = "somebody"
    server.fail("POST" if server.kind == "github" else "GET", status)
    asked = len(server.asked)
    assert [await forge.is_own(made), await forge.is_own(made)] == [True, True]
    assert len(server.asked) == asked + 1
    time.now += 601
    assert [await forge.is_own(made), await forge.is_own(made)] == [False, False]
    assert len(server.asked) == asked + 2


@pytest.mark.parametrize(
    ("mine", "theirs", "is_one"),
    [
        (ForgeUser("1", "a"), ForgeUser("1", "renamed"), True),
        (ForgeUser("1", "a"), ForgeUser("2", "a"), False),
        (ForgeUser("", "Anna"), ForgeUser("", "anna"), True),
        (ForgeUser("", "anna"), ForgeUser("", "bert"), False),
        (ForgeUser("1", "project_7_bot_0a1b"), ForgeUser("2", "project_7_bot_ffff"), True),
        (ForgeUser("1", "project_7_bot"), ForgeUser("2", "project_7_bot2"), True),
        (ForgeUser("1", "project_7_bot_0a1b"), ForgeUser("2", "project_71_bot_ffff"), False),
        (ForgeUser("1", "project_7_bot_0a1b"), ForgeUser("2", "group_7_bot_ffff"), False),
        (ForgeUser("1", "anna"), ForgeUser("2", "project_7_bot_ffff"), False),
    ],
)
def test_one_account_is_known_by_its_id_and_bots_of_one_project_are_one(mine, theirs, is_one):
    assert is_same(mine, theirs) is is_one
