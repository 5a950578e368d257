"""What the stream of events promises: news alone, in order, to many, at the price of nobody who does not read."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.inventory.asking import MAIN, asked
from tests.reporting.making import at, ended, failed, inventory, landed
from tests.reporting.notifications.making import judged, progressed
from updater.model.candidate import Candidate, FactFailure
from updater.model.outcome import Status
from updater.model.progress import Progress
from updater.model.report import ImageScanned, SelectionMade
from updater.model.scan_key import ScanKey
from updater.model.selection import Selection
from updater.model.subscription import CredentialRef
from updater.model.written import Written
from updater.web.api import refusals
from updater.web.app import serve
from updater.web.events import EventKind, EventLog, EventPart
from updater.web.sse import EventStreams

PATIENCE = 30.0


def heard(*reports):
    log = EventLog()
    for report in reports:
        log.hear(report)
    return [(event.kind, event.word, event.key) for event in log.since(0)]


def chosen(tag):
    selection = Selection(status="unchanged", chosen=Candidate(tag=tag), rejections={})
    return SelectionMade(subscription="web", written=Written(tag="1"), selection=selection, at=at())


def scanned(failure=None, credential=None):
    listed = ScanKey(asked("web", MAIN).image, credential)
    return ImageScanned(listed=listed, names=(), failure=failure, began=at(), at=at())


def test_a_state_is_told_once_until_it_changes():
    again = landed(failed("web"), minutes=1)
    assert heard(landed(failed("web")), again, landed(ended("web"))) == [
        ("outcome", "failed", "web"),
        ("outcome", "unchanged", "web"),
    ]


def test_a_new_newest_tag_is_told_and_the_first_one_is_not():
    assert heard(chosen("1.0"), chosen("1.0"), chosen("1.1")) == [("selection", "chosen", "web")]


def test_the_newest_tag_of_another_image_is_not_told_as_news_of_the_one_before():
    other = inventory(asked("web", MAIN, image="r.test/other"))
    told = heard(inventory(), chosen("9.0"), inventory(), chosen("9.1"), other, chosen("1.0"), chosen("1.1"))
    assert [kind for kind, _, _ in told] == ["inventory", "inventory", "selection", "inventory", "selection"]


def test_an_image_that_cannot_be_listed_is_told_once_and_so_is_its_recovery():
    down = scanned(FactFailure("registry-unavailable", "no answer"))
    assert heard(scanned(), down, down, scanned(), scanned()) == [("scan", "failed", ""), ("scan", "recovered", "")]


def test_an_image_that_one_credential_may_not_list_is_told_once_although_another_may():
    denied, other = scanned(FactFailure("registry-denied", "401")), CredentialRef(kind="env", value="TOKEN")
    again = [denied, scanned(credential=other)] * 3
    assert heard(*again) == [("scan", "failed", "")]


def test_an_image_that_is_scanned_for_its_own_sake_keeps_its_failure_when_the_inventory_changes():
    denied = scanned(FactFailure("registry-denied", "401"))
    other = inventory(asked("api", MAIN, image="r.test/other"), scans=frozenset({denied.listed}))
    told = heard(denied, other, denied, scanned())
    assert [word for kind, word, _ in told if kind == "scan"] == ["failed", "recovered"]


def test_a_release_names_the_workload_that_decided_where_one_is_known():
    log = EventLog()
    log.hear(judged())
    log.hear(judged(workload=None))
    assert [event.detail for event in log.since(0)] == ["Deployment shop/web: it crashes", "it crashes"]


def test_how_far_a_canary_has_come_is_told_in_words():
    log = EventLog()
    log.hear(progressed(Progress(step=2, steps=4, weight=20, words="paused until somebody promotes it")))
    log.hear(progressed(None))
    told = [(event.kind, event.word, event.key, event.detail) for event in log.since(0)]
    where = "Deployment shop/web"
    assert told == [
        ("release", "progressing", "web", f"{where}: step 2 of 4, 20 % of traffic: paused until somebody promotes it"),
        ("release", "progressing", "web", f"{where}: it is paused"),
    ]


def test_what_is_gone_is_forgotten():
    log = EventLog()
    for report in (landed(failed("web")), inventory(asked("api", MAIN)), landed(failed("web"))):
        log.hear(report)
    assert [event.kind for event in log.since(0)] == ["outcome", "inventory", "outcome"]


def test_what_is_not_kept_any_more_is_not_told_as_if_it_were_all():
    log = EventLog(most=3)
    for number in range(5):
        log.add(EventPart(kind=EventKind.ACT, word="hold", detail=str(number)), at())
    assert log.since(1) is None
    assert [event.number for event in log.since(2)] == [3, 4, 5]
    assert [event.number for event in log.latest(2)] == [5, 4]


class Streams:
    """A server of the streams of one log, and the clients that were connected to it."""

    def __init__(self, streams, port):
        self.streams, self.port = streams, port
        self.writers = []

    async def connect(self, *headers):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        writer.write("\r\n".join(["GET /events HTTP/1.1", "Host: localhost", *headers, "", ""]).encode())
        return reader


@asynccontextmanager
async def streamed(log, **options):
    streams = EventStreams(log, **{"together": 0.0} | options)
    app = web.Application(middlewares=[refusals])
    app.router.add_get("/events", streams.serve)
    app.on_shutdown.append(streams.close)
    runner = await serve(app, "127.0.0.1:0")
    made = Streams(streams, runner.addresses[0][1])
    try:
        yield made
    finally:
        await runner.cleanup()
        for writer in made.writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def read_until(reader, word):
    async with asyncio.timeout(PATIENCE):
        return await reader.readuntil(word.encode())


async def waits_for(question):
    async with asyncio.timeout(PATIENCE):
        while not question():  # noqa: ASYNC110 - it is asked of the server, which tells nobody
            await asyncio.sleep(0.02)


async def test_what_happens_reaches_every_client_in_order():
    log = EventLog()
    async with streamed(log) as made:
        clients = [await made.connect() for _ in range(5)]
        for reader in clients:
            await read_until(reader, "event: hello")
        for word in ("one", "two"):
            log.add(EventPart(kind=EventKind.ACT, word=word, detail="a\nb\u2028c", key="<x>"), at())
        for reader in clients:
            text = (await read_until(reader, '"word": "two"')).decode()
            assert text.index('"word": "one"') < text.index('"word": "two"')
            assert "a\\\\nb\\\\u2028c" in text


async def test_who_comes_back_is_told_what_was_missed_and_who_missed_too_much_is_told_that():
    log = EventLog(most=3)
    for number in range(1, 6):
        log.add(EventPart(kind=EventKind.ACT, word=f"n{number}", detail=""), at())
    async with streamed(log) as made:
        reader = await made.connect(f"Last-Event-ID: {log.run}-3")
        text = (await read_until(reader, '"word": "n5"')).decode()
        assert ('"word": "n4"' in text, '"word": "n3"' in text) == (True, False)
        for known in (f"{log.run}-1", "0000-4", "nonsense", f"{log.run}-x"):
            reader = await made.connect(f"Last-Event-ID: {known}")
            assert f"id: {log.run}-5\nevent: reset" in (await read_until(reader, "event: reset")).decode()


async def test_a_client_that_never_reads_is_dropped_and_the_others_are_told():
    log = EventLog(most=100)
    async with streamed(log, slowest=2.0, beat_every=0.5) as made:
        await made.connect()
        reader = await made.connect()
        await read_until(reader, "event: hello")
        await waits_for(lambda: made.streams.clients == 2)
        reading = asyncio.create_task(read_until_last(reader))
        async with asyncio.timeout(PATIENCE):
            while made.streams.clients == 2:
                log.add(EventPart(kind=EventKind.ACT, word="flood", detail="x" * 900, hint="y" * 900, target="z" * 900), at())
                await asyncio.sleep(0.001)
        assert made.streams.clients == 1
        log.add(EventPart(kind=EventKind.ACT, word="last", detail=""), at())
        async with asyncio.timeout(PATIENCE):
            await reading


async def read_until_last(reader):
    text = b""
    while b'"word": "last"' not in text:
        text = text[-100:] + await reader.read(1 << 16)


async def test_clients_beyond_the_bound_are_refused():
    async with streamed(EventLog(), most=1) as made:
        await read_until(await made.connect(), "event: hello")
        text = (await read_until(await made.connect(), "too-many-clients")).decode()
        assert (text.startswith("HTTP/1.1 503"), made.streams.clients) == (True, 1)


async def test_a_stop_ends_every_stream():
    async with streamed(EventLog()) as made:
        reader = await made.connect()
        await read_until(reader, "event: hello")
    assert made.streams.clients == 0


@pytest.mark.parametrize("status", [Status.HELD, Status.UPDATED])
async def test_an_event_names_the_subscription_and_what_became_of_it(status):
    log = EventLog()
    async with streamed(log) as made:
        reader = await made.connect()
        await read_until(reader, "event: hello\ndata: {}\n\n")
        log.hear(landed(ended("web", status, "words", code="c", revision="a" * 40)))
        await read_until(reader, "event: outcome\ndata: ")
        data = json.loads((await read_until(reader, "\n\n")).decode())
        assert (data["key"], data["word"], data["code"], data["revision"]) == ("web", status.value, "c", "a" * 40)
