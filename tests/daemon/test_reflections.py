"""What reflections promise: the choice for a place that holds nothing is said after each scan, each change, and when asked."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from tests.engine.making import subscription
from tests.engine.test_scanner import Registry
from tests.fakes.eventually import until
from tests.inventory.asking import snapshot
from updater.cache.cache import Cache
from updater.daemon.reflections import AT_ONCE, Reflections
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
async def reflecting(registry, *items, **options):
    asked, said = Inventory(snapshot(*items)), []
    scans = Scanner(registry, Cache(None))
    scans.follow(asked.by_image, asked.by_image)
    reflections = Reflections(asked, scans, said.append, **options)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(reflections.run())
        yield reflections, scans, said
        running.cancel()


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


async def test_who_asks_while_the_first_scan_goes_on_is_not_told_that_there_are_no_tags():
    answered = asyncio.Event()

    class SlowRegistry(Registry):
        async def tags(self, image, credential=None):
            await answered.wait()
            return await super().tags(image, credential)

    async with reflecting(SlowRegistry(**{"1.0.0": 1}), POLICY) as (reflections, scans, said):
        going_on = asyncio.create_task(scans.scan(IMAGE))
        await asyncio.sleep(0)
        reflections.again(["policy"])
        await asyncio.sleep(0.01)
        assert said == []
        answered.set()
        await going_on
        await reflections.scanned(IMAGE, BEGAN)
    assert [report.selection.chosen.tag for report in said] == ["1.0.0"]


async def test_nothing_asks_a_registry_out_of_turn_before_its_first_scan():
    registry = Registry(**{"1.0.0": 1})
    async with reflecting(registry, OTHER) as (reflections, _, said):
        reflections.again(["other"])
        await asyncio.sleep(0.01)
        assert (said, registry.asked) == ([], [])


async def test_a_replica_that_does_not_lead_keeps_what_is_asked_for_until_it_does():
    registry, leads = Registry(**{"1.0.0": 1}), []
    async with reflecting(registry, OTHER, may_work=lambda: bool(leads)) as (reflections, scans, said):
        await scans.scan(IMAGE)
        reflections.again(["other"])
        await asyncio.sleep(0.01)
        assert said == []
        leads.append(True)
        reflections.wake()
        await until(lambda: len(said) == 1)


async def test_a_registry_that_does_not_answer_holds_up_nobody_else():
    slow = replace(subscription("slow", image="slow.test/acme/web"), is_reflected=True, reflects_digest=True)
    registry, answered = Registry(**{"1.0.0": 1}), asyncio.Event()
    async with reflecting(registry, slow, OTHER) as (reflections, scans, said):
        await scans.scan(scan_key_for(slow))
        await scans.scan(IMAGE)
        choose = scans.choose

        async def held(item, *arguments, **options):
            if item.key == "slow":
                await answered.wait()
            return await choose(item, *arguments, **options)

        scans.choose = held
        reflections.again(["slow", "other"])
        await until(lambda: [report.subscription for report in said] == ["other"])
        reflections.again(["slow", "other"])
        await until(lambda: [report.subscription for report in said] == ["other", "other"])
        answered.set()
        await until(lambda: len(said) == 4)
    assert [report.subscription for report in said[2:]] == ["slow", "slow"], "what was asked for meanwhile is told too"


async def test_who_asks_for_the_digests_of_now_gets_them_though_the_policy_changes_meanwhile():
    """Many images are handed out with pauses: what changes in one of them must not make of the question a lesser one."""
    slow, *others = (
        replace(subscription(f"at-{index}", image=f"r{index}.test/acme/web"), is_reflected=True) for index in range(AT_ONCE + 1)
    )
    registry, answered, afresh = Registry(**{"1.0.0": 1}), asyncio.Event(), []
    async with reflecting(registry, *others, slow) as (reflections, scans, said):
        for item in (slow, *others):
            await scans.scan(scan_key_for(item))
        choose, forget = scans.choose, scans.forget

        async def held(item, *arguments, **options):
            if item is slow:
                await answered.wait()
            elif item is others[0]:
                reflections.changed([scan_key_for(slow)])
            return await choose(item, *arguments, **options)

        scans.choose, scans.forget = held, lambda listed: (afresh.append(listed), forget(listed))
        reflections.again([slow.key])
        await until(lambda: afresh == [scan_key_for(slow)])
        reflections.again([item.key for item in (slow, *others)])
        await until(lambda: len(said) == len(others))
        answered.set()
        await until(lambda: len(said) == len(others) + 2)
    assert afresh.count(scan_key_for(slow)) == 2
