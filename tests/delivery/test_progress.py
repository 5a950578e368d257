"""How far a canary has come, as Argo Rollouts and Flagger say it; and what they cannot make a reader say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.delivery.objects import CANARY, DEPLOYMENT, OLD, ROLLOUT, merged, template
from tests.delivery.test_following import NAME, Story
from updater.controller.objects import Sharing
from updater.delivery.kinds import KINDS, prune_followed
from updater.delivery.progress import MOST_SHOWN
from updater.delivery.rollouts import read_rollout
from updater.model.progress import Progress
from updater.model.report import ReleaseJudged, ReleaseProgressed

STEPS = [
    {"setWeight": 20},
    {"pause": {}},
    {"setWeight": 60},
    {"pause": {"duration": 30}},
    {"analysis": {"templates": [{"templateName": "success"}]}},
]
PLAN = ("set weight 20", "pause until promoted", "set weight 60", "pause 30s", "analysis")


def rollout(index, phase="Progressing", *, canary=None, **status):
    """Return a Rollout in the middle of an update, as it is kept."""
    strategy = {"canary": {"steps": STEPS, **(canary or {})}}
    moving = {"phase": phase, "stableRS": "old", "currentStepIndex": index, **status}
    return kept("Rollout", merged(ROLLOUT, {"spec": {"strategy": strategy}, "status": moving}))


def canary(analysis, **status):
    """Return a Canary on which Flagger works, as it is kept."""
    moving = {"phase": "Progressing", **status}
    return kept("Canary", merged(CANARY, {"spec": {"analysis": analysis}, "status": moving}))


def kept(kind, item):
    return {**prune_followed(item, KINDS[kind], Sharing()), "kind": kind}


def of(kind, item):
    """Return what a release that is on its way says of its progress."""
    story = Story(workload=kind)
    if kind == "Canary":
        story.says(kept("Deployment", DEPLOYMENT))
    story.pushed()
    story.says(item)
    assert story.verdicts == ["progressing"]
    return story.progress[-1] if story.progress else None


def test_argo_rollouts_says_the_step_the_share_of_traffic_and_what_a_pause_waits_for():
    paused = rollout(1, "Paused", pauseConditions=[{"reason": "CanaryPauseStep"}])
    assert of("Rollout", paused) == Progress(step=2, steps=5, weight=20, words="paused until somebody promotes it", plan=PLAN)
    assert str(of("Rollout", paused)) == "step 2 of 5, 20 % of traffic: paused until somebody promotes it"


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (rollout(0), "step 1 of 5, 20 % of traffic: set weight 20"),
        (rollout(3, "Paused"), "step 4 of 5, 60 % of traffic: paused for 30s"),
        (rollout(4), "step 5 of 5, 60 % of traffic: analysis"),
        (rollout(5), "step 5 of 5: every step is done"),
        (rollout(3, canary={"steps": [{"pause": {"duration": "1h"}}] * 4}), "step 4 of 4, 0 % of traffic: pause 1h"),
        (
            rollout(4, "Paused", pauseConditions=[{"reason": "InconclusiveAnalysisRun"}]),
            "step 5 of 5, 60 % of traffic: paused: InconclusiveAnalysisRun",
        ),
        (
            rollout(2, canary={"trafficRouting": {"maxTrafficWeight": 1000}}),
            "step 3 of 5, 6 % of traffic: set weight 60",
        ),
    ],
    ids=["first", "pause", "analysis", "done", "no weight", "inconclusive", "of a thousand"],
)
def test_each_step_of_argo_rollouts_is_told_in_words(item, told):
    assert str(of("Rollout", item)) == told


def test_what_a_router_was_told_counts_more_than_what_the_step_asks_for():
    item = merged(rollout(2), {"status": {"canary": {"weights": {"canary": {"weight": 35}}}}})
    assert of("Rollout", kept("Rollout", item)).weight == 35


def test_a_blue_green_release_has_no_steps_and_says_that_it_waits_for_its_promotion():
    strategy = {"blueGreen": {"activeService": "a"}}
    status = {"phase": "Paused", "stableRS": "old", "pauseConditions": [{"reason": "BlueGreenPause"}]}
    item = kept("Rollout", merged(ROLLOUT, {"spec": {"strategy": strategy}, "status": status}))
    assert of("Rollout", item) == Progress(words="paused: BlueGreenPause")


@pytest.mark.parametrize(
    ("item", "told", "plan"),
    [
        (canary({"stepWeight": 20, "maxWeight": 50}, canaryWeight=0), "step 1 of 3, 0 % of traffic: Progressing", 3),
        (canary({"stepWeight": 20, "maxWeight": 50}, canaryWeight=40), "step 2 of 3, 40 % of traffic: Progressing", 3),
        (canary({"stepWeight": 25}, canaryWeight=100), "step 4 of 4, 100 % of traffic: Progressing", 4),
        (canary({"stepWeights": [1, 10, 80]}, canaryWeight=10), "step 2 of 3, 10 % of traffic: Progressing", 3),
        (
            canary({"iterations": 10, "threshold": 5}, iterations=3, canaryWeight=0, failedChecks=2),
            "step 3 of 10, 0 % of traffic: Progressing, 2 of 5 failed checks",
            0,
        ),
        (canary({"stepWeight": 25}, phase="Promoting", canaryWeight=50), "50 % of traffic: Promoting", 0),
        (canary({}, phase="Waiting"), "Waiting", 0),
    ],
    ids=["begin", "second", "last", "listed", "iterations", "promoting", "waiting"],
)
def test_flagger_says_the_step_the_share_of_traffic_and_how_many_checks_have_failed(item, told, plan):
    found = of("Canary", item)
    assert (str(found), len(found.plan)) == (told, plan)


def test_the_analysis_by_its_former_name_is_read_too():
    moving = {"phase": "Progressing", "canaryWeight": 25}
    item = kept("Canary", merged(CANARY, {"spec": {"canaryAnalysis": {"stepWeight": 25}}, "status": moving}))
    assert (of("Canary", item).step, of("Canary", item).steps) == (1, 4)


def test_a_thousand_steps_are_counted_and_not_shown_one_by_one():
    found = of("Rollout", rollout(500, canary={"steps": [{"setWeight": 1}] * 1000}))
    assert (found.step, found.steps, found.plan) == (501, 1000, ())
    assert len(of("Rollout", rollout(1, canary={"steps": [{"setWeight": 1}] * MOST_SHOWN})).plan) == MOST_SHOWN


def test_progress_is_reported_when_it_changes_and_ends_with_the_verdict():
    story = Story(workload="Rollout", settle=0.0)
    story.says(merged(ROLLOUT, {"spec": {"template": template(OLD)}}))
    story.pushed()
    for item in (rollout(0), rollout(0), rollout(1, "Paused"), rollout(1, "Paused"), rollout(2)):
        story.says(item, after=1)
    assert [found.step for found in story.progress] == [1, 2, 3]
    story.says(merged(ROLLOUT, {}), after=1)
    assert story.verdicts == ["progressing", "healthy"]


def test_a_canary_that_cannot_be_seen_any_more_is_told_without_progress():
    story = Story(workload="Rollout")
    story.says(rollout(0))
    story.pushed()
    story.says(rollout(1))
    story.known.lost.add("Rollout")
    story.follower.judge()
    assert [found and found.step for found in story.progress] == [2, None]


def test_what_another_image_does_is_no_progress_of_this_release():
    story = Story(workload="Rollout")
    story.pushed()
    story.says(merged(rollout(1), {"spec": {"template": template(f"{NAME}:0.9.0")}}))
    assert story.progress == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["setWeight", "pause", "duration", "steps", "weight", "stepWeight", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(strategy=JSON, analysis=JSON, status=st.dictionaries(st.sampled_from(sorted(KINDS["Rollout"].status)), JSON), numbers=JSON)
def test_objects_of_any_shape_are_read_and_break_nothing(strategy, analysis, status, numbers):
    spec = {"strategy": {"canary": strategy}, "template": template()}
    item = merged(ROLLOUT, {"spec": spec})
    item["status"].update(status)
    read_rollout(kept("Rollout", item))
    moving = {"phase": "Progressing", "canaryWeight": numbers, "iterations": numbers, "failedChecks": numbers}
    story = Story(workload="Canary")
    story.says(kept("Deployment", DEPLOYMENT))
    story.pushed()
    story.says(kept("Canary", merged(CANARY, {"spec": {"analysis": analysis}, "status": moving})))
    assert all(isinstance(report, ReleaseJudged | ReleaseProgressed) for report in story.heard)
