"""Promises of the queue of Events: in order, at a pace, bounded, and nothing that is no longer true."""

from __future__ import annotations

import asyncio

import pytest

from tests.controller.lab_wing import FEED
from tests.fakes.kube import FakeKube
from tests.fakes.still_time import StillTime
from updater.controller.event_queue import AT_ONCE, MOST_AT_THE_END, MOST_WAITING, PACE, EventQueue
from updater.controller.objects import event_subject
from updater.controller.options import ControllerOptions
from updater.http.client import HttpClient
from updater.kube.client import KubeClient
from updater.kube.events import Event, EventRecorder
from updater.kube.kinds import EVENT


class Lab:
    """A queue, and what the server was told."""

    def __init__(self, server, client):
        self.server, self.time, self.counted = server, StillTime(), []
        around = self.time.surroundings()
        recorder = EventRecorder(client, component="lab", instance="lab-1", surroundings=around)
        self.options = ControllerOptions(
            events=recorder, count=lambda kind, result: self.counted.append((kind, result)), surroundings=around
        )
        self.queue = EventQueue(self.options)

    def put(self, name):
        self.queue.put(name, *about(name))

    def told(self):
        return [asked.body["message"] for asked in self.server.asked]


def about(name):
    return event_subject(FEED, ("team", str(name)), {"uid": f"u{name}"}), Event(reason="Told", message=f"about {name}")


@pytest.fixture
async def lab(tmp_path):
    async with FakeKube() as server, HttpClient() as http:
        server.install(EVENT)
        yield Lab(server, KubeClient(server.access(tmp_path), http))


async def test_what_waits_longest_is_told_first_and_news_replaces_what_waits_under_its_key(lab):
    for name in ("a", "b", "c"):
        lab.put(name)
    lab.queue.put("a", *about("something else"))
    lab.queue.withdraw("b")
    lab.queue.withdraw("unknown")
    await lab.queue.finish()
    assert lab.told() == ["about something else", "about c"]
    assert lab.counted == [("event", "ok")] * 2


async def test_a_state_that_ended_before_it_was_told_is_not_told(lab):
    asked = []

    def event_of(state):
        asked.append(state)
        return None if state == "unknown" else about(state)

    lab.queue.states(["a", "b", "a", "unknown"], event_of)
    lab.queue.states(["b"], event_of)
    await lab.queue.finish()
    lab.queue.states(["b"], event_of)
    await lab.queue.finish()
    assert lab.told() == ["about b"]
    assert asked == ["a", "b", "unknown"]
    lab.queue.put("a", *about("a"))
    lab.queue.states([], event_of)
    await lab.queue.finish()
    assert lab.told() == ["about b", "about a"], "what happened is no state, and does not end with one"


async def test_many_are_told_at_a_pace_and_a_single_pass_tells_some(lab):
    for name in range(MOST_AT_THE_END + AT_ONCE + 5):
        lab.put(name)
    await lab.queue.finish()
    assert (len(lab.told()), lab.time.slept) == (MOST_AT_THE_END, [])
    for name in range(5):
        lab.put(f"more {name}")
    running = asyncio.create_task(lab.queue.run())
    for _ in range(1000):
        if len(lab.told()) == MOST_AT_THE_END + AT_ONCE + 10:
            break
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(lab.told()) == MOST_AT_THE_END + AT_ONCE + 10
    assert lab.time.slept.count(PACE) == 10


async def test_what_waits_is_bounded_and_the_oldest_is_left_out(lab):
    lab.options.may_write = lambda: False
    for name in range(MOST_WAITING + 10):
        lab.put(name)
    await lab.queue.finish()
    assert lab.told() == []
    lab.options.may_write = lambda: True
    await lab.queue.finish()
    assert lab.told()[0] == "about 10"


async def test_without_a_recorder_nothing_waits():
    queue = EventQueue(ControllerOptions())
    queue.put("a", *about("a"))
    queue.states(["b"], about)
    await queue.finish()
    assert queue._waiting == {}


async def test_two_that_record_what_waits_at_once_record_each_event_once(lab):
    """At the end of the daemon the task that records may still work."""
    for number in range(6):
        lab.put(str(number))
    await asyncio.gather(lab.queue.finish(), lab.queue.finish(), lab.queue.finish())
    assert sorted(lab.told()) == [f"about {number}" for number in range(6)]
