"""What is pushed together lands together: a change that is found lets the others of its destination be asked before it lands."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.engine.making import BRANCH
from tests.engine.test_schedule import running, until
from updater.engine import pending_scans as rounds
from updater.inventory.plan import Plan
from updater.model.image import parse_name
from updater.model.scan_key import ScanKey

IMAGES = [ScanKey(parse_name(f"r.test/i{number}"), None) for number in range(5)]
OTHER = replace(BRANCH, branch="other")
ALONE = ScanKey(parse_name("r.test/alone"), None)


def plan():
    """Five images of one branch, one of another; an interval that never ends in a test."""
    waiting = {**dict.fromkeys(IMAGES, (BRANCH,)), ALONE: (OTHER,)}
    return Plan(images=dict.fromkeys(waiting, 600), destinations={BRANCH: 600, OTHER: 600}, waiting=waiting)


class Registry:
    """Images that hold versions; a landing writes down what the scans had found by then."""

    def __init__(self):
        self.offered = dict.fromkeys([*IMAGES, ALONE], 1)
        self.found, self.scans, self.landed = {}, [], []
        self.gates = {}

    async def scan(self, listed):
        offered = self.offered[listed]
        await asyncio.sleep(0)
        if listed in self.gates:
            await self.gates[listed].wait()
        self.scans.append(listed)
        before, self.found[listed] = self.found.get(listed), offered
        return before != offered

    async def land(self, destination):
        self.landed.append((destination, dict(self.found)))

    def push(self):
        self.offered = {listed: version + 1 for listed, version in self.offered.items()}

    def landings(self, destination=BRANCH):
        return [found for landed, found in self.landed if landed == destination]


async def started(work):
    await until(lambda: len(work.scans) == 6 and work.landings() and work.landings(OTHER))
    work.scans.clear()
    work.landed.clear()


async def test_one_found_change_asks_the_others_once_and_all_land_at_once():
    work = Registry()
    async with running(plan(), work) as schedule:
        await started(work)
        work.push()
        schedule._jobs.run_now([IMAGES[2]])
        await until(work.landings)
        await asyncio.sleep(0.05)
        assert work.landings() == [{**dict.fromkeys(IMAGES, 2), ALONE: 1}]
        assert sorted(work.scans, key=str) == IMAGES


async def test_what_was_asked_of_all_lands_at_once():
    """Nothing else can arrive: neither after the first scans nor after a change, whose others were all asked."""
    work = Registry()
    async with running(plan(), work, coalesce=60.0) as schedule:
        await started(work)
        work.push()
        schedule._jobs.run_now([IMAGES[2]])
        await until(work.landings)
        assert work.landings() == [{**dict.fromkeys(IMAGES, 2), ALONE: 1}]


async def test_what_is_found_while_a_branch_waits_for_more_ends_the_wait():
    """A branch is due together with its images: what they find need not wait because nothing was known a moment before."""
    work = Registry()
    async with running(plan(), work, coalesce=60.0) as schedule:
        await started(work)
        schedule.due(BRANCH)
        await asyncio.sleep(0.02)
        work.push()
        schedule._jobs.run_now([IMAGES[2]])
        await until(work.landings)
        assert work.landings() == [{**dict.fromkeys(IMAGES, 2), ALONE: 1}]


async def test_what_was_not_asked_of_all_waits_for_what_else_arrives(monkeypatch):
    """A landing that somebody asks for, and one of very many images of which one alone was found: more may be on its way."""
    monkeypatch.setattr(rounds, "MOST_ASKED", 4)
    work = Registry()
    async with running(plan(), work, coalesce=60.0) as schedule:
        await started(work)
        schedule.due(OTHER)
        work.push()
        schedule._jobs.run_now([IMAGES[1]])
        await until(lambda: work.scans == [IMAGES[1]])
        await asyncio.sleep(0.05)
        assert not work.landed


async def test_a_scan_that_began_before_the_push_is_made_again():
    """Its answer may be older than the push."""
    work = Registry()
    async with running(plan(), work) as schedule:
        await started(work)
        work.gates[IMAGES[0]] = asyncio.Event()
        schedule._jobs.run_now([IMAGES[0]])
        await asyncio.sleep(0.02)
        work.push()
        schedule._jobs.run_now([IMAGES[1]])
        await until(lambda: len(work.scans) == 4)
        assert not work.landings()
        work.gates[IMAGES[0]].set()
        await until(work.landings)
        assert work.landings() == [{**dict.fromkeys(IMAGES, 2), ALONE: 1}]


async def test_a_registry_that_does_not_answer_holds_the_others_up_for_a_while_only():
    work = Registry()
    async with running(plan(), work, scans=0.05) as schedule:
        await started(work)
        work.gates[IMAGES[0]] = asyncio.Event()
        work.push()
        schedule._jobs.run_now([IMAGES[1]])
        await until(work.landings)
        assert work.landings()[0] == {**dict.fromkeys(IMAGES, 2), IMAGES[0]: 1, ALONE: 1}
        work.gates[IMAGES[0]].set()
        await until(lambda: len(work.landings()) == 2)
        assert work.landings()[1][IMAGES[0]] == 2


async def test_of_a_destination_with_very_many_images_the_others_are_not_asked_again(monkeypatch):
    monkeypatch.setattr(rounds, "MOST_ASKED", 4)
    work = Registry()
    async with running(plan(), work) as schedule:
        await started(work)
        work.push()
        schedule._jobs.run_now([IMAGES[1]])
        await until(work.landings)
        assert work.scans == [IMAGES[1]]


async def test_an_image_that_leaves_while_it_is_asked_again_holds_nothing_up():
    work = Registry()
    async with running(plan(), work, scans=60.0) as schedule:
        await started(work)
        work.gates[IMAGES[0]] = asyncio.Event()
        work.push()
        schedule._jobs.run_now([IMAGES[1]])
        await until(lambda: len(work.scans) == 4)
        made = plan()
        kept = [listed for listed in made.images if listed != IMAGES[0]]
        schedule.replan(replace(made, images=dict.fromkeys(kept, 600), waiting={listed: made.waiting[listed] for listed in kept}))
        await until(work.landings)
        work.gates[IMAGES[0]].set()


async def test_a_first_scan_asks_nobody_again():
    work = Registry()
    async with running(plan(), work):
        await started(work)
        await asyncio.sleep(0.05)
        assert work.scans == []


async def test_after_a_pause_in_the_middle_everything_lands():
    work = Registry()
    async with running(plan(), work) as schedule:
        await started(work)
        work.gates[IMAGES[0]] = asyncio.Event()
        work.push()
        schedule._jobs.run_now([IMAGES[1]])
        await until(lambda: len(work.scans) == 4)
        schedule.pause()
        work.gates[IMAGES[0]].set()
        await asyncio.sleep(0.02)
        assert not work.landings()
        schedule.resume()
        await until(work.landings)
        assert work.landings()[-1] == dict.fromkeys([*IMAGES, ALONE], 2)


async def test_a_landing_that_had_begun_chooses_only_once_the_others_were_asked_too():
    """A look takes a while, and a scan may find the first of five meanwhile: alone it would be a commit of its own."""
    work = Registry()
    look = asyncio.Event()
    look.set()
    async with running(plan(), work) as schedule:
        await started(work)
        ended = work.land

        async def land(destination):
            await look.wait()
            if destination == BRANCH:
                await schedule.settle(destination)
            await ended(destination)

        for worker in schedule._workers.of([BRANCH]):
            worker._land = lambda: land(BRANCH)
        look.clear()
        schedule.due(BRANCH)
        await asyncio.sleep(0.05)  # the landing has begun and looks
        work.push()
        work.gates[IMAGES[3]] = asyncio.Event()
        schedule._jobs.run_now([IMAGES[2]])
        await until(lambda: IMAGES[2] in work.scans)
        look.set()
        await asyncio.sleep(0.05)
        assert not work.landings()
        work.gates[IMAGES[3]].set()
        await until(work.landings)
        assert work.landings()[0] == {**dict.fromkeys(IMAGES, 2), ALONE: 1}


async def test_a_landing_waits_for_no_scan_that_hangs():
    work = Registry()
    async with running(plan(), work) as schedule:
        await started(work)
        work.gates[IMAGES[3]] = asyncio.Event()
        schedule._jobs.run_now([IMAGES[3]])
        await asyncio.sleep(0.02)
        async with asyncio.timeout(30):
            await schedule.settle(BRANCH)
        work.gates[IMAGES[3]].set()
