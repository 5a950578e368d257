"""A forge that does not answer for an hour, on a clock that only the test moves: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.fakes.still_time import StillTime
from tests.flows.fleet import Status
from tests.flows.test_proposal_life import APP, KINDS, pull
from tests.flows.test_proposals import proposing
from updater.daemon.assembly import start_generation
from updater.daemon.process import Process
from updater.forge.budget import ForgeBudget
from updater.http.client import HttpClient
from updater.http.limits import Patience
from updater.sources.file import load

PASSES, EVERY = 30, 120.0
DOWN = {
    "unavailable": lambda: web.Response(status=503),
    "asking for patience": lambda: web.Response(status=503, headers={"Retry-After": "600"}),
    "a page of its proxy": lambda: web.Response(status=502, text="<html>bad gateway</html>", content_type="text/html"),
}


@asynccontextmanager
async def working(life, time):
    """A generation whose requests live by *time*."""
    surroundings = time.surroundings()
    loaded = load([life.fleet.configure()], dict(os.environ))
    async with Process(life.fleet.state) as process:
        process.http = HttpClient(patience=Patience(attempts=2), surroundings=surroundings)
        process.forge_budget = ForgeBudget(surroundings=surroundings)
        async with process.http:
            life.generation = await start_generation(loaded, process)
            life.generation.take_over()
            yield


@pytest.mark.parametrize("manner", DOWN)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_forge_missed_in_an_hour_is_proposed_once_when_it_is_back(tmp_path, kind, manner):
    time = StillTime()
    async with proposing(tmp_path, kind, "lost", "{reviewers: [anna]}") as life, working(life, time):
        life.push("1.1.0")
        answer = life.forge.dialect.answer
        life.forge.dialect.answer = lambda *_: DOWN[manner]()
        codes = set()
        for turn in range(PASSES):
            if turn == PASSES // 2:
                life.push("1.2.0")
            end = await life.land()
            codes.add((end.status, end.code))
            time.now += EVERY
        assert codes <= {(Status.FAILED, "forge-unavailable"), (Status.FAILED, "forge-rate-limited")}
        assert (life.written("main"), life.forge.pulls) == ("1.0.0", [])
        pushed = [ref for _, ref, _, _ in life.fleet.repository.pushes if ref == f"refs/heads/{APP}"]
        assert len(pushed) <= 2
        life.forge.dialect.answer = answer
        time.now += 2 * EVERY
        assert (await life.land()).status is Status.PROPOSED
        assert (len(life.forge.pulls), pull(life).reviewers, life.written(APP)) == (1, ["anna"], "1.2.0")
        changes = len(life.forge.changes())
        assert (await life.land()).status is Status.PROPOSED
        assert len(life.forge.changes()) == changes


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_open_stays_as_it_is_while_its_forge_is_down_and_is_brought_up_to_date_after_it(tmp_path, kind):
    time = StillTime()
    async with proposing(tmp_path, kind, "lost", "{}") as life, working(life, time):
        life.push("1.1.0")
        await life.land()
        answer = life.forge.dialect.answer
        life.forge.dialect.answer = lambda *_: web.Response(status=503)
        life.push("1.2.0")
        for _ in range(PASSES):
            assert (await life.land()).status is Status.FAILED
            time.now += EVERY
        assert (pull(life).state, len(pull(life).comments)) == ("open", 0)
        life.forge.dialect.answer = answer
        end = await life.land()
        assert (end.status, life.written(APP), len(life.forge.pulls)) == (Status.PROPOSED, "1.2.0", 1)
        assert "1.2.0" in pull(life).title
