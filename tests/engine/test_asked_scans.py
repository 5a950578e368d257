"""Images of which somebody says that they were pushed: scanned at once, again where a scan was on its way, and landed."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.test_schedule import running
from tests.engine.test_together import ALONE, IMAGES, OTHER, Registry, plan, started
from tests.fakes.eventually import until
from updater.engine.image_state import ImageState
from updater.model.candidate import Candidate
from updater.model.image import parse_digest, parse_name
from updater.model.scan_key import ScanKey

UNKNOWN = ScanKey(parse_name("r.test/unknown"), None)


async def test_only_what_was_named_is_scanned_and_it_lands_together_at_once():
    work = Registry()
    async with running(plan(), work, coalesce=60.0) as schedule:
        await started(work)
        work.push()
        schedule.ask([IMAGES[1], IMAGES[3], UNKNOWN])
        await until(work.landings)
        assert sorted(work.scans, key=str) == [IMAGES[1], IMAGES[3]]
        found = work.landings()[0]
        assert (found[IMAGES[1]], found[IMAGES[3]], found[IMAGES[0]]) == (2, 2, 1)
        assert not work.landings(OTHER)


async def test_a_destination_lands_though_a_scan_finds_nothing_new():
    """The digest of a tag may have moved, which no list tells."""
    work = Registry()
    async with running(plan(), work, coalesce=60.0) as schedule:
        await started(work)
        schedule.ask([ALONE])
        await until(lambda: work.landings(OTHER))
        await asyncio.sleep(0.05)
        assert len(work.landings(OTHER)) == 1


async def test_a_scan_that_was_on_its_way_does_not_count():
    work = Registry()
    async with running(plan(), work, coalesce=60.0) as schedule:
        await started(work)
        work.gates[ALONE] = asyncio.Event()
        schedule.ask([ALONE])
        await asyncio.sleep(0.02)
        work.push()
        schedule.ask([ALONE])
        work.gates[ALONE].set()
        await until(lambda: work.scans.count(ALONE) == 2)
        await until(lambda: work.landings(OTHER) and work.landings(OTHER)[-1][ALONE] == 2)


async def test_an_image_that_was_never_scanned_is_scanned_again_after_its_first_scan_that_began_before():
    work = Registry()
    work.gates[ALONE] = asyncio.Event()
    async with running(plan(), work) as schedule:
        await until(lambda: len(work.scans) == len(IMAGES))
        work.push()
        schedule.ask([ALONE])
        work.gates[ALONE].set()
        await until(lambda: work.scans.count(ALONE) == 2)
        await until(lambda: work.landings(OTHER) and work.landings(OTHER)[-1][ALONE] == 2)


async def test_a_schedule_that_pauses_scans_nothing():
    work = Registry()
    async with running(plan(), work) as schedule:
        await started(work)
        schedule.pause()
        schedule.ask([IMAGES[0]])
        await asyncio.sleep(0.05)
        assert work.scans == []


@pytest.mark.parametrize("tags", [["1.0"], None])
def test_what_is_known_of_a_pushed_tag_is_forgotten_and_of_others_it_stands(tags):
    state = ImageState(None, ALONE, followed=None, clock=lambda: 0.0)
    state.candidates = {tag: Candidate(tag=tag, labels={"a": "b"}) for tag in ("1.0", "2.0")}
    state._digests = {tag: parse_digest("sha256:" + "ab" * 32) for tag in ("1.0", "2.0")}
    state.forget(tags)
    assert set(state._digests) == ({"2.0"} if tags else set())
    assert (state.candidates["1.0"].labels, state.candidates["2.0"].labels) == (None if tags else {"a": "b"}, {"a": "b"})
    assert list(state.candidates) == ["1.0", "2.0"]
