"""A value that somebody sets back on a live Application stays: what was written is noted on the Application itself."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from tests.argocd.live.making import SHOP, Stage, helm, parameter, parts, staged, wanted
from updater.argocd.live.memory import WRITTEN, memory_steps, remembered
from updater.argocd.request.annotations import own_flaws, read_annotations
from updater.engine.landing import land
from updater.model.candidate import Candidate
from updater.model.decision import Readmission
from updater.model.gates import ChangeRate, GateRules
from updater.model.moments import rfc3339
from updater.model.outcome import Status
from updater.policies import build, build_filter
from updater.policies.choose import SelectionRequest, choose, drive


@pytest.fixture
async def stage(tmp_path):
    async with staged(tmp_path) as stage:
        yield stage


def choosing(writer, *tags):
    """Choose the highest of *tags* by the rules of the subscription."""

    async def chosen(item, written, *, needs_digest, rejected, named):
        request = SelectionRequest(
            candidates={tag: Candidate(tag=tag) for tag in tags},
            policy=build(item.policy),
            name_filter=build_filter(item.filter),
            current=written.tag,
            rejected=rejected,
            decisions=item.decisions,
        )
        return drive(choose(request), lambda ask: ask.candidate)

    return replace(parts(writer), choose=chosen)


async def landed(stage: Stage, *tags, item=None, afresh=True):
    """Land with a writer that remembers nothing, as after a restart."""
    writer = Stage(stage.server, stage.writer._client).writer if afresh else stage.writer
    (outcome,) = (await land(SHOP, [item or wanted()], choosing(writer, *tags))).outcomes
    return outcome


async def set_back(stage, tag):
    item = stage.item()
    annotations = item["metadata"].get("annotations", {})
    await stage.put(helm(parameter("image.tag", tag)), metadata={"annotations": annotations})


async def test_a_value_that_somebody_sets_back_stays_also_after_a_restart_until_something_newer_comes(stage):
    await stage.put(helm(parameter("image.tag", "1.0.0")))
    assert (await landed(stage, "1.0.0", "1.2.0")).status is Status.UPDATED
    await set_back(stage, "1.0.0")
    for afresh in (False, True):
        end = await landed(stage, "1.0.0", "1.1.0", "1.2.0", afresh=afresh)
        assert (end.status, end.code) == (Status.HELD, "rejected")
        assert end.detail.startswith("1.2.0, which updater wrote, was replaced by hand with 1.0.0")
        assert "write-back-method: git" in end.hint
    assert stage.source["helm"]["parameters"][0]["value"] == "1.0.0"
    assert (await landed(stage, "1.0.0", "1.2.0", "1.3.0")).status is Status.UPDATED


def noted(stage):
    return json.loads(stage.item()["metadata"]["annotations"][WRITTEN])


async def test_changes_are_counted_on_the_application_itself_so_that_no_restart_forgets_them(stage):
    await stage.put(helm(parameter("image.tag", "1.0.0")))
    item = replace(wanted(), gates=GateRules(max_changes=ChangeRate(count=2, seconds=3600.0)))
    for tag, written_at in (("1.1.0", 0.0), ("1.2.0", time.time() - 60), ("1.3.0", None)):
        assert (await landed(stage, tag, item=item)).status is Status.UPDATED
        if written_at is not None:  # let time pass
            kept = stage.item()
            rows = {key: row | {"at": rfc3339(written_at)} for key, row in noted(stage).items()}
            await stage.put(kept["spec"], metadata={"annotations": {WRITTEN: json.dumps(rows)}})
    end = await landed(stage, "1.4.0", item=item)
    assert (end.status, end.code) == (Status.HELD, "max-changes")
    assert "2 changes were written within the limit of 2/h" in end.detail


def test_what_was_noted_by_somebody_else_counts_for_nothing_and_breaks_nothing():
    row = {"image": "ghcr.io/o/web:1.0", "old": "-", "new": "1.0", "at": "2026-01-01T00:00:00Z", "place": "x"}
    for before in ("x", [None, True, "2026", 1e300, -(10**30)], {"a": 1}, [[1]]):
        item = {"metadata": {"annotations": {WRITTEN: json.dumps({"shop/web": row | {"before": before}})}}}
        assert [past.images for past in remembered(item)] == [("ghcr.io/o/web:1.0",)]


async def test_a_newer_value_that_somebody_sets_is_no_rejection(stage):
    await stage.put(helm(parameter("image.tag", "1.0.0")))
    await landed(stage, "1.1.0")
    await set_back(stage, "1.2.0")
    assert (await landed(stage, "1.1.0", "1.2.0", "1.3.0")).status is Status.UPDATED


async def test_a_released_value_is_written_again(stage):
    await stage.put(helm(parameter("image.tag", "1.0.0")))
    await landed(stage, "1.0.0", "1.1.0")
    await set_back(stage, "1.0.0")
    (past,) = remembered(stage.item())
    released = replace(wanted(), decisions=(Readmission(key="app", revisions=frozenset({past.revision})),))
    assert (await landed(stage, "1.0.0", "1.1.0", item=released)).status is Status.UPDATED
    again, *_ = remembered(stage.item())  # one before it, where the clock has moved to another second
    assert again.images == past.images


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"app": 7}',
        '{"app": {"image": 1}}',
        "x" * 200_000,
        '{"app":{"image":"x","old":"a","new":"b","at":"never","place":"p"}}',
    ],
)
async def test_a_note_that_cannot_be_read_says_nothing_and_is_made_anew(stage, text):
    await stage.put(helm(parameter("image.tag", "1.0.0")), metadata={"annotations": {WRITTEN: text, "other": "kept"}})
    assert remembered(stage.item()) == ()
    assert (await landed(stage, "1.0.0", "1.1.0")).status is Status.UPDATED
    annotations = stage.item()["metadata"]["annotations"]
    assert json.loads(annotations[WRITTEN])["app"]["new"] == "1.1.0"
    assert annotations["other"] == "kept"


def test_nothing_is_noted_where_nothing_was_written():
    assert memory_steps({}, [], 0.0) == []


def test_the_note_is_no_setting_that_people_misspelt():
    assert read_annotations({WRITTEN: "{}"}).flaws == ()
    assert own_flaws({WRITTEN: "{}"}, {"web"}) == []
