"""Promises of Events that are posted: what notification-controller reads, faults survived, nobody held up."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from tests.fakes.eventually import until
from tests.fakes.still_time import StillTime
from tests.flux.cluster.making import NAMESPACE, START, kept
from updater.controller.options import ControllerOptions
from updater.flux.cluster.notifier import LONGEST_MESSAGE, MOST_WAITING, PATIENCE, TRIES, EventsAddress, Notifier
from updater.flux.kinds import IMAGE_POLICY, IMAGE_REPOSITORY, IMAGE_UPDATE_AUTOMATION
from updater.http.client import HttpClient
from updater.kube.events import Event
from updater.kube.kinds import Ref

REPOSITORY = Ref(IMAGE_REPOSITORY, NAMESPACE, "web")
SCANNED = Event(reason="Succeeded", message="successful scan: found 2 tags with checksum 1")


class EventsServer:
    """An events address: *answers* are its next statuses; None keeps silent, and 202 is what follows."""

    def __init__(self):
        self.answers, self.bodies = [], []
        self.is_over = asyncio.Event()

    async def take(self, request):
        self.bodies.append(await request.json())
        status = self.answers.pop(0) if self.answers else 202
        if status is None:
            await self.is_over.wait()
            status = 202
        return web.Response(status=status, headers={"Retry-After": "300"} if status == 429 else {})


@pytest.fixture
async def server():
    server = EventsServer()
    application = web.Application()
    application.router.add_post("/", server.take)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield server
    server.is_over.set()
    await runner.cleanup()


class Stage:
    def __init__(self, url, http, **options):
        self.time = StillTime(wall=START.timestamp())
        self.counted, self.reported = [], []
        self.options = ControllerOptions(
            count=lambda kind, result: self.counted.append((kind, result)),
            report=lambda subject, error: self.reported.append((subject, error.code)),
            surroundings=self.time.surroundings(),
            **options,
        )
        self.notifier = Notifier(EventsAddress(url=url, instance="updater-1"), http, self.options)


@pytest.fixture
async def begin(server):
    tasks = []
    async with HttpClient(patience=PATIENCE) as http:

        def beginning(url=None, **options):
            stage = Stage(url or server.url, http, **options)
            tasks.append(asyncio.create_task(stage.notifier.run()))
            return stage

        yield beginning
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_event_has_what_alerts_select_by_and_show(server, begin):
    stage = begin()
    annotated = Event(
        reason="ReadOperationFailed",
        message="scan failed",
        weight="Warning",
        annotations=(("event.toolkit.fluxcd.io/t", "a"),),
    )
    stage.notifier.put(REPOSITORY, annotated, kept())
    await until(lambda: len(server.bodies) == 1)
    assert server.bodies == [
        {
            "involvedObject": {
                "apiVersion": "image.toolkit.fluxcd.io/v1",
                "kind": "ImageRepository",
                "name": "web",
                "namespace": "team",
                "uid": "uid-web",
                "resourceVersion": "7",
            },
            "severity": "error",
            "timestamp": "2026-08-18T12:00:00Z",
            "message": "scan failed",
            "reason": "ReadOperationFailed",
            "metadata": {"event.toolkit.fluxcd.io/t": "a"},
            "reportingController": "image-reflector-controller",
            "reportingInstance": "updater-1",
        }
    ]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(IMAGE_POLICY, "image-reflector-controller"), (IMAGE_UPDATE_AUTOMATION, "image-automation-controller")],
)
async def test_the_controller_is_named_as_alerts_know_it(server, begin, kind, name):
    stage = begin()
    stage.notifier.put(Ref(kind, NAMESPACE, "web"), SCANNED, kept(kind))
    await until(lambda: len(server.bodies) == 1)
    assert (server.bodies[0]["reportingController"], server.bodies[0]["severity"]) == (name, "info")


async def test_a_duplicate_is_no_failure_and_no_reason_to_wait(server, begin):
    server.answers = [429]
    stage = begin()
    for _ in range(2):
        stage.notifier.put(REPOSITORY, SCANNED, kept())
    await until(lambda: len(stage.counted) == 2)
    assert stage.counted == [("notification", "duplicate"), ("notification", "ok")]
    assert (stage.reported, stage.time.slept) == ([], [])


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_that_fails_is_asked_again(server, begin, status):
    server.answers = [status, status]
    stage = begin()
    stage.notifier.put(REPOSITORY, SCANNED, kept())
    await until(lambda: stage.counted)
    assert (stage.counted, len(server.bodies), len(stage.time.slept)) == ([("notification", "ok")], 3, 2)


async def test_an_event_that_is_never_taken_is_reported_and_the_next_one_is_posted(server, begin):
    server.answers = [500] * TRIES
    stage = begin()
    for _ in range(2):
        stage.notifier.put(REPOSITORY, SCANNED, kept())
    await until(lambda: len(stage.counted) == 2)
    assert stage.counted == [("notification", "notification-failed"), ("notification", "ok")]
    assert stage.reported == [("events address", "notification-failed")]


async def test_an_event_that_is_refused_is_not_posted_again(server, begin):
    server.answers = [400]
    stage = begin()
    stage.notifier.put(REPOSITORY, SCANNED, kept())
    await until(lambda: stage.counted)
    assert (stage.reported, len(server.bodies)) == ([("events address", "notification-refused")], 1)


async def test_a_redirect_is_not_followed_and_an_answer_without_end_is_not_read(server, begin):
    """What an Event says goes to the address that was configured, and to nobody whom that one names."""
    read = 0

    async def endless(request):
        nonlocal read
        answer = web.StreamResponse(status=202)
        await answer.prepare(request)
        while read < 1 << 30:
            await answer.write(b"x" * 65_536)
            read += 65_536
        return answer

    async def elsewhere(_request):
        raise web.HTTPTemporaryRedirect(server.url)

    application = web.Application()
    application.router.add_post("/endless", endless)
    application.router.add_post("/elsewhere", elsewhere)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        for path, counted in (("endless", "ok"), ("elsewhere", "notification-refused")):
            stage = begin(f"http://127.0.0.1:{runner.addresses[0][1]}/{path}")
            stage.notifier.put(REPOSITORY, SCANNED, kept())
            await until(lambda stage=stage: stage.counted)
            assert stage.counted == [("notification", counted)]
        assert (server.bodies, read < 1 << 28) == ([], True)
    finally:
        await runner.cleanup()


async def test_a_server_that_is_silent_or_away_holds_nobody_up(server, begin, monkeypatch):
    monkeypatch.setattr("updater.flux.cluster.notifier.TIMEOUT", 0.2)
    server.answers = [None] * TRIES
    stage = begin()
    stage.notifier.put(REPOSITORY, SCANNED, kept())
    await until(lambda: stage.counted)
    away = begin("http://127.0.0.1:1/")
    away.notifier.put(REPOSITORY, SCANNED, kept())
    await until(lambda: away.counted)
    assert stage.counted == away.counted == [("notification", "notification-failed")]


async def test_only_who_leads_posts_and_all_that_waited_once_it_leads(server, begin):
    may_write = [False]
    stage = begin(may_write=lambda: may_write[0])
    stage.notifier.put(REPOSITORY, SCANNED, kept())
    await asyncio.sleep(0.1)
    assert server.bodies == []
    may_write[0] = True
    stage.notifier.wake()
    await until(lambda: len(server.bodies) == 1)


async def test_what_waits_is_bounded_and_a_long_message_is_cut(server, begin):
    may_write = [False]
    stage = begin(may_write=lambda: may_write[0])
    for number in range(MOST_WAITING + 1):
        stage.notifier.put(REPOSITORY, Event(reason="Succeeded", message=f"{number}:{'x' * 40_000}"), kept())
    assert stage.counted == [("notification", "dropped")]
    may_write[0] = True
    await stage.notifier.finish()
    assert server.bodies[0]["message"].startswith("1:")
    assert {len(body["message"]) for body in server.bodies} == {LONGEST_MESSAGE}
