"""One line that several pull requests would change: one of them at most does, and the others say which one."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.flows.fleet import Status
from tests.flows.test_proposal_life import pull
from tests.flows.test_proposals import FILE, Proposing, proposing
from updater.daemon.assembly import start_generation
from updater.daemon.process import Process
from updater.model.subscription import Origin
from updater.sources.file import load

OLDER, NEWER = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


@pytest.fixture
async def life(tmp_path):
    async with proposing(tmp_path, "github", "lost", "{}") as made:
        made.push("1.1.0")
        yield made


def contest(life: Proposing, key: str = "rival", place: str = "marker: ns:app") -> None:
    """Let a second subscription write the line of app by a pull request of its own."""
    life.fleet.add(key, place)
    text = life.fleet.subscriptions[-1].replace("branch: main", "branch: main, proposal: {}").replace(f"o/{key}", "o/app")
    life.fleet.subscriptions[-1] = text


@asynccontextmanager
async def asked(life: Proposing, **since: str):
    """A generation whose subscriptions were asked for by objects, each made at the time given for its key."""
    loaded = load([life.fleet.configure()], dict(os.environ))
    items = (
        replace(item, origin=Origin(kind="Application", name=item.key, since=since[item.key]))
        for item in loaded.snapshot.subscriptions
        if item.key in since
    )
    loaded = replace(loaded, snapshot=replace(loaded.snapshot, subscriptions=tuple(items)))
    async with Process(life.fleet.state) as process:
        generation = await start_generation(loaded, process)
        generation.take_over()
        yield generation


async def ends(generation) -> dict:
    landings = await generation.once(generation.subscriptions, is_dry=False)
    return {outcome.key: outcome for landing in landings for outcome in landing.outcomes}


def short(found) -> dict:
    return {key: (end.status, end.code) for key, end in found.items()}


@pytest.mark.parametrize("place", ["marker: ns:app", "kustomize: {path: apps/web, name: app}"])
async def test_two_of_one_file_that_propose_the_same_line_are_both_refused_and_neither_is_proposed(life, place):
    text = f"images:\n  - name: app\n    newName: {life.fleet.registry.host}/o/app\n    newTag: 1.0.0\n"
    life.fleet.repository.commit({"apps/web/kustomization.yaml": text.encode()})
    life.fleet.subscriptions[-1] = life.fleet.subscriptions[-1].replace("marker: ns:app", place)
    contest(life, place=place)
    found = await life.fleet.once()
    assert short(found) == {"app": (Status.FAILED, "conflict"), "rival": (Status.FAILED, "conflict")}
    assert "is also written by rival" in found["app"].detail
    assert "is also written by app" in found["rival"].detail
    assert (life.forge.pulls, life.head("updater/main/app"), life.head("updater/main/rival")) == ([], None, None)


async def test_the_older_of_two_objects_proposes_a_line_and_the_other_one_says_so_whoever_lands_first(life):
    contest(life)
    for _ in range(2):
        async with asked(life, app=NEWER, rival=OLDER) as generation:
            found = await ends(generation)
            assert short(found) == {"app": (Status.FAILED, "conflict"), "rival": (Status.PROPOSED, None)}
            assert f"{FILE}:2 is also written by rival; rival keeps it" in found["app"].detail
    assert [item.branch for item in life.forge.opened()] == ["updater/main/rival"]


async def test_a_subscription_that_comes_later_and_keeps_the_line_has_the_pull_request_of_the_other_one_closed(life):
    contest(life)
    async with asked(life, app=NEWER) as generation:
        assert (await ends(generation))["app"].status is Status.PROPOSED
    async with asked(life, app=NEWER, rival=OLDER) as generation:
        found = await ends(generation)
        assert short(found) == {"app": (Status.FAILED, "conflict"), "rival": (Status.PROPOSED, None)}
    assert (pull(life).state, pull(life).merged, len(pull(life).comments)) == ("closed", False, 1)
    assert [item.branch for item in life.forge.opened()] == ["updater/main/rival"]
    async with asked(life, app=NEWER) as generation:
        assert (await ends(generation))["app"].status is Status.PROPOSED
    assert "updater/main/app" in [item.branch for item in life.forge.opened()]


async def test_what_a_new_snapshot_asks_for_is_contested_at_once_and_no_longer_once_it_is_gone(life):
    contest(life)
    async with asked(life, app=NEWER, rival=OLDER) as generation:
        both = generation.asked.snapshot
        mine = replace(both, subscriptions=tuple(item for item in both.subscriptions if item.key == "app"))
        generation._replan(generation.asked.take("file", mine))
        assert short(await ends(generation)) == {"app": (Status.PROPOSED, None)}
        generation._replan(generation.asked.take("file", both))
        assert short(await ends(generation))["app"] == (Status.FAILED, "conflict")
        generation._replan(generation.asked.take("file", mine))
        assert short(await ends(generation)) == {"app": (Status.PROPOSED, None)}


async def test_lines_beside_each_other_are_no_conflict(life):
    host = life.fleet.registry.host
    life.fleet.repository.commit(
        {
            FILE: f'a: {host}/o/app:1.0.0 # {{"$imagepolicy": "ns:app"}}\n'
            f'b: {host}/o/app:1.0.0 # {{"$imagepolicy": "ns:rival"}}\n'.encode()
        }
    )
    contest(life, place="marker: ns:rival")
    assert short(await life.fleet.once()) == {"app": (Status.PROPOSED, None), "rival": (Status.PROPOSED, None)}


async def test_nothing_is_read_beside_where_no_two_can_meet(life):
    contest(life, place="marker: ns:rival")
    life.fleet.repository.commit({"apps/rival.yaml": life.fleet.file(FILE).replace("ns:app", "ns:rival").encode()})
    async with life.fleet.opened() as generation:
        targets, read = generation.components.git.targets, []
        as_ever = targets.read

        async def counted(*given, way=None):
            read.append(way)
            return await as_ever(*given, way=way)

        targets.read = counted
        assert {end.status for end in (await ends(generation)).values()} == {Status.PROPOSED}
        assert set(read) == {None}
