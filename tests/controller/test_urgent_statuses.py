"""Promises of statuses that somebody waits for, of many at once, and of those that are said again for their times alone."""

from __future__ import annotations

import asyncio

import pytest

from tests.controller.lab_wing import FEED
from tests.fakes.eventually import until
from tests.fakes.kube import FakeKube, when
from tests.fakes.still_time import StillTime
from updater.controller.contention import is_mere_refresh
from updater.controller.objects import Sharing, keep_object
from updater.controller.options import ControllerOptions
from updater.controller.status_patch import StatusRules
from updater.controller.status_writer import AT_A_TIME, GATHER, StatusWriter
from updater.http.client import HttpClient
from updater.kube.client import KubeClient
from updater.kube.kinds import Ref


class Held(StillTime):
    """Time in which nobody who gathers goes on until the test says so."""

    def __init__(self):
        super().__init__()
        self.gathered = asyncio.Event()

    async def sleep(self, seconds):
        await super().sleep(seconds)
        if seconds >= GATHER:
            await self.gathered.wait()


class Stage:
    def __init__(self, server, client):
        self.server, self.time, self.stamp, self.reported = server, Held(), "t", []
        options = ControllerOptions(
            surroundings=self.time.surroundings(), report=lambda subject, error: self.reported.append(error.code)
        )
        rules = StatusRules(make=self.make, prune=lambda item: keep_object(item, Sharing()), volatile=frozenset({"scanTime"}))
        self.writer = StatusWriter(client, options, {FEED: rules})
        self.order = []

    def make(self, due):
        self.order.append(due.ref.name)
        is_new = due.kept.status.get("result", {}).get("scanTime") != self.stamp
        return {"result": {"tags": 1, "scanTime": self.stamp}} if is_new else None

    def told(self, name):
        return self.server.read(FEED, name, "team").get("status", {}).get("result", {}).get("scanTime")

    async def put(self, *names):
        for name in names:
            await self.server.put(FEED, name, "team", metadata={"generation": 1}, spec={})
        refs = [Ref(FEED, "team", name) for name in names]
        kept = {ref: keep_object(self.server.read(FEED, ref.name, "team"), Sharing()) for ref in refs}
        self.writer.know(kept, all_due=True)
        return refs


@pytest.fixture
async def stage(tmp_path):
    async with FakeKube() as server, HttpClient() as http:
        server.install(FEED)
        yield Stage(server, KubeClient(server.access(tmp_path), http))


@pytest.fixture
async def running(stage):
    task = asyncio.create_task(stage.writer.run())
    yield stage
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_who_waits_is_written_while_the_others_still_gather(running):
    refs = await running.put(*(f"feed-{number}" for number in range(50)))
    running.writer.touch([refs[40]], at_once=True)
    await until(lambda: running.order == ["feed-40"])
    running.time.gathered.set()
    await until(lambda: len(running.order) == 50)
    assert running.order.count("feed-40") == 1


async def test_many_are_written_at_a_time_and_each_once(running):
    may_answer, waiting, most = asyncio.Event(), [], []

    async def hold(request):
        waiting.append(request)
        most.append(len(waiting))
        await may_answer.wait()

    running.server.faults.append(when(hold, method="PATCH"))
    await running.put(*(f"feed-{number}" for number in range(50)))
    running.time.gathered.set()
    await until(lambda: len(waiting) == AT_A_TIME)
    may_answer.set()
    await until(lambda: running.server.count("PATCH") == 50)
    assert len(set(running.order)) == len(running.order) == 50


async def test_one_that_is_touched_while_it_is_written_is_looked_at_again(running):
    may_answer = asyncio.Event()

    async def hold(_request):
        await may_answer.wait()

    running.server.faults.append(when(hold, method="PATCH", times=1))
    running.time.gathered.set()
    (ref,) = await running.put("web")
    await until(lambda: running.order == ["web"])
    running.stamp = "u"
    running.writer.touch([ref], at_once=True)
    await asyncio.sleep(0.1)
    may_answer.set()
    await until(lambda: running.told("web") == "u")


async def test_times_that_are_written_again_are_no_quarrel(stage):
    (ref,) = await stage.put("web")
    for number in range(6):
        stage.stamp = f"t{number}"
        stage.writer.touch([ref])
        await stage.writer.finish()
    assert stage.server.count("PATCH") == 6
    assert stage.reported == []


def test_a_refresh_says_what_stands_there_but_for_what_is_volatile():
    before = {"result": {"tags": 1, "scanTime": "a", "gone": None}, "other": 1, "conditions": []}
    assert is_mere_refresh(before, {"result": {"tags": 1, "scanTime": "b"}, "conditions": []}, volatile={"scanTime"})
    assert not is_mere_refresh(before, {"result": {"tags": 2, "scanTime": "a"}, "conditions": []}, volatile={"scanTime"})
