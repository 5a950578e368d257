"""Reverts of bad releases where the destination is published by pull request: what people say to them, and what gates do not."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from tests.flows.fleet import Status
from tests.flows.test_gates import START, WallClock
from tests.flows.test_proposal_holds import FREEZE, gate
from tests.flows.test_proposal_life import app, passes
from tests.flows.test_proposals import proposing
from updater.model.image import parse_ref
from updater.model.release import RevertOrder


@pytest.fixture(params=["github", "gitea"])
def kind(request):
    return request.param


def followed(life):
    sub = life.fleet.subscriptions[0]
    life.fleet.subscriptions[0] = sub.replace(
        "    targets:\n", "    delivery: {workload: Deployment/shop/web, on_bad: revert}\n    targets:\n", 1
    )


@asynccontextmanager
async def kept(tmp_path, kind, opts="{}", *, before=lambda life: None):
    async with proposing(tmp_path, kind, "lost", opts) as life:
        before(life)
        async with life.fleet.opened() as generation:
            life.generation = generation
            generation._process.reports.join(generation.delivery)
            yield life


def order(life, bad="1.1.0", good="1.0.0"):
    name = f"{life.fleet.registry.host}/o/app"
    found = RevertOrder(
        revision=life.fleet.repository.git("log", "--format=%H", "--grep=Updater-Image", "-1", "main").strip(),
        bad=parse_ref(f"{name}:{bad}"),
        good=parse_ref(f"{name}:{good}"),
        reason="it crashed",
    )
    life.generation._process.releases.orders["app"] = found


async def test_a_revert_that_people_closed_is_not_asked_for_again_and_newer_versions_go_on(tmp_path, kind):
    async with kept(tmp_path, kind, before=followed) as life:
        life.push("1.1.0")
        await life.land()
        life.forge.merge(1)
        await life.land()
        order(life)
        end = await life.land()
        assert (end.status, app(life), life.written("main")) == (Status.PROPOSED, "1.0.0", "1.1.0")
        life.forge.close(2)
        end = await life.land()
        assert (end.status, end.code) == (Status.HELD, "proposal-closed")
        life.push("1.2.0")
        end = await passes(life, 2)
        assert (end.status, app(life)) == (Status.PROPOSED, "1.2.0")


async def test_a_revert_is_merged_in_a_freeze_and_the_bad_version_does_not_come_back(tmp_path, kind):
    def before(life):
        followed(life)
        gate(life, FREEZE)
        life.fleet.wall = clock = WallClock()
        clock.now = START - 4 * 3600

    async with kept(tmp_path, kind, "{auto_merge: always}", before=before) as life:
        life.forge.rules.auto_merge = False
        life.push("1.1.0")
        await passes(life, 2)
        assert life.written("main") == "1.1.0"
        await life.land()
        life.fleet.wall.now = START
        life.push("1.2.0")
        await life.land()
        order(life)
        end = await life.land()
        assert (end.status, app(life)) == (Status.PROPOSED, "1.0.0")
        end = await life.land()
        assert (end.status, life.written("main")) == (Status.UPDATED, "1.0.0")
        end = await passes(life, 3)
        assert life.written("main") == "1.0.0", end
        assert life.forge.opened() == []


async def test_a_revert_takes_the_place_of_a_newer_version_that_is_open(tmp_path, kind):
    async with kept(tmp_path, kind, before=followed) as life:
        life.push("1.1.0")
        await life.land()
        life.forge.merge(1)
        await life.land()
        life.push("1.2.0")
        assert (await life.land()).status is Status.PROPOSED
        order(life)
        end = await life.land()
        assert (end.status, app(life), len(life.forge.opened())) == (Status.PROPOSED, "1.0.0", 1)
        life.forge.merge(2)
        end = await passes(life, 2)
        assert (life.written("main"), end.status) == ("1.0.0", Status.PROPOSED), end
        assert app(life) == "1.2.0"
