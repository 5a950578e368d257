"""What a watch has heard is handed on before anybody writes: a suspension counts at once, our own statuses hold nothing up."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests.controller.lab_wing import FEED
from tests.engine.making import subscription
from tests.fakes.kube import FakeKube
from updater.controller.objects import Sharing, asks_otherwise, keep_object
from updater.controller.watched_source import SourceKind, WatchedSource
from updater.http.client import Clock, HttpClient
from updater.kube.client import KubeClient
from updater.model.snapshot import Snapshot

ENOUGH = 30


class Gathering:
    """A wing whose changes are gathered for as long as the test wants, and what it handed on."""

    def __init__(self, client):
        self.may_pass = asyncio.Event()
        self.may_pass.set()
        self.heard = asyncio.Condition()
        self.delivered = asyncio.Queue()
        kind = SourceKind(kind=FEED, prune=partial(keep_object, sharing=Sharing()), is_news=asks_otherwise)
        self.kind = kind
        self.source = WatchedSource(client, (kind,), self.translate, surroundings=Clock(sleep=self.sleep))

    async def sleep(self, _seconds):
        async with self.heard:
            self.heard.notify_all()
        await self.may_pass.wait()

    async def translate(self, known):
        asked = [subscription("/".join(key)) for key, kept in known.of(self.kind).items() if not kept.item["spec"].get("suspend")]
        return Snapshot(subscriptions=tuple(asked))

    async def after(self, change):
        """Make a change that the watch hears, and that is gathered."""
        self.may_pass.clear()
        async with asyncio.timeout(ENOUGH), self.heard:
            await change
            await self.heard.wait()


async def feed(server, *, generation=1, status=None, **spec):
    content = {"status": status} if status else {}
    await server.put(FEED, "web", "team", metadata={"generation": generation}, spec={"image": "ghcr.io/o/web", **spec}, **content)


@pytest.fixture
async def server():
    async with FakeKube() as server:
        server.install(FEED)
        await feed(server)
        yield server


@pytest.fixture
async def wing(server, tmp_path):
    async with HttpClient() as http:
        wing = Gathering(KubeClient(server.access(tmp_path), http))
        running = asyncio.create_task(wing.source.run(wing.delivered.put))
        try:
            first = await asyncio.wait_for(wing.delivered.get(), ENOUGH)
            assert len(first.subscriptions) == 1
            yield wing
        finally:
            running.cancel()


async def test_what_was_suspended_is_handed_on_before_anybody_writes_however_long_changes_are_gathered(server, wing):
    await wing.after(feed(server, generation=2, suspend=True))
    assert wing.delivered.empty()
    await wing.source.caught_up(ENOUGH)
    assert wing.delivered.get_nowait().subscriptions == ()


async def test_after_that_changes_are_gathered_again(server, wing):
    await wing.after(feed(server, generation=2, suspend=True))
    await wing.source.caught_up(ENOUGH)
    await wing.after(feed(server, generation=3))
    wing.delivered.get_nowait()
    assert wing.delivered.empty()


async def test_our_own_statuses_hold_up_nobody_who_writes(server, wing):
    await wing.after(feed(server, status={"tags": 5}))
    await asyncio.wait_for(wing.source.caught_up(10 * ENOUGH), ENOUGH)
    assert wing.delivered.empty()


async def test_who_writes_waits_no_longer_than_a_while_for_a_source_that_hangs(server, wing):
    hangs = asyncio.Event()
    wing.source._translate = lambda _known: hangs.wait()
    await wing.after(feed(server, generation=2, suspend=True))
    await wing.source.caught_up(0.05)
    assert wing.delivered.empty()


async def test_before_the_first_snapshot_there_is_nothing_to_wait_for(server, tmp_path):
    async with HttpClient() as http:
        wing = Gathering(KubeClient(server.access(tmp_path), http))
        await wing.source.caught_up(10 * ENOUGH)
