"""Promises of the answers to Flux's objects, kept on a server that speaks as an API server does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.fakes.kube import FakeKube
from tests.fakes.still_time import StillTime
from tests.flux.cluster.making import (
    COMMIT,
    NAMESPACE,
    ONE,
    START,
    TWO,
    WEB,
    at,
    automation,
    fault,
    landed,
    outcome,
    policy,
    reflected,
    repository,
    scanned,
    state,
    translation,
)
from updater.controller.objects import Sharing
from updater.controller.options import ControllerOptions
from updater.flux.cluster import heard
from updater.flux.cluster.feedback import FluxFeedback, FluxHooks, FluxState
from updater.flux.cluster.heard import FluxMemory
from updater.flux.cluster.policy_status import refs_in
from updater.flux.cluster.pruning import prune_object
from updater.flux.cluster.repository_status import summarize
from updater.flux.kinds import FINALIZER, IMAGE_POLICY, IMAGE_REPOSITORY, IMAGE_UPDATE_AUTOMATION
from updater.flux.request.requests import DigestReflection
from updater.http.client import HttpClient
from updater.kube.client import KubeClient
from updater.kube.events import EventRecorder
from updater.kube.kinds import EVENT, Ref
from updater.model.outcome import Status
from updater.model.problem import Problem
from updater.model.report import LandingEnd, TargetsRefused
from updater.model.subscription import FIXED, PolicySpec

REPOSITORY, POLICY, AUTOMATION = (
    Ref(kind, NAMESPACE, name)
    for kind, name in ((IMAGE_REPOSITORY, "web"), (IMAGE_POLICY, "web"), (IMAGE_UPDATE_AUTOMATION, "fleet"))
)
NAMES = ("repositories", "policies", "automations")
ALL = (REPOSITORY, POLICY, AUTOMATION)


@pytest.fixture
async def server():
    async with FakeKube() as server:
        for kind in (IMAGE_REPOSITORY, IMAGE_POLICY, IMAGE_UPDATE_AUTOMATION, EVENT):
            server.install(kind)
        yield server


@pytest.fixture
async def time():
    return StillTime(wall=START.timestamp())


class Stage:
    """Feedback over objects that the server has."""

    def __init__(self, server, client, time):
        self.server, self.changed, self.observed, self.may_write = server, 0, [], True
        around = time.surroundings()
        self.reported = []
        self.options = ControllerOptions(
            events=EventRecorder(client, component="updater", instance="updater-1", surroundings=around),
            may_write=lambda: self.may_write,
            report=lambda subject, error: self.reported.append((subject, error.code)),
            surroundings=around,
        )
        hooks = FluxHooks(changed=self.count, observe=lambda *values: self.observed.append(values))
        self.feedback = FluxFeedback(client, self.options, hooks)

    def count(self, _key):
        self.changed += 1

    async def know(self, found, *, generation=1, **metadata):
        """Put what *found* names on the server, each with the status that it has there, and let feedback know it."""
        kept = {IMAGE_REPOSITORY: {}, IMAGE_POLICY: {}, IMAGE_UPDATE_AUTOMATION: {}}
        for ref in refs_of(found):
            put = {"generation": generation, **metadata}
            await self.server.put(ref.kind, ref.name, ref.namespace, metadata=put, spec={}, status=self.status(ref))
            kept[ref.kind][ref.namespace, ref.name] = prune_object(self.read(ref), Sharing())
        return self.feedback.know(FluxState(**dict(zip(NAMES, kept.values(), strict=True)), translation=found))

    def read(self, ref):
        return self.server.read(ref.kind, ref.name, ref.namespace)

    def status(self, ref):
        found = self.read(ref)
        return (found or {}).get("status") or {}

    def conditions(self, ref):
        return [(item["type"], item["status"], item["reason"]) for item in self.status(ref).get("conditions", [])]

    def message(self, ref):
        return next(item["message"] for item in self.status(ref)["conditions"] if item["type"] == "Ready")

    def written(self):
        return sum(self.server.count(f"PATCH {ref.path}/status") for ref in ALL)

    def events(self):
        posted = [asked.body for asked in self.server.asked if asked.method == "POST"]
        return [(body["involvedObject"]["kind"], body["type"], body["reason"], body["message"]) for body in posted]


@pytest.fixture
async def stage(server, time, tmp_path):
    async with HttpClient() as http:
        yield Stage(server, KubeClient(server.access(tmp_path), http), time)


def refs_of(found):
    requests = {IMAGE_REPOSITORY: found.repositories, IMAGE_POLICY: found.policies, IMAGE_UPDATE_AUTOMATION: found.automations}
    return [Ref(kind, *key) for kind, those in requests.items() for key in those]


def everything(**options):
    return translation(
        [repository(**options.pop("repository", {}))],
        [policy(**options.pop("policy", {}))],
        [automation(**options.pop("automation", {}))],
    )


async def test_a_scan_a_selection_and_a_push_are_told_in_statuses_and_events(stage):
    await stage.know(everything())
    stage.feedback.hear(scanned("1.0.0", "1.1.0", "x.sig"))
    stage.feedback.hear(reflected("1.1.0"))
    pushed = outcome(Status.UPDATED, "1.0.0 -> 1.1.0", revision=COMMIT)
    stage.feedback.hear(landed(pushed, end=LandingEnd.PUSHED))
    await stage.feedback.finish()
    assert (
        stage.conditions(REPOSITORY)
        == stage.conditions(POLICY)
        == stage.conditions(AUTOMATION)
        == [("Ready", "True", "Succeeded")]
    )
    assert stage.status(REPOSITORY)["lastScanResult"]["latestTags"] == ["1.1.0", "1.0.0"]
    assert stage.status(POLICY)["latestRef"] == {"name": "ghcr.io/acme/web", "tag": "1.1.0"}
    found = stage.status(AUTOMATION)
    assert found["observedPolicies"] == {"web": {"name": "ghcr.io/acme/web", "tag": "1.1.0"}}
    assert (found["lastPushCommit"], found["observedSourceRevision"]) == (COMMIT, f"main@sha1:{COMMIT}")
    assert stage.message(AUTOMATION) == "repository up-to-date"
    assert stage.events() == [
        ("ImageRepository", "Normal", "Succeeded", "successful scan: found 2 tags with checksum 495453000"),
        ("ImagePolicy", "Normal", "Succeeded", "Latest image tag for ghcr.io/acme/web resolved to 1.1.0"),
        ("ImageUpdateAutomation", "Normal", "Succeeded", "pushed commit 'a47b32f' to branch 'main'"),
    ]
    assert [(kind, name, seconds) for kind, name, _, seconds in stage.observed] == [
        ("ImageRepository", "web", 1.0),
        ("ImagePolicy", "web", 1.0),
        ("ImageUpdateAutomation", "fleet", 2.0),
    ]


async def test_what_says_the_same_again_is_not_written(stage):
    found = everything()
    await stage.know(found)
    for began in (0, 60):
        stage.feedback.hear(scanned("1.0.0", began=began))
        stage.feedback.hear(reflected("1.0.0", began=began))
        stage.feedback.hear(landed(began=began))
        await stage.feedback.finish()
        await stage.know(found)
    assert (stage.written(), len(stage.events())) == (3, 3)


@pytest.mark.parametrize("ref", ALL, ids=lambda ref: ref.kind.name)
async def test_only_work_that_began_after_a_request_was_seen_answers_it(stage, time, ref):
    asked = {"requested_at": "now"}
    part = {REPOSITORY: "repository", POLICY: "policy", AUTOMATION: "automation"}[ref]

    def happen(began):
        stage.feedback.hear(scanned("1.0.0", began=began))
        stage.feedback.hear(reflected("1.0.0", began=began))
        stage.feedback.hear(landed(began=began))

    await stage.know(everything())
    happen(0)
    await stage.feedback.finish()
    time.now += 100
    work = await stage.know(everything(**{part: asked}))
    assert (len(work.scans), len(work.reflections), len(work.landings)) == tuple(int(ref is one) for one in ALL)
    happen(99)
    await stage.feedback.finish()
    assert "lastHandledReconcileAt" not in stage.status(ref)
    happen(101)
    await stage.feedback.finish()
    assert stage.status(ref)["lastHandledReconcileAt"] == "now"
    again = await stage.know(everything(**{part: asked}))
    assert (again.scans, again.reflections, again.landings) == ((), (), ())


async def test_a_request_that_fails_is_answered_too_and_the_tag_that_was_selected_stays(stage):
    await stage.know(everything(policy={"requested_at": "now"}))
    stage.feedback.hear(scanned("1.0.0"))
    stage.feedback.hear(reflected("1.0.0", began=1))
    stage.feedback.hear(reflected("", status="no-match", detail="none of 1 tag matches", began=2))
    await stage.feedback.finish()
    found = stage.status(POLICY)
    assert (found["latestRef"]["tag"], found["lastHandledReconcileAt"]) == ("1.0.0", "now")
    assert stage.conditions(POLICY) == [("Reconciling", "True", "ProgressingWithRetry"), ("Ready", "False", "Failure")]
    assert "observedGeneration" not in found


@pytest.mark.parametrize("code", ["incomplete-list", "min-age"])
@pytest.mark.parametrize("reflection", [DigestReflection.NEVER, DigestReflection.ALWAYS])
async def test_a_registry_that_is_away_a_list_in_doubt_and_young_tags_leave_what_was_selected(stage, reflection, code):
    """As in the original a failed scan is a matter of the ImageRepository: its policies stand by the tags that are known."""
    await stage.know(everything(policy={"reflection": reflection}))
    stage.feedback.hear(scanned("1.0.0"))
    stage.feedback.hear(reflected("1.0.0", ONE))
    stage.feedback.hear(scanned(failure=fault()))
    stage.feedback.hear(reflected(failure=fault()))
    await stage.feedback.finish()
    assert stage.conditions(REPOSITORY)[-1] == ("Ready", "False", "ReadOperationFailed")
    assert stage.conditions(POLICY) == [("Ready", "True", "Succeeded")]
    stage.feedback.hear(scanned("0.1.0", began=2))
    stage.feedback.hear(reflected("", status="held", code=code, began=2))
    await stage.feedback.finish()
    assert stage.conditions(POLICY) == [("Ready", "True", "Succeeded")]
    assert stage.status(POLICY)["latestRef"]["tag"] == "1.0.0"


def test_after_one_object_moved_only_what_reads_it_is_looked_at():
    """Each tag that moves is a new translation: of thousands of objects the others are neither judged nor written."""
    memory, other = FluxMemory(), replace(policy(), key=(NAMESPACE, "other"))
    found = translation([repository()], [policy(), other], [automation()])
    others = Ref(IMAGE_POLICY, *other.key)
    assert set(memory.know(state(found), START).otherwise) == {REPOSITORY, POLICY, others, AUTOMATION}
    assert memory.know(state(found), START).otherwise == []
    moved = replace(found, policies={WEB: replace(found.policies[WEB], requested_at="now"), other.key: other})
    assert memory.know(state(moved), START).otherwise == [POLICY, AUTOMATION]
    fixed = replace(found.subscriptions[other.key], policy=PolicySpec(FIXED, {"tag": "1"}))
    held = replace(moved, subscriptions={**moved.subscriptions, other.key: fixed})
    assert memory.know(state(held), START).otherwise == [others, AUTOMATION]


def test_the_status_of_a_policy_is_read_again_only_where_its_object_is_another_one(monkeypatch):
    """Each status that comes back through the watch is a look at thousands of policies."""
    read = []
    monkeypatch.setattr(heard, "refs_in", lambda status: read.append(status) or refs_in(status))
    memory, known = FluxMemory(), state(translation([repository()], [policy()], [automation()]))
    memory.know(known, START)
    memory.know(known, START)
    assert len(read) == 1
    told = {"latestRef": {"name": "ghcr.io/acme/web", "tag": "1.0.0"}}
    moved = {key: replace(each, status=told) for key, each in known.policies.items()}
    memory.know(replace(known, policies=moved), START)
    assert len(read) == 2
    assert str(memory.latest_of(moved)[WEB]) == "ghcr.io/acme/web:1.0.0"


async def test_a_digest_that_is_kept_is_known_to_the_next_translation(stage):
    found = everything(policy={"reflection": DigestReflection.IF_NOT_PRESENT})
    await stage.know(found)
    stage.feedback.hear(scanned("latest"))
    for digest in (ONE, TWO):
        stage.feedback.hear(reflected("latest", digest))
    assert stage.changed == 1
    latest = stage.feedback.latest_of(state(found).policies)
    assert str(latest[WEB]) == f"ghcr.io/acme/web:latest@{ONE}"


def test_an_image_that_is_selected_still_is_the_very_same_object():
    """A translation reads again what differs: each status that comes back from the server would be a new translation."""
    memory, found = FluxMemory(), everything()
    told = {"ImagePolicy": {"latestRef": {"name": "ghcr.io/acme/web", "tag": "1.1.0"}}}
    first, second = (memory.latest_of(state(found, statuses=told, generation=each).policies)[WEB] for each in (1, 2))
    assert str(first) == "ghcr.io/acme/web:1.1.0"
    assert first is second


async def test_a_suspended_object_is_told_nothing(stage):
    off = {"is_suspended": True, "requested_at": "now"}
    await stage.know(everything(repository=off, policy=off, automation=off))
    stage.feedback.hear(scanned("1.0.0"))
    stage.feedback.hear(reflected("1.0.0"))
    stage.feedback.hear(landed())
    await stage.feedback.finish()
    assert (stage.written(), stage.events()) == (0, [])


async def test_what_the_original_skips_in_silence_is_told_once_with_file_and_line(stage):
    note = Problem(
        path="apps/web.yaml", line=7, code="marker-syntax", message="this is almost a marker", hint="write $imagepolicy"
    )
    await stage.know(everything())
    for began in (0, 60):
        stage.feedback.hear(landed(notes=(note,), began=began))
        await stage.feedback.finish()
    said = "apps/web.yaml:7: this is almost a marker"
    assert stage.message(AUTOMATION) == f"repository up-to-date; 1 problem: {said} (marker-syntax)"
    warnings = [event for event in stage.events() if event[1] == "Warning"]
    assert warnings == [("ImageUpdateAutomation", "Warning", "MarkerSyntax", f"{said}; write $imagepolicy (marker-syntax)")]
    stage.feedback.hear(landed(began=120))
    await stage.feedback.finish()
    assert stage.message(AUTOMATION) == "repository up-to-date"


async def test_a_marker_of_a_policy_of_another_namespace_is_no_problem_of_an_automation(stage):
    """Another automation may write it; a name that no policy has is told whatever its namespace is."""
    names = ("other:web", "other:wbe", "team:wbe")
    notes = tuple(Problem(path="web.yaml", code="unknown-policy", message=f"names {name}", setter=name) for name in names)
    found = translation([repository()], [policy(), replace(policy(), key=("other", "web"))], [automation()])
    await stage.know(found)
    stage.feedback.hear(landed(notes=notes))
    await stage.feedback.finish()
    said = "; ".join(f"web.yaml: names {name} (unknown-policy)" for name in names[1:])
    assert stage.message(AUTOMATION) == f"repository up-to-date; 2 problems: {said}"


async def test_words_of_a_registry_stay_in_the_log(stage):
    await stage.know(everything())
    stage.feedback.hear(scanned(failure=fault(message="secret of the intranet", public="the registry gave no usable answer")))
    await stage.feedback.finish()
    assert stage.message(REPOSITORY) == "scan failed: the registry gave no usable answer"
    assert stage.conditions(REPOSITORY) == [
        ("Reconciling", "True", "ProgressingWithRetry"),
        ("Ready", "False", "ReadOperationFailed"),
    ]
    assert stage.conditions(POLICY)[-1] == ("Ready", "False", "DependencyNotReady")


async def test_a_failure_is_a_warning_once_while_it_lasts_and_its_end_is_told(stage):
    await stage.know(everything())
    for began, failure in ((0, None), (60, fault()), (120, fault()), (180, None)):
        stage.feedback.hear(scanned("1.0.0", failure=failure, began=began))
        await stage.feedback.finish()
    assert [(kind, weight) for kind, weight, *_ in stage.events()] == [
        ("ImageRepository", "Normal"),
        ("ImageRepository", "Warning"),
    ]


async def test_an_object_that_is_deleted_is_let_go(stage, server):
    await stage.know(translation([repository()]), finalizers=[FINALIZER], deletionTimestamp="2026-08-18T12:00:00Z")
    await stage.feedback.finish()
    assert stage.written() == 0
    assert FINALIZER not in ((stage.read(REPOSITORY) or {}).get("metadata") or {}).get("finalizers", [])


async def test_who_waits_is_answered_before_the_others_are_gathered(stage, time):
    await stage.know(everything())
    task = asyncio.create_task(stage.feedback.run())
    try:
        await stage.know(everything(repository={"requested_at": "now"}))
        stage.feedback.hear(scanned("1.0.0", began=1))
        for _ in range(500):
            if stage.status(REPOSITORY).get("lastHandledReconcileAt") == "now":
                break
            await asyncio.sleep(0.01)
        assert stage.status(REPOSITORY)["lastHandledReconcileAt"] == "now"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_landing_of_the_former_spec_answers_nothing(stage, time):
    await stage.know(everything())
    time.now += 100
    changed = everything(automation={"path": "other"})
    await stage.know(changed, generation=2)
    stage.feedback.hear(landed(began=99))
    await stage.feedback.finish()
    assert stage.conditions(AUTOMATION) == [("Reconciling", "True", "Progressing"), ("Ready", "Unknown", "Progressing")]
    stage.feedback.hear(landed(began=101))
    await stage.feedback.finish()
    assert stage.conditions(AUTOMATION) == [("Ready", "True", "Succeeded")]
    assert stage.status(AUTOMATION)["observedGeneration"] == 2


async def test_a_scan_that_finds_what_the_last_one_found_sorts_nothing(stage, monkeypatch):
    sorted_ = []

    def counted(names, exclusions):
        sorted_.append(list(names))
        return summarize(names, exclusions)

    monkeypatch.setattr("updater.flux.cluster.heard.summarize", counted)
    await stage.know(everything())
    for began, names in ((0, ["1"]), (60, ["1"]), (120, ["1", "2"]), (180, ["1"])):
        stage.feedback.hear(scanned(*names, began=began))
    stage.feedback.hear(scanned("1", began=240, failure=fault()))
    stage.feedback.hear(scanned("1", began=300))
    await stage.feedback.finish()
    assert sorted_ == [["1"], ["1", "2"], ["1"]]
    assert stage.status(REPOSITORY)["lastScanResult"]["tagCount"] == 1


async def test_another_exclusion_list_is_scanned_for_and_so_is_a_second_object_of_an_image(stage):
    assert len((await stage.know(everything())).scans) == 1
    stage.feedback.hear(scanned("1", "1-alpha"))
    changed = everything(repository={"exclusions": ("-alpha$",)})
    assert len((await stage.know(changed, generation=2)).scans) == 1
    assert (await stage.know(changed, generation=2)).scans == ()
    stage.feedback.hear(scanned("1", "1-alpha", began=60))
    await stage.feedback.finish()
    found = stage.status(REPOSITORY)
    assert (found["lastScanResult"]["latestTags"], found["observedExclusionList"]) == (["1"], ["-alpha$"])


async def test_what_was_selected_is_kept_where_the_object_is_suspended_before_its_status_tells_it(stage):
    """A landing may have committed it already: writing what the status names would take that back."""
    status = {"latestRef": {"name": "ghcr.io/acme/web", "tag": "1.0.0"}}
    await stage.server.put(POLICY.kind, POLICY.name, NAMESPACE, metadata={"generation": 1}, spec={}, status=status)
    await stage.know(everything())
    stage.feedback.hear(scanned("1.0.0", "1.1.0"))
    stage.feedback.hear(reflected("1.1.0"))
    off = everything(policy={"is_suspended": True, "spec": PolicySpec("fixed", {"tag": "1.0.0"})})
    for _ in range(2):
        await stage.know(off)
        known = {WEB: prune_object(stage.read(POLICY), Sharing())}
        assert str(stage.feedback.latest_of(known)[WEB]) == "ghcr.io/acme/web:1.1.0"
    await stage.feedback.finish()
    assert stage.status(POLICY) == {
        "latestRef": {"name": "ghcr.io/acme/web", "tag": "1.1.0"},
        "observedPreviousRef": {"name": "ghcr.io/acme/web", "tag": "1.0.0"},
    }, "nothing but what was selected"


async def test_while_others_work_nothing_that_waits_is_written_and_what_they_select_counts(stage):
    await stage.know(everything())
    stage.feedback.hear(scanned("1.0.0"))
    stage.feedback.hear(reflected("1.0.0"))
    stage.feedback.rest()
    await stage.feedback.finish()
    assert stage.written() == 0
    theirs = state(everything(), statuses={"ImagePolicy": {"latestRef": {"name": "ghcr.io/acme/web", "tag": "2.0.0"}}})
    assert str(stage.feedback.latest_of(theirs.policies)[WEB]) == "ghcr.io/acme/web:2.0.0"


async def test_an_automation_of_which_everything_is_refused_is_not_ready_and_answers_at_once(stage):
    await stage.know(everything())
    stage.feedback.hear(reflected("1.0.0"))
    stage.feedback.hear(landed())
    refused = outcome(Status.FAILED, "team/a rebuilds next, and team/b rebuilds it as well", code="push-branch")
    stage.feedback.hear(TargetsRefused(outcomes=(refused,), at=at(5)))
    await stage.know(everything(automation={"requested_at": "now"}))
    await stage.feedback.finish()
    assert stage.conditions(AUTOMATION)[-1] == ("Ready", "False", "UpdateFailed")
    assert stage.status(AUTOMATION)["lastHandledReconcileAt"] == "now"


async def test_a_folder_that_is_not_there_fails_the_automation_as_in_the_original(stage):
    await stage.know(everything(automation={"path": "apps"}))
    missing = Problem(path="apps", code="no-folder", message="there is no folder apps in the tree")
    stage.feedback.hear(landed(outcome(request=automation(path="apps")), notes=(missing,)))
    await stage.feedback.finish()
    assert stage.conditions(AUTOMATION)[-1] == ("Ready", "False", "UpdateFailed")
    assert stage.message(AUTOMATION) == "failed to apply policies: there is no folder apps in the tree"


async def test_who_takes_over_tells_nothing_that_the_other_replica_told(stage):
    stage.may_write = False
    await stage.know(everything())
    ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}
    said = "Latest image tag for ghcr.io/acme/web resolved to 1.1.0"
    status = {"latestRef": {"name": "ghcr.io/acme/web", "tag": "1.1.0"}, "conditions": [{**ready, "message": said}]}
    await stage.server.put(POLICY.kind, POLICY.name, NAMESPACE, metadata={"generation": 1}, spec={}, status=status)
    await stage.know(everything())
    stage.may_write = True
    stage.feedback.hear(reflected("1.1.0"))
    await stage.feedback.finish()
    assert stage.events() == []
    stage.feedback.hear(reflected("1.2.0"))
    await stage.feedback.finish()
    assert [message for _, _, _, message in stage.events()] == [
        "Latest image tag for ghcr.io/acme/web resolved to 1.2.0 (previously ghcr.io/acme/web:1.1.0)"
    ]
