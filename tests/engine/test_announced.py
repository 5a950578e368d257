"""Webhooks that work make scans rarer; one that was missed, or a long silence, ends that."""

from __future__ import annotations

import pytest

from updater.engine.announced import AHEAD, LONGEST_SILENCE, AnnouncedImages
from updater.inventory.plan import Plan
from updater.model.image import parse_name
from updater.model.scan_key import ScanKey

APP, WEB, OTHER = (ScanKey(parse_name(name), None) for name in ("r.example/app", "r.example/web", "other.example/app"))
PLAN = Plan(images={APP: 60.0, WEB: 60.0, OTHER: 7200.0}, destinations={}, waiting={})


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def announced(clock):
    return AnnouncedImages(3600.0, clock=clock)


def test_without_the_setting_and_without_a_webhook_the_plan_is_the_same_object(announced):
    assert announced.stretched(PLAN, ()) is PLAN
    off = AnnouncedImages(None)
    assert not off.hear([APP])
    assert off.stretched(PLAN, ()) is PLAN


def test_only_images_that_a_webhook_named_are_scanned_less_often_and_never_more_often(announced):
    assert announced.hear([APP, OTHER])
    assert not announced.hear([APP])
    assert announced.stretched(PLAN, ()).images == {APP: 3600.0, WEB: 60.0, OTHER: 7200.0}


def test_images_whose_interval_others_rely_on_keep_it(announced):
    announced.hear([APP])
    assert announced.stretched(PLAN, {APP}).images[APP] == 60.0


def test_a_change_that_no_webhook_told_of_ends_it_for_the_registry_until_the_next_webhook(announced, clock):
    announced.hear([APP, WEB, OTHER])
    clock.now += AHEAD + 1
    assert not announced.scanned(APP, has_changed=False)
    assert announced.scanned(APP, has_changed=True)
    assert announced.stretched(PLAN, ()).images == PLAN.images
    assert len(announced) == 1
    assert announced.hear([WEB])
    assert announced.stretched(PLAN, ()).images[WEB] == 3600.0


def test_a_change_that_a_webhook_told_of_a_moment_ago_is_what_it_is_for(announced, clock):
    announced.hear([APP])
    clock.now += 3
    assert not announced.scanned(APP, has_changed=True)
    assert announced.stretched(PLAN, ()).images[APP] == 3600.0


def test_a_registry_that_is_silent_for_a_day_is_not_believed(announced, clock):
    announced.hear([APP])
    clock.now += LONGEST_SILENCE - 1
    announced.hear([WEB])
    clock.now += 2
    assert not announced.scanned(APP, has_changed=False)
    clock.now += LONGEST_SILENCE
    assert announced.scanned(APP, has_changed=False)
    assert announced.stretched(PLAN, ()).images == PLAN.images


def test_what_is_not_listed_any_more_is_forgotten(announced):
    announced.hear([APP, ScanKey(parse_name("r.example/gone"), None)])
    announced.stretched(PLAN, ())
    assert len(announced) == 1
