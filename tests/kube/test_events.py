"""Promises of what is told on objects: once, bounded, and never at the cost of the work itself."""

from __future__ import annotations

import re

import pytest

from tests.fakes.kube import FakeKube, refuse, when
from tests.fakes.still_time import StillTime
from updater.http.client import HttpClient
from updater.kube.client import KubeClient
from updater.kube.events import Event, EventRate, EventRecorder
from updater.kube.kinds import EVENT

REMARK = Event(reason="Updated", message="nginx 1.0 → 1.1")


def app(name="shop", namespace="argocd", **metadata):
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": namespace, **metadata},
    }


@pytest.fixture
async def time():
    return StillTime()


@pytest.fixture
async def server():
    async with FakeKube() as server:
        server.install(EVENT)
        yield server


@pytest.fixture
async def reports():
    return []


@pytest.fixture
async def make(server, tmp_path, time, reports):
    async with HttpClient(surroundings=time.surroundings()) as http:
        client = KubeClient(server.access(tmp_path), http)

        def build(**more):
            surroundings = time.surroundings()
            return EventRecorder(
                client, component="updater", instance="pod-1", report=reports.append, surroundings=surroundings, **more
            )

        yield build


def written(server):
    return [asked.body for asked in server.asked if asked.method == "POST"]


async def test_what_is_told_to_programs_stands_in_annotations(make, server):
    events = make()
    await events.tell(app(), Event(reason="Updated", message="one", annotations=(("example.test/new-tag", "1.1"),)))
    await events.tell(app(), REMARK)
    first, second = written(server)
    assert first["metadata"]["annotations"] == {"example.test/new-tag": "1.1"}
    assert "annotations" not in second["metadata"]


async def test_an_event_names_object_reason_and_who_told_it(make, server):
    assert await make().tell(app(uid="u1", resourceVersion="7"), REMARK)
    (event,) = written(server)
    assert event["involvedObject"] == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "name": "shop",
        "namespace": "argocd",
        "uid": "u1",
        "resourceVersion": "7",
    }
    assert (event["reason"], event["message"], event["type"]) == ("Updated", "nginx 1.0 → 1.1", "Normal")
    assert (event["source"], event["reportingInstance"]) == ({"component": "updater"}, "pod-1")
    assert (event["firstTimestamp"], event["lastTimestamp"], event["count"]) == (
        "2027-01-15T08:00:00Z",
        "2027-01-15T08:00:00Z",
        1,
    )
    assert event["metadata"]["namespace"] == "argocd"
    assert event["metadata"]["name"].startswith("shop.")


async def test_what_is_said_again_is_counted_and_written_every_ten_minutes(make, server, time):
    events = make()
    assert await events.tell(app(), REMARK)
    for _ in range(4):
        time.now += 100
        assert not await events.tell(app(), REMARK)
    time.now += 300
    assert await events.tell(app(), REMARK)
    patch = server.asked[-1]
    assert (len(server.asked), patch.method) == (2, "PATCH")
    assert patch.body == {"count": 6, "lastTimestamp": "2027-01-15T08:11:40Z"}


async def test_an_event_that_the_cluster_forgot_is_told_anew(make, server, time):
    events = make()
    await events.tell(app(), REMARK)
    name = written(server)[0]["metadata"]["name"]
    await server.remove(EVENT, name, "argocd")
    time.now += 4000
    assert await events.tell(app(), REMARK)
    assert [event["count"] for event in written(server)] == [1, 2]
    assert written(server)[1]["firstTimestamp"] == written(server)[1]["lastTimestamp"]


async def test_other_words_other_objects_and_new_objects_of_a_name_are_other_events(make, server):
    events = make()
    for item, remark in [
        (app(), REMARK),
        (app(), Event(reason="Updated", message="other")),
        (app(), Event(reason="Updated", message=REMARK.message, weight="Warning")),
        (app("other"), REMARK),
        (app(uid="new"), REMARK),
    ]:
        assert await events.tell(item, remark)
    assert len({event["metadata"]["name"] for event in written(server)}) == 5


async def test_one_object_in_a_loop_does_not_fill_the_cluster(make, server, time):
    events = make(rate=EventRate(burst=3, seconds=60.0))
    told = [await events.tell(app(), Event(reason="Loop", message=str(number))) for number in range(10)]
    assert told == [True] * 3 + [False] * 7
    assert await events.tell(app("other"), REMARK), "the others are heard"
    time.now += 61
    assert await events.tell(app(), Event(reason="Loop", message="later"))


async def test_an_event_that_cannot_be_written_is_reported_left_out_and_tried_again(make, server, reports):
    events = make()
    server.faults.append(when(lambda _: refuse(403, "not allowed"), times=1))
    assert not await events.tell(app(), REMARK)
    assert [error.code for error in reports] == ["kube-denied"]
    assert await events.tell(app(), REMARK)


async def test_what_is_remembered_is_bounded(make, monkeypatch):
    monkeypatch.setattr("updater.kube.events.MOST_REMEMBERED", 3)
    events = make()
    for number in range(6):
        await events.tell(app(f"app-{number}"), REMARK)
    assert (len(events._told), len(events._buckets)) == (3, 3)


async def test_a_long_message_is_cut_to_what_is_taken(make, server):
    await make().tell(app(), Event(reason="Long", message="ä" * 2000))
    message = written(server)[0]["message"]
    assert message.endswith("ä…")
    assert len(message.encode()) <= 1024


@pytest.mark.parametrize("name", ["system:node", "-Odd_Name-", "a" * 253, "___"])
async def test_every_name_gives_a_name_that_the_api_server_takes(make, server, name):
    await make().tell(app(name, ""), REMARK)
    metadata = written(server)[0]["metadata"]
    assert metadata["namespace"] == "default"
    assert re.fullmatch(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?", metadata["name"])
