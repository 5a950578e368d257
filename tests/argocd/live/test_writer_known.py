"""Looks at live Applications that a watch keeps: nobody is asked, and a watch that is behind misleads nobody."""

from __future__ import annotations

import pytest

from tests.argocd.live.making import helm, parameter, wanted
from updater.argocd.cluster.pruning import prune_application
from updater.argocd.live.writer import APPLICATION, ApplicationWriter
from updater.controller.objects import Sharing
from updater.model.outcome import Status


class Kept:
    """What a watch keeps: as of the last `tell`, and the same object while it is equal."""

    def __init__(self, stage):
        self.stage, self.item = stage, None

    def tell(self):
        found = prune_application(self.stage.item(), Sharing())
        if found != self.item:
            self.item = found

    def __call__(self, _application):
        return self.item


@pytest.fixture
async def kept(stage):
    await stage.put(helm(parameter("image.tag", "1.0.0")), status={"health": "progressing"})
    kept = Kept(stage)
    kept.tell()
    counted = stage.counted.append
    stage.writer = ApplicationWriter(stage.writer._client, known=kept, count=lambda name, label: counted((name, label)))
    return kept


async def test_a_look_at_what_is_watched_asks_nobody_and_reads_once(stage, kept):
    for _ in range(3):
        assert (await stage.end(tag="1.0.0")).status is Status.UNCHANGED
    await stage.touch(health="fine")
    kept.tell()
    assert (await stage.end(tag="1.0.0")).status is Status.UNCHANGED
    assert stage.server.asked == []
    assert stage.counted == [("updater_looks_total", "read"), *[("updater_looks_total", "same")] * 3]


async def test_other_subscriptions_of_the_same_object_are_read_anew(stage, kept):
    await stage.end(tag="1.0.0")
    await stage.end(wanted(key="other"), tag="1.0.0")
    assert [label for _, label in stage.counted] == ["read", "read"]


async def test_a_watch_that_has_not_told_of_our_write_yet_does_not_make_us_write_again(stage, kept):
    assert (await stage.end()).status is Status.UPDATED
    assert (await stage.end()).status is Status.UNCHANGED
    assert len(stage.patches) == 1
    kept.tell()
    asked = len(stage.server.asked)
    assert (await stage.end()).status is Status.UNCHANGED
    assert len(stage.server.asked) == asked


async def test_a_value_that_a_person_changed_unseen_by_the_watch_is_decided_again(stage, kept):
    """The place says 2.0.0, which nobody looked at: what was decided for 1.0.0 is not written over it unseen."""
    await stage.put(helm(parameter("image.tag", "2.0.0")))
    landing = await stage.land()
    assert landing.replays == 1
    assert landing.outcomes[0].changes[0].old == "2.0.0"


async def test_what_is_watched_but_gone_is_said_and_not_made_again(stage, kept):
    await stage.server.remove(APPLICATION, "shop", "argocd")
    outcome = await stage.end()
    assert (outcome.status, outcome.code) == (Status.FAILED, "application-gone")


async def test_one_that_is_being_deleted_is_gone_also_by_the_watch(stage, kept):
    await stage.put(helm(parameter("image.tag", "1.0.0")), metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    kept.tell()
    outcome = await stage.end()
    assert (outcome.status, outcome.code) == (Status.FAILED, "application-gone")
    assert stage.server.asked == []
