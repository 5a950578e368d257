"""How many requests a forge still allows: kept for each host and account, and below a reserve only what is new is asked."""

from __future__ import annotations

import pytest

from tests.fakes.answers import answer
from tests.fakes.forge import TOKEN
from updater.errors import ForgeError
from updater.forge.base import ForgeAccess, ProposalText
from updater.forge.budget import ForgeBudget
from updater.forge.kinds import DIALECTS
from updater.http.client import Clock, HttpClient
from updater.http.exchange import Connection
from updater.http.limits import Patience

TEXT = ProposalText(title="Update app", body="text")
WALL = 1_700_000_000.0


def budget_at(now, **named):
    return ForgeBudget(surroundings=Clock(clock=lambda: now[0], wall=lambda: WALL + now[0]), **named)


@pytest.mark.parametrize(
    "headers",
    [
        {"X_RateLimit_Limit": "5000", "X_RateLimit_Remaining": "499", "X_RateLimit_Reset": "1700000600"},
        {"RateLimit_Limit": "2000", "RateLimit_Remaining": "199", "RateLimit_Reset": "1700000600"},
        {"RateLimit_Limit": "2000", "RateLimit_Remaining": "199", "RateLimit_Reset": "600"},
    ],
)
def test_below_a_tenth_of_the_limit_the_rest_is_reserved_until_it_begins_again(headers):
    now = [0.0]
    budget = budget_at(now)
    assert not budget.is_reserved("h", "t")
    budget.note("h", "t", answer(**headers))
    assert budget.is_reserved("h", "t")
    assert not budget.is_reserved("h", "another account")
    assert not budget.is_reserved("another host", "t")
    now[0] = 601.0
    assert not budget.is_reserved("h", "t")


@pytest.mark.parametrize(
    "headers",
    [
        {"X_RateLimit_Limit": "5000", "X_RateLimit_Remaining": "501"},
        {"X_RateLimit_Limit": "x", "X_RateLimit_Remaining": "-1", "X_RateLimit_Reset": "soon"},
        {"X_RateLimit_Remaining": "3"},
        {"X_RateLimit_Limit": "9" * 40, "X_RateLimit_Remaining": "1"},
        {},
    ],
)
def test_what_is_no_limit_reserves_nothing(headers):
    budget = budget_at([0.0])
    budget.note("h", "t", answer(**headers))
    assert not budget.is_reserved("h", "t")


def test_graphql_has_a_limit_of_its_own():
    told = []
    budget = budget_at([0.0], observe=lambda host, remaining: told.append(remaining))
    headers = {"X_RateLimit_Limit": "5000", "X_RateLimit_Reset": "600"}
    budget.note("h", "t", answer(X_RateLimit_Remaining="4000", X_RateLimit_Resource="core", **headers))
    budget.note("h", "t", answer(X_RateLimit_Remaining="4", X_RateLimit_Resource="graphql", **headers))
    assert (budget.is_reserved("h", "t"), budget.is_reserved("h", "t", "graphql"), told) == (False, True, [4000.0])


def test_what_remains_is_told_by_host():
    told = []
    budget = budget_at([0.0], observe=lambda host, remaining: told.append((host, remaining)))
    budget.note("api.github.com", "t", answer(X_RateLimit_Remaining="4711", X_RateLimit_Limit="5000"))
    budget.note("api.github.com", "t", answer(X_RateLimit_Remaining="many"))
    assert told == [("api.github.com", 4711.0)]


def test_many_accounts_hold_no_more_than_a_bound():
    budget = budget_at([0.0])
    for number in range(3000):
        budget.rest("h", f"token {number}", 60)
    assert len(budget._accounts) <= 1024
    assert budget.is_resting("h", "token 2999")


@pytest.fixture
async def second(server, time, forge):
    """Another repository of the same host, asked with the same token."""

    async def reach():
        return ForgeAccess(token=TOKEN, connection=Connection())

    surroundings = Clock(clock=time, wall=lambda: WALL + time.now, sleep=time.sleep, random=lambda: 1.0)
    async with HttpClient(patience=Patience(attempts=1), surroundings=surroundings) as http:
        yield DIALECTS[forge.repository.kind](forge.repository, http, reach, budget=forge._api._budget)


async def test_a_listing_gives_way_while_few_requests_remain_and_what_is_new_is_asked(server, forge):
    server.headers = {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "99", "X-RateLimit-Reset": "1700001600"}
    made = await forge.open(TEXT, branch="updater/main", base="main")
    asked = len(server.asked)
    looks = [forge.list_open] if server.kind == "github" else [forge.list_open, lambda: forge.readiness(made)]
    for look in looks:
        with pytest.raises(ForgeError) as caught:
            await look()
        assert caught.value.code == "forge-reserve"
    assert len(server.asked) == asked
    assert (await forge.update(1, ProposalText(title="New", body="b"))).title == "New"
    assert len(await forge.find("updater/main", "main")) == 1


async def test_a_wait_that_a_host_asks_for_holds_for_its_other_repositories(server, forge, second, time):
    server.fail("GET", 429, "slow down", Retry_After="300")
    with pytest.raises(ForgeError):
        await forge.find("updater/main", "main")
    asked = len(server.asked)
    with pytest.raises(ForgeError) as caught:
        await second.find("updater/main", "main")
    assert (caught.value.code, len(server.asked)) == ("forge-rate-limited", asked)
    time.now += 301
    assert await second.find("updater/main", "main") == ()
