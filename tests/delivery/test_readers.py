"""What readers make of objects, kind by kind; and what they never say, whatever an object holds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.delivery.objects import ALL, BEFORE, CANARY, COMMIT, DEPLOYMENT, NEW, OLD, conditions, merged, metadata, template
from updater.delivery.agents import read_application, read_helm_release, read_kustomization
from updater.delivery.canaries import read_canary
from updater.delivery.rollouts import GENERATION, read_rollout
from updater.delivery.state import LONGEST, health_of
from updater.delivery.workloads import read_daemon_set, read_deployment, read_stateful_set
from updater.model.image import parse_ref
from updater.model.release import ReleaseVerdict

IMAGE = parse_ref(NEW)
SINCE = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
PRIMARY = merged(DEPLOYMENT, {"metadata": {"name": "shop-primary"}})


def canary(item):
    return read_canary(item, target=DEPLOYMENT, primary=PRIMARY, since=SINCE)


READERS = {
    "Deployment": read_deployment,
    "StatefulSet": read_stateful_set,
    "DaemonSet": read_daemon_set,
    "Rollout": read_rollout,
    "Canary": canary,
    "Application": lambda item: read_application(item, {COMMIT}, IMAGE),
    "Kustomization": lambda item: read_kustomization(item, {COMMIT}),
    "HelmRelease": lambda item: read_helm_release(item, IMAGE),
}


def read(kind, change=(), image=IMAGE):
    return health_of(READERS[kind](merged(ALL[kind], dict(change))), image)


def status(**fields):
    return {"status": fields}


@pytest.mark.parametrize("kind", sorted(ALL))
def test_what_runs_the_image_and_is_up_is_healthy(kind):
    found = read(kind)
    assert (found.verdict, found.is_applied, found.is_busy) == (ReleaseVerdict.HEALTHY, True, False), found.reason


CASES = [
    ("Deployment", {"metadata": {"generation": 3}}, "progressing", "has not seen"),
    ("Deployment", status(observedGeneration="2"), "progressing", "has not seen"),
    ("Deployment", status(observedGeneration=None), "progressing", "has not seen"),
    ("Deployment", status(updatedReplicas=1), "progressing", "1 of 2 replicas are updated"),
    ("Deployment", status(updatedReplicas=None), "progressing", "0 of 2 replicas are updated"),
    ("Deployment", status(replicas=3), "progressing", "1 old replicas"),
    ("Deployment", status(availableReplicas=1), "progressing", "1 of 2 replicas are available"),
    ("Deployment", {"spec": {"paused": True}}, "progressing", "paused"),
    ("Deployment", {"spec": {"replicas": 0}}, "unknown", "scaled to zero"),
    ("Deployment", {"spec": {"template": template("nginx:1")}}, "unknown", "does not use"),
    ("Deployment", {"spec": {"template": template(OLD)}}, "progressing", "still asks for"),
    (
        "Deployment",
        {"status": conditions(("Progressing", "False", "ProgressDeadlineExceeded", "timed out"))},
        "bad",
        "ProgressDeadlineExceeded: timed out",
    ),
    ("Deployment", {"status": conditions(("Progressing", "False", "DeploymentPaused"))}, "healthy", ""),
    ("StatefulSet", status(currentRevision="shop-1"), "progressing", "are updated"),
    ("StatefulSet", status(readyReplicas=1), "progressing", "1 of 2 replicas are ready"),
    ("StatefulSet", {"spec": {"updateStrategy": {"type": "OnDelete"}}}, "unknown", "OnDelete"),
    ("StatefulSet", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}}, "progressing", "partition"),
    ("DaemonSet", status(updatedNumberScheduled=2), "progressing", "2 of 3 pods are updated"),
    ("DaemonSet", status(numberAvailable=2), "progressing", "2 of 3 pods are available"),
    ("DaemonSet", status(desiredNumberScheduled=0), "unknown", "no node"),
    ("Rollout", {"metadata": {"generation": 3}}, "progressing", "has not seen"),
    ("Rollout", status(observedGeneration=2), "progressing", "has not seen"),
    ("Rollout", status(phase="Paused", abort=True, message="RolloutAborted: x"), "bad", "RolloutAborted: x"),
    ("Rollout", status(phase="Degraded", message="RolloutAborted: y", stableRS="old"), "bad", "RolloutAborted: y"),
    ("Rollout", status(phase="Healthy", stableRS="old"), "progressing", "under way"),
    ("Rollout", status(phase="Healthy", currentPodHash=None, stableRS=None), "progressing", "under way"),
    (
        "Rollout",
        status(phase="Paused", stableRS="old", currentStepIndex=1, pauseConditions=[{"reason": "CanaryPauseStep"}]),
        "progressing",
        "it is paused: CanaryPauseStep",
    ),
    ("Rollout", status(phase="Paused", stableRS="old", controllerPause=True), "progressing", "paused"),
    ("Rollout", {"spec": {"paused": True}, "status": {"phase": "Paused"}}, "progressing", "by a person"),
    ("Rollout", {"status": conditions(("InvalidSpec", "True", "InvalidSpec", "no steps"))}, "bad", "no steps"),
    (
        "Rollout",
        {"status": {"phase": "Progressing", **conditions(("Progressing", "False", "ProgressDeadlineExceeded"))}},
        "bad",
        "",
    ),
    ("Rollout", status(phase=7), "unknown", "not known"),
    ("Canary", status(phase="Progressing"), "progressing", "Flagger says Progressing"),
    ("Canary", status(phase="Failed"), "healthy", "the primary runs it"),
    ("Canary", status(phase="Terminated"), "unknown", "Terminated"),
    ("Canary", status(phase=None), "unknown", "not known"),
    ("Application", status(sync={"status": "Synced", "revision": BEFORE}), "progressing", "before the commit"),
    ("Application", status(sync={"status": "OutOfSync"}), "progressing", "OutOfSync"),
    ("Application", status(sync={"status": "Synced", "revision": None, "revisions": [BEFORE, COMMIT]}), "healthy", ""),
    ("Application", status(health={"status": "Degraded", "message": "crash"}), "bad", "Degraded: crash"),
    ("Application", status(health={"status": "Suspended"}), "progressing", "Suspended"),
    ("Application", status(health="Healthy"), "unknown", "not known"),
    ("Application", status(summary={"images": []}), "unknown", "does not list it"),
    ("Application", status(summary={"images": [OLD]}), "unknown", "does not list it"),
    ("Application", status(operationState={"phase": "Running"}), "progressing", "a sync is running"),
    ("Application", status(operationState={"phase": "Failed", "message": "denied"}), "bad", "the sync failed: denied"),
    ("Kustomization", {"metadata": {"generation": 3}}, "progressing", "has not seen"),
    ("Kustomization", {"spec": {"wait": False}}, "unknown", "without wait"),
    ("Kustomization", {"spec": {"suspend": True}}, "unknown", "suspended"),
    ("Kustomization", status(lastAppliedRevision=f"main@sha1:{BEFORE}"), "progressing", ""),
    ("Kustomization", {"status": conditions(("Ready", "False", "HealthCheckFailed", "x"))}, "unknown", "HealthCheckFailed"),
    ("Kustomization", {"status": conditions(("Ready", "False", "BuildFailed", "no such file"))}, "bad", "no such file"),
    ("HelmRelease", {"metadata": {"generation": 3}}, "progressing", "has not seen"),
    ("HelmRelease", {"spec": {"values": {"image": {"tag": "1.0.0"}}}}, "progressing", "do not name 1.1.0"),
    ("HelmRelease", {"status": conditions(("Ready", "False", "UpgradeFailed", "timed out"))}, "bad", "timed out"),
    ("HelmRelease", {"status": conditions(("Ready", "Unknown", "Progressing"))}, "progressing", ""),
]


@pytest.mark.parametrize(("kind", "change", "verdict", "words"), CASES)
def test_each_state_of_a_kind_has_its_verdict_and_says_why(kind, change, verdict, words):
    found = read(kind, change)
    assert (found.verdict.value, words in found.reason) == (verdict, True), found


@pytest.mark.parametrize("kind", ["Application", "Kustomization"])
def test_what_was_tried_and_not_applied_is_bad_and_not_applied(kind):
    changes = {
        "Application": status(operationState={"phase": "Error", "syncResult": {"revision": COMMIT}}),
        "Kustomization": {"status": conditions(("Ready", "False", "BuildFailed"))},
    }
    found = read(kind, changes[kind])
    assert (found.verdict, found.is_applied) == (ReleaseVerdict.BAD, False)


def test_a_rollout_that_is_under_way_is_busy_and_one_that_was_aborted_is_not():
    assert read("Rollout", status(phase="Paused", stableRS="old")).is_busy
    assert read("Rollout", {"metadata": {"generation": 3}}).is_busy
    assert not read("Rollout", status(phase="Degraded", stableRS="old", abort=True)).is_busy


def test_a_rollout_of_a_referenced_workload_is_judged_by_that_ones_template_and_generation():
    change = {
        "metadata": {"annotations": {GENERATION: "7"}},
        "spec": {"template": None, "workloadRef": {"kind": "Deployment", "name": "shop"}},
        "status": {"workloadObservedGeneration": "7"},
    }
    item = merged(ALL["Rollout"], change)
    assert health_of(read_rollout(item, DEPLOYMENT), IMAGE).verdict is ReleaseVerdict.HEALTHY
    assert health_of(read_rollout(item, None), IMAGE).verdict is ReleaseVerdict.UNKNOWN
    stale = merged(item, status(workloadObservedGeneration="6"))
    assert health_of(read_rollout(stale, DEPLOYMENT), IMAGE).verdict is ReleaseVerdict.PROGRESSING


def test_success_of_the_canary_before_says_nothing_of_a_change_that_flagger_has_not_seen():
    primary = merged(PRIMARY, {"spec": {"template": template(OLD)}})
    found = health_of(read_canary(CANARY, target=DEPLOYMENT, primary=primary, since=SINCE), IMAGE)
    assert (found.verdict, found.reason) == (ReleaseVerdict.PROGRESSING, "Flagger has not seen the change yet")


def test_a_failed_canary_is_bad_once_its_phase_began_after_the_release_and_names_what_the_primary_runs():
    primary = merged(PRIMARY, {"spec": {"template": template(OLD)}})
    failed = merged(CANARY, status(phase="Failed"))
    state = read_canary(failed, target=DEPLOYMENT, primary=primary, since=SINCE)
    assert (health_of(state, IMAGE).verdict, state.kept[0]) == (ReleaseVerdict.BAD, OLD)
    before = merged(failed, status(lastTransitionTime="2026-03-01T10:59:59Z"))
    again = health_of(read_canary(before, target=DEPLOYMENT, primary=primary, since=SINCE), IMAGE)
    assert again.verdict is ReleaseVerdict.PROGRESSING


def test_a_failed_canary_whose_target_is_back_at_what_the_primary_runs_is_as_well_as_the_primary():
    """Flagger begins no canary for what it promoted last, and goes on to say Failed."""
    failed = merged(CANARY, status(phase="Failed", lastTransitionTime="2026-03-01T10:59:59Z"))
    assert (
        health_of(read_canary(failed, target=DEPLOYMENT, primary=PRIMARY, since=SINCE), IMAGE).verdict is ReleaseVerdict.HEALTHY
    )
    starting = merged(PRIMARY, {"status": {"availableReplicas": 0}})
    found = health_of(read_canary(failed, target=DEPLOYMENT, primary=starting, since=SINCE), IMAGE)
    assert (found.verdict, found.reason.startswith("the primary asks for it")) == (ReleaseVerdict.PROGRESSING, True)


def test_a_digest_decides_where_both_sides_have_one_and_else_the_tag():
    first, second = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    pinned = {"spec": {"template": template(f"{NEW}@{first}")}}
    assert read("Deployment", pinned, parse_ref(f"{NEW}@{first}")).verdict is ReleaseVerdict.HEALTHY
    assert read("Deployment", pinned, parse_ref(f"{NEW}@{second}")).verdict is ReleaseVerdict.PROGRESSING
    assert read("Deployment", {}, parse_ref(f"{NEW}@{first}")).verdict is ReleaseVerdict.HEALTHY
    assert read("Deployment", pinned, IMAGE).verdict is ReleaseVerdict.HEALTHY


def test_a_giant_message_is_cut_and_control_characters_are_shown():
    told = conditions(("Progressing", "False", "ProgressDeadlineExceeded", "\x1b[31m" + "x" * 1_000_000))
    found = read("Deployment", {"status": told})
    assert found.verdict is ReleaseVerdict.BAD
    assert "\x1b" not in found.reason
    assert len(found.reason) < 3 * LONGEST


ODD = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def paths(item, above=()):
    for key, value in item.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from paths(value, (*above, key))


def put(item, path, value):
    made = merged(item, {})
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return made


@settings(max_examples=400, deadline=None)
@given(data=st.data(), kind=st.sampled_from(sorted(ALL)), value=ODD)
def test_an_object_with_anything_at_any_place_is_read_without_an_error(data, kind, value):
    path = data.draw(st.sampled_from(sorted(paths(ALL[kind]))))
    found = health_of(READERS[kind](put(ALL[kind], path, value)), IMAGE)
    assert found.reason


@pytest.mark.parametrize("kind", sorted(ALL))
@pytest.mark.parametrize("hostile", [{}, {"metadata": [], "spec": 7, "status": "x"}, {"status": {"conditions": {"a": 1}}}])
def test_an_object_without_what_it_should_have_is_never_healthy_and_never_bad(kind, hostile):
    assert health_of(READERS[kind](hostile), IMAGE).verdict in {ReleaseVerdict.PROGRESSING, ReleaseVerdict.UNKNOWN}


GENERATIONS = ["Deployment", "StatefulSet", "DaemonSet", "Rollout", "Kustomization", "HelmRelease"]


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(GENERATIONS), generation=st.integers(0, 9), observed=st.one_of(st.none(), st.integers(0, 9), ODD))
def test_nothing_is_healthy_while_its_status_is_of_another_generation(kind, generation, observed):
    wanted = str(generation) if kind == "Rollout" else generation
    seen = str(observed) if kind == "Rollout" and isinstance(observed, int) else observed
    item = merged(ALL[kind], {"metadata": metadata(generation=generation)})
    item["status"]["observedGeneration"] = seen
    if health_of(READERS[kind](item), IMAGE).verdict is ReleaseVerdict.HEALTHY:
        assert seen == wanted
        assert type(seen) is type(wanted)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(["Deployment", "StatefulSet", "DaemonSet", "Rollout"]),
    tag=st.from_regex(r"\A[a-z0-9][a-z0-9.-]{0,8}\Z"),
    change=st.dictionaries(st.sampled_from(["phase", "abort", "replicas", "updatedReplicas", "conditions"]), ODD, max_size=3),
)
def test_nothing_is_healthy_or_bad_for_an_image_that_it_does_not_ask_for(kind, tag, change):
    item = merged(ALL[kind], {"spec": {"template": template(f"{NEW.rpartition(':')[0]}:{tag}")}})
    item["status"] |= change
    found = health_of(READERS[kind](item), IMAGE)
    if tag != "1.1.0":
        assert found.verdict in {ReleaseVerdict.PROGRESSING, ReleaseVerdict.UNKNOWN}
        assert not found.is_applied
