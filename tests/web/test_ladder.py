"""What the picture of a version ladder promises: every tag, in time as far as it is known, and no label over another."""

from __future__ import annotations

from itertools import combinations

from tests.web.shown import step
from updater.web.detail import Standing
from updater.web.page.ladder import WIDTH, picture_of


def test_nothing_to_draw_is_no_picture():
    assert picture_of(()) is None


def test_tags_stand_in_time_and_those_without_a_moment_before_them():
    picture = picture_of((step("3", hours=1), step("2", hours=10), step("1", hours=91), step("old"), step("older")))
    places = {mark.step.tag: mark.x for mark in picture.marks}
    assert sorted(places, key=places.get) == ["older", "old", "1", "2", "3"]
    assert (places["2"] - places["1"]) / (places["3"] - places["1"]) == 0.9
    assert picture.ticks[0].x == places["1"]
    assert picture.ticks[-1].x == places["3"]


def test_without_moments_tags_stand_in_order():
    picture = picture_of((step("3"), step("2"), step("1", hours=1)))
    assert picture.ticks == ()
    assert [mark.step.tag for mark in picture.marks] == ["1", "2", "3"]


def test_a_lane_is_drawn_for_each_way_of_standing_that_there_is():
    picture = picture_of((step("2", Standing.CHOSEN), step("1", Standing.REJECTED)))
    assert [name for name, _ in picture.lanes] == ["chosen", "rejected"]


def test_labels_do_not_cover_one_another_and_what_counts_has_one():
    tags = [step(f"1.0.{number}-build.{number}", hours=1 + number / 10) for number in range(199)]
    picture = picture_of((step("9.0.0", Standing.CHOSEN, hours=0.5, is_written=True), *tags))
    assert all(0 <= mark.x <= WIDTH for mark in picture.marks)
    labels = [mark for mark in picture.marks if mark.label]
    assert "9.0.0" in {mark.label for mark in labels}
    for one, other in combinations(labels, 2):
        if one.y == other.y:
            assert abs(one.x - other.x) > 7 * min(len(one.label), len(other.label)) / 2
