"""Promises of what is kept known of the cluster, while the server does what servers do."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.fakes.kube import FakeKube, refuse, send, when
from updater.errors import KubeDenied, KubeGone, KubeUnavailable
from updater.http.client import Clock, HttpClient
from updater.kube.client import PATIENCE, KubeClient
from updater.kube.kinds import Kind
from updater.kube.reflector import LONGEST_WAIT, SLOW_WAIT, Reflector, WatchedKind

APP = Kind("lab.example", "v1", "App", "apps")
RULE = Kind("lab.example", "v1", "Rule", "rules")


def spec(item):
    return item.get("spec")


APPS = WatchedKind(kind=APP, prune=spec)
RULES = WatchedKind(kind=RULE, prune=spec)


class QuickTime:
    """Waits that are only noted; what waits on nothing but time goes on at once."""

    def __init__(self):
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0.002)

    def surroundings(self):
        return Clock(clock=lambda: self.now, wall=lambda: self.now, sleep=self.sleep, random=lambda: 1.0)


class Lab:
    def __init__(self, server, client, time):
        self.server, self.client, self.time = server, client, time
        self.snapshots: list = []
        self.reports: list = []
        self._came = asyncio.Event()

    @asynccontextmanager
    async def watching(self, *watched):
        watch = Reflector(
            self.client,
            watched or [APPS],
            report=lambda watched, error: self.note(self.reports, (watched.kind.name, error)),
            surroundings=self.time.surroundings(),
        )
        task = asyncio.create_task(watch.run(self.deliver))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def deliver(self, known):
        self.note(self.snapshots, known)

    def note(self, where, what):
        where.append(what)
        self._came.set()

    async def until(self, is_so):
        async with asyncio.timeout(15):
            while not is_so():
                self._came.clear()
                await self._came.wait()

    async def until_known(self, wanted, watched=APPS):
        await self.until(lambda: self.snapshots and self.names(watched) == wanted)

    def names(self, watched=APPS, index=-1):
        return {name: value for (_, name), value in self.snapshots[index].of(watched).items()}

    async def settle(self):
        """Let what is under way arrive."""
        await asyncio.sleep(0.1)


@pytest.fixture
async def lab(tmp_path):
    time = QuickTime()
    async with FakeKube() as server, HttpClient(patience=PATIENCE, surroundings=time.surroundings()) as http:
        server.install(APP)
        server.install(RULE)
        yield Lab(server, KubeClient(server.access(tmp_path), http), time)


async def test_nothing_is_handed_on_before_every_kind_was_listed(lab):
    await lab.server.put(APP, "a", spec=1)
    lab.server.faults.append(fault := when(lambda _: refuse(503, "starting"), part="/rules"))
    async with lab.watching(APPS, RULES):
        await lab.until(lambda: lab.reports)
        await lab.settle()
        assert lab.snapshots == []
        lab.server.faults.remove(fault)
        await lab.until(lambda: lab.snapshots)
    assert (lab.names(APPS, 0), lab.names(RULES, 0)) == ({"a": 1}, {})


async def test_a_list_that_breaks_off_between_pages_looks_like_no_deletion(lab):
    for number in range(450):
        await lab.server.put(APP, f"a{number:03}", spec=number)
    whole = {f"a{number:03}": number for number in range(450)}
    async with lab.watching():
        await lab.until_known(whole)
        lab.server.faults.append(fault := when(lambda request: refuse(500, "etcd") if request.query.get("continue") else None))
        await lab.server.put(APP, "new", spec=1)
        await lab.until_known({**whole, "new": 1})
        await lab.server.forget()
        lab.server.version += 1
        await lab.server.forget()
        await lab.server.cut()
        await lab.until(lambda: lab.reports)
        await lab.server.remove(APP, "a000")
        lab.server.faults.remove(fault)
        del whole["a000"]
        await lab.until_known({**whole, "new": 1})
    assert min(len(snapshot.of(APPS)) for snapshot in lab.snapshots) == 450
    assert isinstance(lab.reports[0][1], KubeUnavailable)
    assert lab.reports[-1] == ("App", None)


async def test_a_kind_that_is_lost_keeps_its_last_objects_and_says_why(lab):
    await lab.server.put(APP, "a", spec=1)
    async with lab.watching(APPS, RULES):
        await lab.until_known({"a": 1})
        lab.server.faults.append(fault := when(lambda _: refuse(403, "not allowed"), part="/apps"))
        await lab.server.cut()
        await lab.until(lambda: lab.snapshots[-1].lost)
        assert isinstance(lab.snapshots[-1].lost[APPS], KubeDenied)
        await lab.server.put(RULE, "r", spec=2)
        await lab.until_known({"r": 2}, RULES)
        assert lab.names() == {"a": 1}
        await wait_for(lab, SLOW_WAIT)  # people mend rights, not moments
        lab.server.faults.remove(fault)
        await lab.until(lambda: not lab.snapshots[-1].lost)
    assert [error and error.code for _, error in lab.reports] == ["kube-denied", None]
    denied = [seconds for seconds in lab.time.slept if seconds in {2.0, 4.0, 8.0, 16.0, 32.0, SLOW_WAIT}]
    assert denied[0] <= 4.0, "a server that starts denies everything for a moment"


async def test_the_first_refusal_after_an_outage_is_asked_again_soon(lab):
    """However long it was away: a server that starts denies everything until it knows its roles."""
    marks = []

    def denied(_):
        marks.append(len(lab.time.slept))
        return refuse(403, "not allowed")

    async with lab.watching():
        await lab.until(lambda: lab.snapshots)
        lab.server.faults.append(away := when(lambda _: refuse(500, "away"), part="/apps"))
        await lab.server.cut()
        await wait_for(lab, LONGEST_WAIT)
        lab.server.faults.insert(0, when(denied, part="/apps", times=1))
        await lab.until(lambda: marks)
        lab.server.faults.remove(away)
        await lab.until(lambda: lab.reports[-1][1] is None)
    assert "kube-denied" in [error and error.code for _, error in lab.reports]
    assert lab.time.slept[marks[0]] <= 2.0


async def test_an_installed_kind_that_vanishes_for_a_moment_keeps_its_objects(lab):
    await lab.server.put(APP, "a", spec=1)
    optional = WatchedKind(kind=APP, prune=spec, is_optional=True)
    async with lab.watching(optional):
        await lab.until_known({"a": 1}, optional)
        lab.server.faults.append(fault := when(lambda _: refuse(404, "the server could not find the requested resource")))
        await lab.server.cut()
        await lab.until(lambda: lab.reports)
        lab.server.faults.remove(fault)
        await lab.until(lambda: len(lab.reports) == 2)
    assert all(lab.names(optional, index) == {"a": 1} for index in range(len(lab.snapshots)))


async def test_an_optional_kind_that_is_not_installed_is_empty_until_it_is(lab):
    later = WatchedKind(kind=Kind("lab.example", "v1", "Later", "laters"), prune=spec, is_optional=True)
    async with lab.watching(APPS, later):
        await lab.until(lambda: lab.snapshots)
        assert lab.names(later) == {}
        lab.server.install(later.kind)
        await lab.server.put(later.kind, "x", spec=1)
        await lab.until_known({"x": 1}, later)
    assert lab.reports == []


async def test_a_kind_that_must_be_there_is_said_to_be_missing(lab):
    async with lab.watching(WatchedKind(kind=Kind("lab.example", "v1", "Later", "laters"), prune=spec)):
        await lab.until(lambda: lab.reports)
    assert lab.reports[0][1].code == "kube-not-found"
    assert lab.snapshots == []


async def test_versions_that_expired_are_listed_again_without_a_report(lab):
    await lab.server.put(APP, "a", spec=1)
    async with lab.watching():
        await lab.until_known({"a": 1})
        lab.server.version += 10
        await lab.server.forget()
        await lab.server.cut()
        await lab.server.put(APP, "b", spec=2)
        await lab.until_known({"a": 1, "b": 2})
    assert lab.reports == []
    assert lab.server.count("limit") == 2


async def test_after_a_bookmark_a_watch_goes_on_from_it(lab):
    async with lab.watching():
        await lab.until(lambda: lab.snapshots)
        await lab.settle()
        await lab.server.bookmark()
        marked = lab.server.version
        await lab.settle()
        await lab.server.forget()
        await lab.server.cut()
        await lab.server.put(APP, "a", spec=1)
        await lab.until_known({"a": 1})
    assert lab.server.count("limit") == 1
    assert lab.server.asked[-1].query["resourceVersion"] == str(marked)


async def test_a_change_of_what_is_not_kept_hands_nothing_on(lab):
    await lab.server.put(APP, "a", spec={"x": 1}, status=1)
    async with lab.watching():
        await lab.until_known({"a": {"x": 1}})
        before = len(lab.snapshots)
        for number in range(5):
            await lab.server.put(APP, "a", spec={"x": 1}, status=number)
        await lab.settle()
        assert len(lab.snapshots) == before
        await lab.server.put(APP, "b", spec=1)
        await lab.until_known({"a": {"x": 1}, "b": 1})
    first, last = (snapshot.of(APPS)["default", "a"] for snapshot in (lab.snapshots[0], lab.snapshots[-1]))
    assert first is last, "who translates objects need not do it again"


async def test_changes_at_one_time_are_handed_on_together(lab):
    async with lab.watching():
        await lab.until(lambda: lab.snapshots)
        for number in range(50):
            await lab.server.put(APP, f"a{number}", spec=number)
        await lab.until_known({f"a{number}": number for number in range(50)})
    assert len(lab.snapshots) < 50
    assert 0.5 in lab.time.slept


async def test_a_snapshot_does_not_change_after_it_was_handed_on(lab):
    await lab.server.put(APP, "a", spec=1)
    async with lab.watching():
        await lab.until_known({"a": 1})
        await lab.server.remove(APP, "a")
        await lab.until_known({})
    assert lab.names(index=0) == {"a": 1}


@pytest.mark.parametrize(
    ("what", "item"),
    [
        ("SURPRISE", {"metadata": {"name": "a", "resourceVersion": "9"}}),
        ("ADDED", {"metadata": {"resourceVersion": "9"}}),
        ("ADDED", {}),
    ],
)
async def test_an_event_that_means_nothing_leads_to_a_new_list(lab, what, item):
    await lab.server.put(APP, "a", spec=1)

    async def strange(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await send(response, what, item)
        return response

    lab.server.faults.append(when(strange, times=1, watch="true"))
    async with lab.watching():
        await lab.until(lambda: lab.reports and lab.reports[-1][1] is None)
    assert lab.reports[0][1].code == "kube-protocol"
    assert lab.server.count("limit") == 2
    assert all(lab.names(index=index) == {"a": 1} for index in range(len(lab.snapshots)))


async def test_a_server_that_ends_every_watch_at_once_is_asked_ever_less(lab):
    lab.server.faults.append(when(lambda _: web.Response(), watch="true"))
    async with lab.watching():
        await lab.until(lambda: lab.snapshots)
        await wait_for(lab, LONGEST_WAIT)
    assert sorted(set(lab.time.slept) - {0.5}) == [1.0, 2.0, 4.0, 8.0, LONGEST_WAIT]


async def wait_for(lab, seconds):
    async with asyncio.timeout(10):
        while seconds not in lab.time.slept:  # noqa: ASYNC110 - time here is only noted
            await asyncio.sleep(0.01)


async def test_a_wait_that_the_server_asks_for_is_kept(lab):
    lab.server.faults.append(when(lambda _: refuse(503, "starting", retryAfterSeconds=11), watch="true", times=1))
    async with lab.watching():
        await wait_for(lab, 11.0)
    assert isinstance(lab.reports[0][1], KubeUnavailable)


async def test_a_server_that_is_away_for_long_is_found_again(lab):
    await lab.server.put(APP, "a", spec=1)
    async with lab.watching():
        await lab.until_known({"a": 1})
        await lab.server.stop()
        await lab.until(lambda: lab.reports)
        await wait_for(lab, LONGEST_WAIT)
        await lab.server.start()
        await lab.server.put(APP, "b", spec=2)
        await lab.until_known({"a": 1, "b": 2})
    assert all("a" in lab.names(index=index) for index in range(len(lab.snapshots)))
    assert [error is None for _, error in lab.reports] == [False, True]


async def test_what_the_receiver_raises_ends_the_watch_as_it_is(lab):
    async def broken(_known):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await Reflector(lab.client, [APPS], surroundings=lab.time.surroundings()).run(broken)


def test_what_is_watched_has_words_for_people():
    assert str(APPS) == "apps.lab.example in all namespaces"
    assert KubeGone("x").code == "kube-gone"


async def test_a_kind_that_was_lost_and_is_denied_anew_is_reported_once_for_each_reason(lab):
    async with lab.watching():
        await lab.until(lambda: lab.snapshots)
        lab.server.faults.append(denied := when(lambda _: refuse(403, "not allowed")))
        await lab.server.cut()
        await lab.until(lambda: len(lab.reports) == 1)
        await wait_for(lab, SLOW_WAIT)
        lab.server.faults.append(when(lambda _: refuse(500, "away")))
        lab.server.faults.remove(denied)
        await lab.until(lambda: len(lab.reports) == 2)
    assert [error.code for _, error in lab.reports] == ["kube-denied", "kube-unavailable"]
