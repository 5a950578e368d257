"""What reflections promise: the choice for a place that holds nothing is said after each scan, each change, and when asked."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from tests.engine.making import subscription
from tests.engine.test_scanner import Registry
from tests.inventory.asking import snapshot
from updater.cache.cache import Cache
from updater.daemon.reflections import Reflections
from updater.engine.scanner import Scanner
from updater.errors import RegistryUnavailable
from updater.inventory.inventory import Inventory
from updater.model.scan_key import scan_key_for

POLICY = replace(subscription("policy"), is_reflected=True)
OTHER = replace(subscription("other"), is_reflected=True, reflects_digest=True)
PLAIN = subscription("plain")
IMAGE = scan_key_for(POLICY)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def reflecting(registry, *items):
    asked, said = Inventory(snapshot(*items)), []
    scans = Scanner(registry, Cache(None))
    scans.follow(asked.by_image, asked.by_image)
    reflections = Reflections(asked, scans, said.append)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(reflections.run())
        yield reflections, scans, said
        running.cancel()


async def until(question):
    async with asyncio.timeout(10):
        while not question():  # noqa: ASYNC110 - a state, not an event
            await asyncio.sleep(0.001)


async def test_after_a_scan_it_is_said_for_those_alone_whose_objects_say_it():
    async with reflecting(Registry(**{"1.0.0": 1, "1.1.0": 2}), POLICY, PLAIN) as (reflections, scans, said):
        await scans.scan(IMAGE)
        await reflections.scanned(IMAGE, BEGAN)
    assert [(report.subscription, report.selection.chosen.tag, report.began) for report in said] == [("policy", "1.1.0", BEGAN)]
    assert said[0].selection.chosen.digest is None


async def test_a_scan_that_failed_is_said_with_its_code():
    registry = Registry()
    registry.failure = RegistryUnavailable("down", hint="")
    async with reflecting(registry, POLICY) as (reflections, scans, said):
        await scans.scan(IMAGE)
        await reflections.scanned(IMAGE, BEGAN)
    assert (said[0].selection, said[0].failure.code) == (None, registry.failure.code)


async def test_who_asks_hears_the_digest_that_the_registry_has_now():
    registry = Registry(**{"1.0.0": 1})
    async with reflecting(registry, OTHER) as (reflections, scans, said):
        await scans.scan(IMAGE)
        await reflections.scanned(IMAGE, BEGAN)
        registry.tags_by_time["1.0.0"] = 7
        reflections.changed([IMAGE])
        await until(lambda: len(said) == 2)
        reflections.again(["other", "nobody"])
        await until(lambda: len(said) == 3)
    digests = [int(report.selection.chosen.digest.encoded, 16) for report in said]
    assert digests == [1, 1, 7]
    assert registry.asked.count("tags") == 1, "the list of the last scan stands"


async def test_a_change_of_an_image_that_was_never_scanned_waits_for_its_scan():
    async with reflecting(Registry(**{"1.0.0": 1}), POLICY) as (reflections, _, said):
        reflections.changed([IMAGE])
        await asyncio.sleep(0.01)
        assert said == []
