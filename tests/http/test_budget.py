"""Promises about large answers: they share one budget, and a slow host holds up itself alone."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from tests.fakes.registry import FakeRegistry, always
from tests.fakes.still_time import StillTime
from updater.http.budget import SMALL, Budget
from updater.http.client import HttpClient
from updater.http.exchange import Allowance, FailureKind, HttpFailure, HttpRequest


async def test_what_does_not_fit_waits_and_the_first_is_next():
    budget = Budget(10)
    order = []

    async def read(owner: str, size: int) -> None:
        await budget.take(owner, size)
        order.append(owner)

    await read("a", 6)
    tasks = [asyncio.create_task(read(owner, size)) for owner, size in (("b", 8), ("c", 2))]
    await asyncio.sleep(0)
    assert order == ["a"], "what comes later and is smaller does not pass"
    budget.give_back("a", 6)
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c"]


async def test_more_than_the_whole_budget_is_read_alone():
    budget = Budget(10)
    async with asyncio.timeout(30):
        await budget.take("a", 1000)
    other = asyncio.create_task(budget.take("b", 1))
    await asyncio.sleep(0)
    assert not other.done()
    budget.give_back("a", 1000)
    async with asyncio.timeout(30):
        await other


async def test_one_host_reads_one_at_a_time_and_holds_up_nobody():
    budget = Budget(100)
    await budget.take("slow", 10)
    second = asyncio.create_task(budget.take("slow", 10))
    async with asyncio.timeout(30):
        await budget.take("healthy", 10)
    assert not second.done()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    budget.give_back("slow", 10)
    async with asyncio.timeout(30):
        await budget.take("slow", 90)


async def test_a_turn_that_is_given_up_is_handed_on():
    budget = Budget(10)
    await budget.take("a", 10)
    waiting = [asyncio.create_task(budget.take(owner, 10)) for owner in "bc"]
    await asyncio.sleep(0)
    budget.give_back("a", 10)  # b's turn, which is cancelled before it runs
    waiting[0].cancel()
    async with asyncio.timeout(30):
        assert await waiting[1] == 10


@pytest.mark.parametrize("is_chunked", [True, False])
async def test_large_answers_of_many_hosts_are_read_within_the_budget(is_chunked):
    """However many are sent at one time, no more are read than fit, and all are read in the end."""
    body = b"x" * (4 * SMALL)
    held = most = 0

    class Watched(Budget):
        async def take(self, owner, size):
            nonlocal held, most
            taken = await super().take(owner, size)
            held += size
            most = max(most, held)
            return taken

        def give_back(self, owner, size):
            nonlocal held
            held -= size
            super().give_back(owner, size)

    async def large(request):
        response = web.StreamResponse()
        if not is_chunked:
            response.content_length = len(body)
        await response.prepare(request)
        await response.write(body)
        return response

    async with HttpClient(budget=Watched(2 * len(body))) as http:
        servers = [FakeRegistry() for _ in range(5)]
        for server in servers:
            await server.start()
            server.faults.append(always("/large", large))
        requests = [HttpRequest(url=f"{server.url}/large", limit=len(body)) for server in servers for _ in range(2)]
        answers = await asyncio.gather(*(http.send(request) for request in requests))
        for server in servers:
            await server.stop()
    assert all(answer.body == body for answer in answers)
    assert (most, held) == (2 * len(body), 0)


async def test_requests_that_belong_together_end_when_their_time_is_up():
    """What the server took counts, and so do the waits that it asked for; nothing is sent after that."""
    time = StillTime()
    async with HttpClient(surroundings=time.surroundings()) as http, FakeRegistry() as server:

        async def slow(_request):
            time.now += 40
            return web.Response()

        server.faults.append(always("/v2/", slow))
        allowance = Allowance(100)
        request = HttpRequest(url=f"{server.url}/v2/", allowance=allowance)
        for _ in range(3):
            assert (await http.send(request)).status == 200
        with pytest.raises(HttpFailure) as ended:
            await http.send(request)
        assert ended.value.trouble is FailureKind.TOO_SLOW
        assert len(server.asked) == 3


async def test_a_server_that_asks_to_wait_spends_its_own_time():
    time = StillTime()
    async with HttpClient(surroundings=time.surroundings()) as http, FakeRegistry() as server:
        server.faults.append(always("/v2/", lambda _: web.Response(status=429, headers={"Retry-After": "20"})))
        allowance = Allowance(30)
        with pytest.raises(HttpFailure) as ended:
            await http.send(HttpRequest(url=f"{server.url}/v2/", allowance=allowance))
        assert ended.value.trouble is FailureKind.TOO_SLOW
        assert sum(time.slept) <= 40
