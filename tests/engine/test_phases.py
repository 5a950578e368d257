"""What shares a destination is due together for ever, destinations are due apart, a changed plan moves as little as it can."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.engine.making import BRANCH
from tests.engine.test_schedule import Work, running, until
from updater.engine.phases import EARLIEST, MANY, WIDTH, Phases
from updater.engine.schedule import _Beat
from updater.inventory.plan import Plan
from updater.model.image import parse_name
from updater.model.scan_key import ScanKey

NOW = 1_800_000_000.0
IMAGES = [ScanKey(parse_name(f"r.test/i{number}"), None) for number in range(1000)]
BRANCHES = [replace(BRANCH, branch=f"b{number}") for number in range(50)]


def plan(*pairs, seconds=60.0):
    waiting = {}
    for image, branch in pairs:
        waiting[IMAGES[image]] = (*waiting.get(IMAGES[image], ()), BRANCHES[branch])
    destinations = dict.fromkeys((BRANCHES[branch] for _, branch in pairs), seconds)
    return Plan(images=dict.fromkeys(waiting, seconds), destinations=destinations, waiting=waiting)


def spread():
    """Numbers from 0 to 1 that are all apart."""
    numbers = (number * 0.618 % 1 for number in range(10_000))
    return lambda: next(numbers)


def fitted(made):
    phases = Phases(spread())
    phases.fit(made, NOW)
    return phases


def test_images_of_one_destination_and_the_destination_have_one_phase_and_two_destinations_two():
    phases = fitted(plan((0, 0), (1, 0), (2, 1)))
    assert phases.of(IMAGES[0]) == phases.of(IMAGES[1]) == phases.of(BRANCHES[0])
    assert phases.of(IMAGES[2]) == phases.of(BRANCHES[1]) != phases.of(BRANCHES[0])


def test_an_image_that_two_destinations_share_joins_them():
    phases = fitted(plan((0, 0), (1, 0), (1, 1), (2, 1), (3, 2)))
    assert len({phases.of(IMAGES[number]) for number in range(3)}) == 1
    assert phases.of(IMAGES[3]) != phases.of(IMAGES[0])


def test_destinations_are_spread_over_the_interval_and_none_is_due_again_right_after_the_start():
    phases = fitted(plan(*((number, number) for number in range(50))))
    moments = sorted((phases.of(branch) - NOW) / 60 for branch in BRANCHES)
    assert EARLIEST <= moments[0] < EARLIEST + 0.05
    assert 1 < EARLIEST + WIDTH - 0.05 < moments[-1] <= EARLIEST + WIDTH
    assert max(after - before for before, after in itertools.pairwise(moments)) < 0.05


def test_a_changed_plan_leaves_every_phase_that_it_does_not_join():
    phases = fitted(plan((0, 0), (1, 1), (2, 2)))
    before = {image: phases.of(image) for image in IMAGES[:3]}
    assert phases.fit(plan((0, 0), (1, 1), (2, 2), (3, 0)), NOW + 500) == frozenset()
    assert (before, phases.of(IMAGES[3])) == ({image: phases.of(image) for image in IMAGES[:3]}, before[IMAGES[0]])
    moved = phases.fit(plan((0, 0), (1, 1), (2, 2), (3, 0), (0, 1)), NOW + 900)
    joined = {IMAGES[0], IMAGES[1], IMAGES[3], BRANCHES[0], BRANCHES[1]}
    assert moved <= joined
    assert {phases.of(what) for what in joined} < set(before.values())
    assert phases.of(IMAGES[2]) == before[IMAGES[2]]


def test_very_many_images_of_one_destination_begin_little_by_little_and_the_destination_after_them():
    phases = fitted(plan(*((number, 0) for number in range(1000))))
    moments = [phases.of(image) for image in IMAGES]
    assert max(moments.count(moment) for moment in set(moments)) < 2 * MANY
    assert max(moments) < phases.of(BRANCHES[0]) <= min(moments) + 6


@pytest.mark.parametrize("seconds", [1.0, 7.5, 60.0])
def test_what_ran_at_another_time_comes_back_into_step(seconds):
    beat = _Beat(seconds, NOW)
    start = datetime.fromtimestamp(NOW, UTC)
    assert beat.get_next_fire_time(None, start - timedelta(seconds=seconds * 1.4)) == start
    for more in (0.0, 0.001, seconds / 2, seconds * 3 + 0.3):
        found = beat.get_next_fire_time(start, start + timedelta(seconds=more))
        assert found > start + timedelta(seconds=more)
        assert ((found - start) / timedelta(seconds=seconds)).is_integer()


def test_after_a_clock_was_set_back_by_a_year_the_next_time_is_within_an_interval():
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=365)
    assert start < _Beat(60.0, NOW).get_next_fire_time(None, start) <= start + timedelta(seconds=60)


async def test_a_schedule_scans_what_shares_a_destination_in_one_beat_again_and_again():
    made = plan((0, 0), (1, 0), (2, 0), (3, 1), seconds=0.2)
    work = Work()
    work.changes = False
    async with running(made, work) as schedule:
        await until(lambda: len(work.scans) >= 4)
        for _ in range(5):
            count = len(work.scans)
            await until(lambda: len(work.scans) > count)  # noqa: B023 - it is asked at once
            times = {schedule.next_due(what) for what in (*IMAGES[:3], BRANCHES[0])}
            assert len(times) <= 2  # of those that are due now the first may have had its turn
            assert schedule.next_due(IMAGES[3]) not in times
            await asyncio.sleep(0.02)
