"""Promises of the controller room to every wing, kept with kinds that it does not know: whole snapshots, statuses and Events."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest

from tests.controller.lab_wing import ASKED, FEED, FINALIZER, KINDS, MISSING, ROBOT, RULE, LabWing
from tests.engine.making import subscription
from tests.fakes.kube import FakeKube, refuse, when
from tests.fakes.still_time import StillTime
from updater.controller.options import ControllerOptions
from updater.controller.watched_source import LONGEST_BREATH, SourceKind, WatchedSource
from updater.http.client import HttpClient
from updater.kube.client import KubeClient
from updater.kube.events import EventRecorder
from updater.kube.kinds import EVENT, Ref
from updater.model.snapshot import Snapshot


class Patient(StillTime):
    """Still time, in which those who wait for minutes wait for the test to end them."""

    def __init__(self):
        super().__init__()
        self.minutes = asyncio.Event()

    async def sleep(self, seconds):
        await super().sleep(seconds)
        if seconds >= 30:
            await self.minutes.wait()
            self.minutes.clear()


@pytest.fixture
async def time():
    return Patient()


@pytest.fixture
async def server():
    async with FakeKube() as server:
        for kind in (*KINDS, EVENT):
            server.install(kind)
        yield server


@pytest.fixture
async def client(server, tmp_path):
    async with HttpClient() as http:
        yield KubeClient(server.access(tmp_path), http)


async def feed(server, name="web", *, image="ghcr.io/o/web", status=None, **metadata):
    content = {"spec": {"image": image}} | ({"status": status} if status else {})
    await server.put(FEED, name, "team", metadata={"generation": 1, **metadata}, **content)


async def rule(server, name="one", *, of="web"):
    await server.put(RULE, name, "team", metadata={"generation": 1}, spec={"feed": of})


class Stage:
    """A wing that runs, and what the server saw of it."""

    def __init__(self, server, client, time, **options):
        self.server = server
        self.counted, self.reported, self.lost = [], [], []
        around = time.surroundings()
        self.options = ControllerOptions(
            events=EventRecorder(client, component="lab", instance="lab-1", surroundings=around),
            count=lambda kind, result: self.counted.append((kind, result)),
            report=lambda subject, error: self.reported.append((subject, error.code)),
            surroundings=around,
            **options,
        )
        self.wing = LabWing(
            client, self.options, report=lambda watched, error: self.lost.append((watched.kind, error and error.code))
        )
        self.delivered = asyncio.Queue()

    async def snapshot(self):
        async with asyncio.timeout(20):
            return await self.delivered.get()

    async def until(self, check):
        """Wait until something is so, and a little longer, so that what should come once is not seen too early."""
        for _ in range(1000):
            if check():
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert check()

    def written(self, kind, name):
        """How often the status of an object was sent."""
        return self.server.count(f"PATCH {Ref(kind, 'team', name).path}/status")

    def status(self, kind, name):
        return self.server.read(kind, name, "team").get("status") or {}

    def ready(self, kind, name):
        found = self.status(kind, name).get("conditions", [])
        return next(((item["status"], item["reason"]) for item in found if item["type"] == "Ready"), None)

    def events(self):
        posted = [asked.body for asked in self.server.asked if asked.method == "POST"]
        return [(body["involvedObject"]["kind"], body["involvedObject"]["name"], body["reason"]) for body in posted]


@pytest.fixture
async def begin(server, client, time):
    @asynccontextmanager
    async def beginning(**options):
        stage = Stage(server, client, time, **options)
        task = asyncio.create_task(stage.wing.run(stage.delivered.put))
        try:
            yield stage
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return beginning


def keys(snapshot):
    return [item.key for item in snapshot.subscriptions]


async def test_nothing_is_handed_on_before_every_kind_was_listed(begin, server):
    await feed(server)
    await rule(server)
    may_answer = asyncio.Event()

    async def hold(_request):
        await may_answer.wait()

    server.faults.append(when(hold, part="rules", times=1))
    async with begin() as stage:
        await stage.until(lambda: server.count("'watch'") == 2)
        assert stage.delivered.empty()
        may_answer.set()
        first = await stage.snapshot()
        assert (keys(first), first.complete, first.problems) == (["team/one"], True, ())


async def test_changes_that_come_together_are_one_snapshot_and_a_status_is_none(begin, server):
    await feed(server)
    async with begin() as stage:
        assert keys(await stage.snapshot()) == []
        await rule(server, "one")
        await rule(server, "two")
        await rule(server, "three", of="absent")
        assert keys(await stage.snapshot()) == ["team/one", "team/two"]
        await stage.until(lambda: stage.ready(RULE, "three") == ("False", "FeedMissing"))
        await server.bookmark()
        await asyncio.sleep(0.7)
        assert stage.delivered.empty()
        assert stage.wing.translations == 2


async def test_the_longer_a_snapshot_takes_the_more_changes_are_gathered(client, server):
    """Thousands of statuses that we write come back one by one: at most a part of the time goes into translating them."""
    time, delivered = StillTime(), asyncio.Queue()

    async def translate(known):
        time.now += 0.3 if known.count < 3 else 100.0
        return Snapshot(subscriptions=(subscription(f"s{known.count}"),))

    kind = SourceKind(kind=FEED, prune=lambda item: item)
    source = WatchedSource(client, (kind,), translate, surroundings=time.surroundings())
    await feed(server)
    running = asyncio.create_task(source.run(delivered.put))
    try:
        for number in range(2, 5):
            await delivered.get()
            time.slept.clear()
            await feed(server, f"w{number}")
        await delivered.get()
    finally:
        running.cancel()
    assert LONGEST_BREATH in time.slept


async def test_a_kind_that_is_lost_keeps_its_objects_and_is_a_problem_until_it_is_back(begin, server):
    await feed(server)
    await rule(server)
    async with begin() as stage:
        first = await stage.snapshot()
        server.faults.append(when(lambda _: refuse(500, "broken"), part="rules"))
        await server.cut()
        lost = await stage.snapshot()
        assert (lost.subscriptions, lost.complete) == (first.subscriptions, True)
        assert [(problem.code, problem.origin) for problem in lost.problems] == [
            ("kube-unavailable", "rules.rules.lab.example in all namespaces")
        ]
        server.faults.clear()
        assert await stage.snapshot() is first
        assert stage.lost == [(RULE, "kube-unavailable"), (RULE, None)]


async def test_a_kind_that_is_not_installed_is_a_problem_with_its_hint_and_an_optional_one_is_empty(client, time, server):
    for kind in (ROBOT, RULE):
        server._shelves.pop(kind.path())
    stage = Stage(server, client, time)
    found = await stage.wing.source.once()
    assert not found.complete
    assert [(problem.code, problem.hint) for problem in found.problems] == [("kube-not-found", MISSING)]
    assert stage.lost == [(RULE, "kube-not-found")]
    assert not (await stage.wing.source.again()).complete, "what was never whole is not taken for empty"


async def test_a_single_pass_lists_writes_what_is_due_and_watches_nothing(client, time, server):
    await feed(server)
    await rule(server, of="absent")
    stage = Stage(server, client, time)
    first = await stage.wing.source.once()
    assert await stage.wing.source.again() is first
    await stage.wing.statuses.finish()
    await stage.wing.events.finish()
    assert (stage.ready(FEED, "web"), stage.ready(RULE, "one")) == (("Unknown", "Waiting"), ("False", "FeedMissing"))
    assert stage.events() == [("Rule", "one", "FeedMissing")]
    assert server.count("'watch'") == 0


async def test_statuses_of_several_kinds_are_written_once_and_quiet_time_writes_nothing(begin, server):
    await feed(server)
    await rule(server)
    async with begin() as stage:
        await stage.snapshot()
        await stage.until(lambda: stage.written(FEED, "web") == stage.written(RULE, "one") == 1)
        await server.bookmark()
        stage.wing.statuses.touch([Ref(FEED, "team", "web"), Ref(RULE, "team", "gone")])
        await asyncio.sleep(0.2)
        assert (stage.written(FEED, "web"), stage.written(RULE, "one")) == (1, 1)
        assert stage.counted == [("status", "ok")] * 2
        assert stage.ready(RULE, "one") == ("True", "Fed")


async def test_our_last_write_is_known_before_the_watch_tells_of_it(client, time, server):
    """Two writes after one another need no second reading, though the watch has told of none of them."""
    await feed(server)
    stage = Stage(server, client, time)
    await stage.wing.source.once()
    for tags in (3, 4):
        stage.wing.statuses.tell(Ref(FEED, "team", "web"), tags)
        await stage.wing.statuses.finish()
        await stage.wing.source.again()
    assert stage.status(FEED, "web")["tags"] == 4
    assert stage.written(FEED, "web") == 2
    assert server.count("GET /apis/lab.example/v1/namespaces/team/feeds/web") == 0


async def test_news_stay_until_a_status_told_them(begin, server, time):
    await feed(server)
    async with begin() as stage:
        await stage.snapshot()
        await stage.until(lambda: stage.written(FEED, "web") == 1)
        server.faults.append(when(lambda _: refuse(403, "no"), method="PATCH", times=1))
        stage.wing.statuses.tell(Ref(FEED, "team", "web"), 7)
        await stage.until(lambda: stage.reported == [("status of Feed team/web", "kube-denied")])
        assert stage.status(FEED, "web")["tags"] == 0
        time.minutes.set()
        await stage.until(lambda: stage.status(FEED, "web")["tags"] == 7)


async def test_a_status_that_somebody_wrote_meanwhile_keeps_what_is_theirs(begin, server):
    theirs = {"type": "Stalled", "status": "True", "reason": "Theirs", "message": "", "lastTransitionTime": "t"}
    await feed(server)
    async with begin() as stage:
        await stage.snapshot()
        await stage.until(lambda: stage.written(FEED, "web") == 1)

        async def faster(request):
            if request.method == "PATCH" and not raced:
                raced.append(request)
                await feed(server, status={"conditions": [theirs]})

        raced = []
        server.faults.append(faster)
        stage.wing.statuses.tell(Ref(FEED, "team", "web"), 7)
        await stage.until(lambda: stage.status(FEED, "web").get("tags") == 7)
        assert [item["type"] for item in stage.status(FEED, "web")["conditions"]] == ["Ready", "Stalled"]
        assert stage.reported == []


async def test_what_somebody_writes_over_again_and_again_is_said_less_and_less_often(begin, server):
    await feed(server)
    async with begin() as stage:
        await stage.snapshot()

        async def write_over():
            while True:
                await asyncio.sleep(0.005)
                if stage.status(FEED, "web"):
                    await feed(server)

        other = asyncio.create_task(write_over())
        try:
            await stage.until(lambda: stage.reported == [("status of Feed team/web", "status-contended")])
            await asyncio.sleep(1)
            assert stage.written(FEED, "web") <= 8
        finally:
            other.cancel()


@pytest.mark.parametrize("others", [[], ["theirs.example/hold"]])
async def test_a_finalizer_is_taken_off_what_was_deleted_and_of_a_kind_that_has_one(begin, server, others):
    deleted = {"finalizers": [FINALIZER, *others], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    await feed(server, "gone", **deleted)
    await server.put(RULE, "gone", "team", metadata=deleted, spec={"feed": "gone"})
    async with begin() as stage:
        await stage.snapshot()
        await stage.until(lambda: ("finalizer", "ok") in stage.counted)
        assert server.read(FEED, "gone", "team")["metadata"].get("finalizers", []) == others
        await stage.until(lambda: stage.written(RULE, "gone") == 1)
        assert server.read(RULE, "gone", "team")["metadata"]["finalizers"] == [FINALIZER, *others]


async def test_a_state_is_an_event_once_and_again_when_it_came_back(begin, server, time):
    await rule(server, "one", of="absent")
    async with begin() as stage:
        await stage.snapshot()
        await stage.until(lambda: stage.events() == [("Rule", "one", "FeedMissing")])
        await rule(server, "two", of="absent")
        await stage.snapshot()
        await stage.until(lambda: stage.events()[1:] == [("Rule", "two", "FeedMissing")])
        await feed(server, "absent")
        assert len(keys(await stage.snapshot())) == 2
        time.now += 1000
        await server.remove(FEED, "absent", "team")
        assert keys(await stage.snapshot()) == []
        await stage.until(lambda: server.count("PATCH /api/v1/namespaces/team/events") == 2)
        assert len(stage.events()) == 2


async def test_who_does_not_lead_writes_nothing_and_all_that_is_due_once_it_leads(begin, server):
    await rule(server, of="absent")
    may_write = [False]
    async with begin(may_write=lambda: may_write[0]) as stage:
        await stage.snapshot()
        await asyncio.sleep(0.2)
        assert {asked.method for asked in server.asked} == {"GET"}
        may_write[0] = True
        stage.options.leads()
        await stage.until(lambda: stage.events() and stage.written(RULE, "one") == 1)


async def test_an_annotation_that_the_wing_keeps_is_a_change_that_its_status_answers(begin, server):
    await feed(server)
    async with begin() as stage:
        await stage.snapshot()
        await stage.until(lambda: stage.written(FEED, "web") == 1)
        await feed(server, annotations={ASKED: "now", "other": "x"}, status=stage.status(FEED, "web"))
        await stage.until(lambda: stage.status(FEED, "web").get("handled") == "now")


async def test_namespaces_by_name_are_asked_one_by_one_and_a_glob_keeps_what_it_covers(client, time, server):
    for namespace in ("team-a", "team-b", "other"):
        await server.put(FEED, "web", namespace, spec={"image": "ghcr.io/o/web"})
    make = partial(LabWing, client, ControllerOptions(surroundings=time.surroundings()))
    for names, expected in [(("team-a", "other"), {"team-a", "other"}), (("team-*",), {"team-a", "team-b"})]:
        wing = make(namespaces=names)
        await wing.source.once()
        assert {namespace for namespace, _ in wing.known.of(wing.kinds[FEED])} == expected
        assert wing.known.count == 2
    assert server.count("/namespaces/team-a/feeds") == 1
    assert server.count("GET /apis/lab.example/v1/feeds?") == 1


async def test_a_bug_of_the_wing_ends_one_piece_of_work_alone(begin, server, capsys):
    await feed(server)
    async with begin() as stage:
        await stage.snapshot()
        await stage.until(lambda: stage.written(FEED, "web") == 1)
        stage.wing.statuses.tell(Ref(FEED, "team", "web"), object())  # no JSON
        await feed(server, "api")
        await stage.until(lambda: stage.ready(FEED, "api") == ("Unknown", "Waiting"))
        assert "the status of an object was not written" in capsys.readouterr().out
