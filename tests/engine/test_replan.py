"""What the schedule promises while plans and leaders change: nothing lands twice at once, nothing due is forgotten."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.making import BRANCH
from updater.engine.schedule import Plan, Schedule, WaitTimes
from updater.model.image import parse_name
from updater.model.publishing import PushBranch
from updater.model.scan_key import ScanKey
from updater.model.subscription import LiveApplication

IMAGES = tuple(ScanKey(parse_name(f"r.test/{name}"), None) for name in "abc")
A, B, C = IMAGES
BUILT = replace(BRANCH, publishing=PushBranch("auto"))
LIVE = LiveApplication(namespace="argocd", name="web")
DESTINATIONS = (BRANCH, BUILT, LIVE)
NO_CHANGE = Plan(images={}, destinations={}, waiting={})


def plan(*pairs, interval=60.0, lone=()):
    """Plan the images of (image, destination) pairs; what pushes to a branch of its own is rebuilt."""
    destinations = dict.fromkeys((destination for _, destination in pairs), interval)
    return Plan(
        images=dict.fromkeys((*(image for image, _ in pairs), *lone), interval),
        destinations=destinations,
        waiting={image: tuple(found for other, found in pairs if other == image) for image, _ in pairs},
        rebuilt=frozenset(destinations) & {BUILT},
    )


class Work:
    """Scans and landings that are checked while they run, and wait where a gate is shut."""

    def __init__(self):
        self.plan = NO_CHANGE
        self.is_paused = False
        self.finds_news = True
        self.began, self.ended, self.scanned = Counter(), Counter(), Counter()
        self.at_work = set()
        self.shut = set()
        self.let_by = set()  # the one who waits there may pass, whoever comes after waits again
        self.moved = asyncio.Condition()
        self.round = 0
        self.since = {}  # image → the round in which it was wanted last
        self.owed = set()

    def want(self, images):
        self.round += 1
        self.since |= dict.fromkeys(images, self.round)

    async def open(self, *whats):
        async with self.moved:
            self.shut.difference_update(whats or set(self.shut))
            self.moved.notify_all()

    async def let(self, what):
        async with self.moved:
            if what in self.at_work and what in self.shut:
                self.let_by.add(what)
            self.moved.notify_all()

    async def _pass(self, what):
        assert what not in self.at_work, "twice at once"
        assert not self.is_paused, "begun while paused"
        self.at_work.add(what)
        async with self.moved:
            await self.moved.wait_for(lambda: what not in self.shut or what in self.let_by)
            self.let_by.discard(what)
        self.at_work.discard(what)

    async def scan(self, listed):
        assert listed in self.plan.images, "scanned although nobody asks for it"
        begun = self.round
        await self._pass(listed)
        self.scanned[listed] += 1
        if self.since.get(listed, 0) <= begun:
            self.since.pop(listed, None)
        if self.finds_news:
            self.owed.update(self.plan.waiting.get(listed, ()))
        return self.finds_news

    async def land(self, destination):
        assert destination in self.plan.destinations, "landed although it left"
        if destination in self.plan.rebuilt:
            missing = [image for image, found in self.plan.waiting.items() if destination in found and image in self.since]
            assert not missing, "landed without a scan that it needs"
        self.began[destination] += 1
        self.owed.discard(destination)
        await self._pass(destination)
        self.ended[destination] += 1


class Bench:
    """A schedule, and the work that it drives; every change is told to both."""

    def __init__(self, first, **waits):
        self.work = Work()
        self.work.plan = first
        self.work.want(first.images)
        self.work.owed.update(first.destinations)
        self.schedule = Schedule(
            first, scan=self.work.scan, land=self.work.land, waits=WaitTimes(**{"coalesce": 0.0, "first_scans": 60.0} | waits)
        )

    def replan(self, made, *, changed=(), afresh=()):
        work, before = self.work, self.work.plan
        work.plan = made
        work.owed &= set(made.destinations)
        work.owed |= (set(made.destinations) - set(before.destinations)) | (set(changed) & set(made.destinations))
        work.since = {image: since for image, since in work.since.items() if image in made.images}
        work.want(image for image in made.images if image not in before.images or image in afresh)
        self.schedule.replan(made, changed=changed, afresh=afresh)

    def pause(self):
        self.work.is_paused = True
        self.schedule.pause()

    def resume(self):
        if self.work.is_paused:
            self.work.is_paused = False
            self.work.want(self.work.plan.images)
            self.work.owed.update(self.work.plan.destinations)
        self.schedule.resume()


async def settle(turns=40):
    for _ in range(turns):
        await asyncio.sleep(0)


@asynccontextmanager
async def running(first, *, shut=(), **waits):
    bench = Bench(first, **waits)
    bench.work.shut.update(shut)
    task = asyncio.create_task(bench.schedule.run())
    await settle()
    try:
        yield bench
    finally:
        bench.schedule.stop()
        await bench.work.open()
        await asyncio.wait_for(task, 5)


async def test_what_a_new_plan_adds_is_scanned_and_lands_at_once_and_nothing_else_does():
    async with running(plan((A, BRANCH))) as bench:
        before = bench.schedule.next_due(A)
        bench.replan(plan((A, BRANCH), (B, LIVE)))
        await settle()
        assert bench.work.ended == {BRANCH: 1, LIVE: 1}
        assert bench.work.scanned == {A: 1, B: 1}
        assert bench.schedule.next_due(A) == before


async def test_what_left_is_neither_scanned_nor_landed_any_more():
    async with running(plan((A, BRANCH), (B, LIVE))) as bench:
        bench.replan(plan((A, BRANCH)))
        assert bench.schedule.next_due(B) is None
        assert bench.schedule.next_due(LIVE) is None
        bench.schedule.due(LIVE)
        await settle()
        assert bench.work.began[LIVE] == 1


async def test_a_landing_of_what_left_is_finished():
    async with running(plan((A, BRANCH)), shut={BRANCH}) as bench:
        bench.replan(NO_CHANGE)
        await bench.work.open()
        await settle()
        assert bench.work.ended == {BRANCH: 1}


async def test_what_left_and_came_back_during_its_landing_lands_after_it_not_beside_it():
    async with running(plan((A, BRANCH)), shut={BRANCH}) as bench:
        bench.replan(NO_CHANGE)
        await settle()
        bench.replan(plan((A, BRANCH)))
        await settle()
        assert bench.work.began[BRANCH] == 1
        await bench.work.open()
        await settle()
        assert bench.work.ended[BRANCH] == 2


async def test_a_destination_with_other_subscriptions_is_due_at_once():
    async with running(plan((A, BRANCH), (A, LIVE))) as bench:
        bench.replan(bench.work.plan, changed={BRANCH})
        await settle()
        assert bench.work.ended == {BRANCH: 2, LIVE: 1}
        assert bench.work.scanned == {A: 1}


async def test_a_rebuilt_branch_waits_for_the_image_that_it_gains():
    async with running(plan((A, BUILT)), shut={B}, first_scans=0.0) as bench:
        bench.replan(plan((A, BUILT), (B, BUILT)), changed={BUILT})
        await settle()
        assert bench.work.began[BUILT] == 1
        await bench.work.open()
        await settle()
        assert bench.work.ended[BUILT] == 2


async def test_a_rebuilt_branch_waits_no_more_for_an_image_that_it_lost():
    async with running(plan((A, BUILT), (B, BUILT)), shut={B}) as bench:
        assert bench.work.began[BUILT] == 0
        bench.replan(plan((A, BUILT), (B, LIVE)))
        await settle()
        assert bench.work.ended[BUILT] == 1


async def test_an_image_that_is_asked_otherwise_counts_as_never_scanned():
    async with running(plan((A, BUILT))) as bench:
        bench.work.shut.add(A)
        bench.replan(bench.work.plan, changed={BUILT}, afresh={A})
        await settle()
        assert bench.work.began[BUILT] == 1
        await bench.work.open()
        await settle()
        assert (bench.work.scanned[A], bench.work.ended[BUILT]) == (2, 2)


async def test_a_scan_that_began_before_the_change_does_not_count_and_another_follows_at_once():
    async with running(plan((A, BUILT)), shut={A}) as bench:
        bench.replan(bench.work.plan, afresh={A})
        await bench.work.let(A)
        await settle()
        assert (bench.work.scanned[A], bench.work.began[BUILT]) == (1, 0)
        assert A in bench.work.at_work
        await bench.work.open()
        await settle()
        assert (bench.work.scanned[A], bench.work.ended[BUILT]) == (2, 1)


async def test_an_image_that_left_and_came_back_during_its_scan_is_scanned_after_it_not_beside_it(caplog):
    async with running(plan((A, BUILT)), shut={A}) as bench:
        bench.replan(NO_CHANGE)
        bench.replan(plan((A, BUILT)))
        await settle()
        await bench.work.let(A)
        await settle()
        assert (bench.work.scanned[A], bench.work.began[BUILT]) == (1, 0)
        await bench.work.open()
        await settle()
        assert (bench.work.scanned[A], bench.work.ended[BUILT]) == (2, 1)
    assert not caplog.records


async def test_a_slow_new_image_holds_up_a_destination_for_a_while_only():
    async with running(plan((A, BRANCH)), shut={B}, first_scans=0.01) as bench:
        bench.replan(plan((A, BRANCH), (B, BRANCH)), changed={BRANCH})
        await settle()
        assert bench.work.began[BRANCH] == 1
        async with asyncio.timeout(5):
            while bench.work.ended[BRANCH] < 2:  # noqa: ASYNC110 - what is waited for is a count of the test's own
                await asyncio.sleep(0.005)


async def test_another_interval_takes_effect_from_now_and_scans_nothing_twice():
    async with running(plan((A, BRANCH), interval=600.0)) as bench:
        late = bench.schedule.next_due(A)
        bench.replan(plan((A, BRANCH), interval=60.0))
        soon = bench.schedule.next_due(A)
        assert (late - soon).total_seconds() > 400
        bench.replan(plan((A, BRANCH), interval=600.0))
        assert bench.schedule.next_due(A) == soon
        await settle()
        assert bench.work.scanned == {A: 1}


async def test_a_plan_may_change_before_the_schedule_runs():
    bench = Bench(plan((A, BRANCH)))
    bench.replan(plan((B, LIVE)))
    assert not bench.schedule.is_running
    task = asyncio.create_task(bench.schedule.run())
    await settle()
    bench.schedule.stop()
    await task
    assert bench.work.ended == {LIVE: 1}
    assert bench.work.scanned == {B: 1}


async def test_who_waits_to_lead_scans_and_lands_nothing_and_is_running_all_the_same():
    bench = Bench(plan((A, BRANCH)))
    bench.pause()
    task = asyncio.create_task(bench.schedule.run())
    await settle()
    assert (bench.schedule.is_running, bench.schedule.is_paused, bench.schedule.next_due(A)) == (True, True, None)
    bench.schedule.due(BRANCH)
    bench.replan(plan((A, BRANCH), (B, LIVE)))
    await settle()
    assert not bench.work.began
    assert not bench.work.scanned
    bench.resume()
    await settle()
    assert bench.work.ended == {BRANCH: 1, LIVE: 1}
    bench.schedule.stop()
    await task


async def test_after_a_pause_everything_is_scanned_anew_before_a_rebuilt_branch_lands():
    async with running(plan((A, BUILT), (B, BUILT), (C, BRANCH))) as bench:
        bench.pause()
        bench.work.shut.add(B)
        bench.resume()
        await settle()
        assert bench.work.scanned == {A: 2, B: 1, C: 2}
        assert (bench.work.ended[BUILT], bench.work.ended[BRANCH]) == (1, 2)
        await bench.work.open()
        await settle()
        assert bench.work.ended[BUILT] == 2


async def test_a_scan_that_began_before_a_pause_does_not_count_after_it():
    async with running(plan((A, BUILT)), shut={A}) as bench:
        bench.pause()
        bench.resume()
        await bench.work.let(A)
        await settle()
        assert (bench.work.scanned[A], bench.work.began[BUILT]) == (1, 0)
        await bench.work.open()
        await settle()
        assert (bench.work.scanned[A], bench.work.ended[BUILT]) == (2, 1)


async def test_a_scan_that_was_due_when_a_pause_began_does_not_begin(caplog):
    bench = Bench(plan((A, BRANCH)))
    task = asyncio.create_task(bench.schedule.run())
    while not bench.schedule.is_running:  # noqa: ASYNC110 - one turn of the loop after another
        await asyncio.sleep(0)
    for _ in range(8):  # whatever turn of the loop the job has reached, the pause comes before the scan or after it
        bench.pause()
        await settle()
        bench.resume()
        await asyncio.sleep(0)
    await settle()
    bench.schedule.stop()
    await task
    assert not caplog.records


async def test_what_left_waits_for_nothing_that_it_waited_for_when_it_comes_back():
    async with running(plan((A, BUILT)), shut={BUILT}) as bench:
        bench.replan(plan((A, BUILT), (B, BUILT)), changed={BUILT})
        bench.work.shut.add(B)
        await settle()
        bench.replan(plan((B, BRANCH)))
        bench.replan(plan((A, BUILT), (B, BRANCH)))
        await bench.work.open(BUILT)
        await settle()
        assert bench.work.ended[BUILT] == 2


async def test_a_destination_that_comes_during_a_pause_waits_for_its_end():
    async with running(plan((A, BRANCH))) as bench:
        bench.pause()
        bench.replan(plan((A, BRANCH), (A, LIVE)), changed={LIVE})
        await settle()
        assert bench.work.began[LIVE] == 0
        bench.resume()
        await settle()
        assert bench.work.ended[LIVE] == 1


async def test_a_scan_without_news_lands_nothing():
    async with running(plan((A, BRANCH))) as bench:
        bench.work.finds_news = False
        bench.replan(bench.work.plan, afresh={A})
        await settle()
        assert (bench.work.scanned[A], bench.work.began[BRANCH]) == (2, 1)
        bench.work.finds_news = True
        bench.replan(bench.work.plan, afresh={A})
        await settle()
        assert (bench.work.scanned[A], bench.work.began[BRANCH]) == (3, 2)


async def test_a_landing_that_has_begun_is_finished_during_a_pause():
    async with running(plan((A, BRANCH)), shut={BRANCH}) as bench:
        bench.pause()
        await bench.work.open()
        await settle()
        bench.schedule.due(BRANCH)
        await settle()
        assert (bench.work.began[BRANCH], bench.work.ended[BRANCH]) == (1, 1)


async def test_a_pause_within_the_coalescing_delay_lands_nothing():
    async with running(plan((A, BRANCH)), coalesce=0.02) as bench:
        await settle()
        assert bench.work.ended == {BRANCH: 1}
        bench.schedule.due(BRANCH)
        bench.pause()
        await asyncio.sleep(0.04)
        assert bench.work.ended == {BRANCH: 1}


async def test_a_stop_ends_a_pause():
    async with running(plan((A, BRANCH))) as bench:
        bench.pause()
        bench.schedule.stop()
        bench.schedule.resume()
        await settle()
        assert not bench.schedule.is_running
        assert bench.work.ended == {BRANCH: 1}


async def test_after_a_stop_a_new_plan_begins_nothing():
    async with running(plan((A, BRANCH))) as bench:
        bench.schedule.stop()
        bench.schedule.replan(plan((B, LIVE)))
        await settle()
        assert bench.work.ended == {BRANCH: 1}


async def test_a_scan_that_breaks_counts_as_scanned(caplog):
    async def broken(_):
        raise RuntimeError("a bug")

    landed = asyncio.Event()

    async def land(_):
        landed.set()

    schedule = Schedule(plan((A, BUILT)), scan=broken, land=land, waits=WaitTimes(coalesce=0.0))
    task = asyncio.create_task(schedule.run())
    await asyncio.wait_for(landed.wait(), 5)
    schedule.stop()
    await task
    assert "a bug" in caplog.text


async def test_a_landing_that_breaks_ends_the_schedule_with_its_reason():
    async def scan(_):
        return True

    async def land(_):
        raise RuntimeError("a bug")

    schedule = Schedule(plan((A, BRANCH)), scan=scan, land=land, waits=WaitTimes(coalesce=0.0))
    with pytest.raises(ExceptionGroup, match="unhandled"):
        await asyncio.wait_for(schedule.run(), 5)
    assert not schedule.is_running


PAIRS = st.sets(st.tuples(st.sampled_from(IMAGES), st.sampled_from(DESTINATIONS)), max_size=6)
PLANS = st.builds(lambda pairs, interval: plan(*sorted(pairs, key=str), interval=interval), PAIRS, st.sampled_from([60.0, 90.0]))
SOME = st.sets(st.sampled_from(IMAGES)), st.sets(st.sampled_from(DESTINATIONS))
STEPS = st.one_of(
    st.tuples(st.just("replan"), PLANS, SOME[1], SOME[0]),
    st.tuples(st.just("due"), st.sampled_from(DESTINATIONS)),
    st.tuples(st.just("shut"), st.sampled_from((*IMAGES, *DESTINATIONS))),
    st.tuples(st.just("open"), st.sampled_from((*IMAGES, *DESTINATIONS))),
    st.tuples(st.just("let"), st.sampled_from((*IMAGES, *DESTINATIONS))),
    st.tuples(st.sampled_from(["pause", "resume"])),
)


async def take(bench, step, *given):
    """Do one step of a story; what is due is owed a landing."""
    if step == "replan":
        bench.replan(given[0], changed=given[1], afresh=given[2])
    elif step == "due":
        bench.work.owed |= {*given} & set(bench.work.plan.destinations)
        bench.schedule.due(*given)
    elif step == "shut":
        bench.work.shut.update(given)
    elif step in {"open", "let"}:
        await getattr(bench.work, step)(*given)
    else:
        getattr(bench, step)()


class Complaints(logging.Handler):
    """What the scheduler says is wrong: a check that failed in a scan ends there."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


async def tell(first, shut, steps, *, has_patience):
    """Tell a story, and look at its end: all that is owed has landed, and a stop ends it."""
    async with running(first, shut=shut, first_scans=60.0 if has_patience else 0.0) as bench:
        for step, turns in steps:
            await take(bench, *step)
            await settle(turns)
        bench.resume()
        await bench.work.open()
        await settle()
        await settle()
        assert not bench.work.owed
        assert not bench.work.at_work
        assert bench.work.began == bench.work.ended
        assert not bench.work.since


@settings(deadline=None, max_examples=250)
@given(
    first=PLANS,
    shut=st.sets(st.sampled_from((*IMAGES, *DESTINATIONS))),
    steps=st.lists(st.tuples(STEPS, st.sampled_from([0, 1, 4, 40])), max_size=14),
    has_patience=st.booleans(),
)
def test_whatever_happens_nothing_lands_twice_at_once_and_nothing_due_is_forgotten(first, shut, steps, has_patience):
    complaints, logger = Complaints(), logging.getLogger("apscheduler")
    logger.addHandler(complaints)
    try:
        asyncio.run(tell(first, shut, steps, has_patience=has_patience))
    finally:
        logger.removeHandler(complaints)
    assert not complaints.said
