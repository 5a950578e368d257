"""A forge of each kind over a bare repository, and what asks it, on a clock that only waiting moves."""

from __future__ import annotations

import pytest

from tests.fakes.forge import TOKEN, FakeForge
from tests.fakes.git_server import BareRepository
from tests.real.parts import require
from updater.forge.address import ForgeKind, ForgeRepository
from updater.forge.base import ForgeAccess
from updater.forge.budget import ForgeBudget
from updater.forge.kinds import DIALECTS
from updater.http.client import Clock, HttpClient
from updater.http.exchange import Connection
from updater.http.limits import Patience

WALL = 1_700_000_000.0
KINDS = ["github", "gitea", "gitlab", "bitbucket", "bitbucket-server", "azure"]


class Time:
    """A clock that only waiting moves."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds


@pytest.fixture(params=KINDS)
async def server(request, tmp_path):
    require("git")
    repository = BareRepository.make(tmp_path / "fleet.git", {"a": b"x"})
    repository.git("update-ref", "refs/heads/updater/main", "main")
    repository.commit({"a": b"y"}, branch="updater/main")
    async with FakeForge(repository, request.param) as made:
        yield made


@pytest.fixture
def time():
    return Time()


@pytest.fixture
async def forge(server, time):
    async def reach():
        return ForgeAccess(token=TOKEN, connection=Connection())

    surroundings = Clock(clock=time, wall=lambda: WALL + time.now, sleep=time.sleep, random=lambda: 1.0)
    async with HttpClient(patience=Patience(attempts=2), surroundings=surroundings) as http:
        kind = ForgeKind(server.kind)
        path = server.path.replace("/", "%2F") if kind is ForgeKind.GITLAB else server.path
        place = ForgeRepository(kind=kind, api=server.api, path=path)
        yield DIALECTS[kind](place, http, reach, budget=ForgeBudget(surroundings=surroundings))
