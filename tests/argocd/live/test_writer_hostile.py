"""Live Applications that something else keeps as they were: an app of apps, a person, an admission webhook."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.argocd.live.making import helm, parameter, wanted
from updater.argocd.live.reverted_writes import FIRST_PAUSE, LONGEST_PAUSE
from updater.argocd.live.writer import ApplicationWriter
from updater.model.outcome import Status

OLD = helm(parameter("image.tag", "1.0.0", forceString=True))


@pytest.fixture
def clock(stage):
    """Let the writer of the stage count by a clock that tests set."""
    time = [1000.0]
    stage.writer = ApplicationWriter(stage.writer._client, clock=lambda: time[0])
    return time


async def test_what_is_taken_back_is_not_written_again_and_again(stage, clock):
    await stage.put(OLD)
    assert (await stage.end()).status is Status.UPDATED
    for _ in range(10):
        await stage.put(OLD)
        clock[0] += 5
        outcome = await stage.end()
        assert (outcome.status, outcome.code) == (Status.FAILED, "undone")
        assert "write-back-method: git" in outcome.hint
    assert len(stage.patches) == 1


async def test_the_pause_grows_to_an_hour(stage, clock):
    await stage.put(OLD)
    writes = []
    for _ in range(24 * 60):
        if (await stage.end()).status is Status.UPDATED:
            writes.append(clock[0])
            await stage.put(OLD)
        clock[0] += 60
    pauses = [later - first for first, later in pairwise(writes)]
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert max(pauses) == LONGEST_PAUSE


async def test_a_newer_tag_is_written_at_once(stage, clock):
    await stage.put(OLD)
    await stage.end()
    await stage.put(OLD)
    assert (await stage.end(tag="1.2.0")).status is Status.UPDATED
    assert stage.source["helm"]["parameters"][0]["value"] == "1.2.0"


async def test_another_image_of_the_application_moves_meanwhile(stage, clock):
    await stage.put(OLD)
    await stage.end()
    await stage.put(helm(*OLD["source"]["helm"]["parameters"], parameter("side.tag", "1.0.0")))
    locator = wanted().targets[0].locator
    side = wanted(type(locator)(path="spec.source", tag="side.tag", section="helm"), key="side", image="ghcr.io/o/side")
    landing = await stage.land(wanted(), side)
    assert {item.key: item.status for item in landing.outcomes} == {"app": Status.FAILED, "side": Status.UPDATED}
    values = {item["name"]: item["value"] for item in stage.source["helm"]["parameters"]}
    assert values == {"image.tag": "1.0.0", "side.tag": "1.1.0"}


async def test_a_value_that_was_added_and_taken_out_is_taken_back_too(stage, clock):
    await stage.put(helm())
    await stage.end()
    await stage.put(helm())
    assert (await stage.end()).code == "undone"


async def test_a_dry_run_shows_what_would_move_all_the_same(stage, clock):
    await stage.put(OLD)
    await stage.end()
    await stage.put(OLD)
    assert (await stage.end(is_dry=True)).code == "dry-run"


async def test_an_application_with_very_many_parameters_is_read_and_written_beside_the_loop(stage, monkeypatch):
    """Whoever may write an Application decides how long its YAML is."""
    others = [parameter(f"other{number:04}.tag", "1.0.0") for number in range(1000)]
    small, large = OLD["source"]["helm"]["parameters"], [*others, *OLD["source"]["helm"]["parameters"]]
    await stage.put(helm(*large))
    assert (await stage.end()).status is Status.UPDATED
    assert stage.source["helm"]["parameters"][-1]["value"] == "1.1.0"
    monkeypatch.setattr("updater.http.offload.GIVEN_UP_AFTER", 0.0)  # what runs beside the loop is given up at once
    await stage.put(helm(*large))
    outcome = await stage.end()
    assert (outcome.status, outcome.code) == (Status.FAILED, "too-slow")
    await stage.put(helm(*small))
    stage.writer = ApplicationWriter(stage.writer._client)
    assert (await stage.end()).status is Status.UPDATED
