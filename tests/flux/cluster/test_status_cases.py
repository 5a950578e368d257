"""Each case of the original about statuses and Events, under its id."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.flux.cluster.making import (
    WEB,
    at,
    automation,
    fault,
    kept,
    landed,
    outcome,
    policy,
    repository,
    selection,
    stamp,
)
from updater.flux.cluster.automation_landing import AutomationCommit, landing_for
from updater.flux.cluster.automation_status import AutomationFacts, automation_status
from updater.flux.cluster.event_texts import Said, event_on_automation, event_on_selection
from updater.flux.cluster.heard import problem_of
from updater.flux.cluster.policy_status import PolicyRefs, SelectedRef, ready_message, refs_after
from updater.flux.cluster.repository_status import (
    RepositoryFacts,
    RepositoryScan,
    decide_scan,
    repository_status,
    revision_of,
    summarize,
)
from updater.flux.cluster.status_fields import End, Verdict
from updater.flux.kinds import IMAGE_UPDATE_AUTOMATION
from updater.flux.request.requests import DigestReflection, ObjectFault
from updater.model.outcome import Status
from updater.model.report import LandingEnd

CASES = json.loads((Path(__file__).parents[1] / "cases_status.json").read_text(encoding="utf-8"))
DIGEST = "sha256:" + "d" * 64


def cases(*areas):
    found = [pytest.param(case["given"], case["expected"], id=case["id"]) for case in CASES if case["area"] in areas]
    return pytest.mark.parametrize(("given", "expected"), found)


def ready(status):
    return next((item["status"], item["reason"], item["message"]) for item in status["conditions"] if item["type"] == "Ready")


@cases("policy-ready-message")
def test_what_a_policy_says(given, expected):
    named = {name: SelectedRef(**dict(zip(("name", "tag", "digest"), texts, strict=False))) for name, texts in given.items()}
    assert ready_message(PolicyRefs(**named)) == expected


@cases("digest-reflection")
def test_when_a_digest_is_kept(given, expected):
    refs = PolicyRefs()
    for reflection, tag in given:
        refs = refs_after(policy(reflection=DigestReflection(reflection)), "ghcr.io/acme/web", selection(tag, DIGEST), refs)
    assert bool(refs.latest.digest) == expected["digest"]
    assert (refs.previous and [refs.previous.tag, bool(refs.previous.digest)]) == expected["previous"]


@cases("scan-decision")
def test_why_a_scan_is_due(given, expected):
    request = repository(requested_at=given.get("requested", ""))
    status = {"canonicalImageName": "ghcr.io/acme/web", "observedExclusionList": given.get("observed", list(request.exclusions))}
    if given["scanned"] is not None:
        status["lastScanResult"] = {"scanTime": stamp(-given["scanned"])}
    if "handled" in given:
        status["lastHandledReconcileAt"] = given["handled"]
    decision = decide_scan(RepositoryFacts(request=request, kept=kept(status=status)), at(0))
    assert [decision.reason, decision.wait] == expected


@cases("scan")
def test_what_a_scan_stores(given, expected):
    found = summarize(given["tags"], given.get("exclusions", ()))
    assert {"count": found.count, "latest": list(found.latest)} == expected


@cases("scan-failure")
def test_how_a_scan_fails(given, expected):
    told = ObjectFault(reason=given["fault"][0], message=given["fault"][1]) if "fault" in given else None
    scan = None
    if "failure" in given:
        scan = RepositoryScan(began=at(0), at=at(1), tags=None, failure=fault(given["failure"][0], "404", given["failure"][1]))
    facts = RepositoryFacts(request=repository(fault=told), kept=kept(), scan=scan)
    assert list(ready(repository_status(facts, stamp()))) == expected


@cases("latest-tags-sample")
def test_which_tags_are_shown(given, expected):
    assert list(summarize(given, ()).latest) == expected


@cases("revision")
def test_the_checksum_of_tags(given, expected):
    assert revision_of(given) == expected


@cases("revision-collision")
def test_checksums_that_are_equal_for_other_tags(given, expected):
    assert {revision_of(stored) for stored in given} == {expected}


@cases("event-reflector")
def test_what_a_repository_or_policy_is_told(given, expected):
    before = Said(is_ready=True, reason="Succeeded", message=given["before"])
    end = End(given["end"])
    verdict = Verdict(end=end, reason="Succeeded" if end is End.READY else "ReadOperationFailed", message="same")
    event = event_on_selection(before, verdict)
    assert (event and [event.weight, event.reason, event.message]) == expected


@cases("event-automation")
def test_what_an_automation_is_told(given, expected):
    before = Said(is_ready=given["before"] == "ready", reason="", message="")
    verdict = landing_for(landed(), automation(), problem_of).verdict
    event = event_on_automation(before, verdict, None)
    assert (event and [event.weight, event.reason, event.message]) == expected


@cases("push-summary")
def test_what_a_push_says(given, expected):
    assert AutomationCommit(at=at(0), **given).summary == expected


@cases("automation-fault")
def test_an_automation_that_asks_for_what_cannot_be(given, expected):
    reason, is_stalled = given
    request = automation(fault=ObjectFault(reason=reason, message="why", is_stalled=is_stalled), branch=None)
    status = automation_status(AutomationFacts(request=request, kept=kept(IMAGE_UPDATE_AUTOMATION)), stamp())
    assert [[item["type"], item["status"]] for item in status["conditions"]] == expected
    assert ready(status) == ("False", reason, "why")
    assert ("observedGeneration" in status) == is_stalled


@cases("automation-landing")
def test_how_a_landing_ends(given, expected):
    report = landed()
    if "failure" in given:
        failed = outcome(Status.FAILED, "there is no such branch", code=given["failure"])
        report = landed(failed, end=LandingEnd.FAILED, head=None, notes=None)
    landing = landing_for(report, automation(), problem_of)
    facts = AutomationFacts(request=automation(), kept=kept(IMAGE_UPDATE_AUTOMATION), landing=landing)
    status = automation_status(facts, stamp())
    assert ready(status)[:2] == (expected["ready"], expected["reason"])
    assert status.get("observedSourceRevision") == expected["revision"]
    assert status.get("lastPushCommit") == expected["pushed"]


@cases("observed-policies")
def test_which_policies_are_observed(given, expected):
    landing = landing_for(landed(), automation(policies=(WEB, ("team", "api"))), problem_of)
    before: dict[str, object] = {}
    for index, found in enumerate(given):
        policies = {name: SelectedRef(name=f"ghcr.io/acme/{name}", tag=tag) for name, tag in found.items()}
        each = kept(IMAGE_UPDATE_AUTOMATION, status=before)
        status = automation_status(AutomationFacts(request=automation(), kept=each, landing=landing, policies=policies), stamp())
        assert (status is not None) == (expected or not index)
        before = status or before
    assert {name for name, ref in before["observedPolicies"].items() if ref is not None} == set(given[1])
