"""Promises of what the statuses of Flux's objects share: kstatus, removed members, times that say nothing by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.flux.cluster.making import (
    WEB,
    at,
    automation,
    kept,
    landed,
    outcome,
    policy,
    repository,
    stamp,
)
from updater.flux.cluster.automation_landing import AutomationCommit, landing_for, ready_text
from updater.flux.cluster.automation_status import AutomationFacts, automation_status
from updater.flux.cluster.event_texts import event_on_selection, said_by_status
from updater.flux.cluster.heard import problem_of
from updater.flux.cluster.policy_status import PolicyFacts, PolicyRefs, Reflection, SelectedRef, policy_status, refs_in
from updater.flux.cluster.repository_status import RepositoryFacts, RepositoryScan, canonical_name, repository_status, summarize
from updater.flux.cluster.status_fields import LONGEST_MESSAGE, End, Verdict, status_to_write
from updater.flux.kinds import IMAGE_POLICY, IMAGE_UPDATE_AUTOMATION
from updater.model.image import parse_name
from updater.model.outcome import Status
from updater.model.problem import Problem
from updater.model.publishing import Proposal, PushBranch
from updater.model.subscription import GitBranch

READY = Verdict(end=End.READY, reason="Succeeded", message="well")
FAILED = Verdict(end=End.FAILED, reason="Failure", message="no", progress="scanning: first scan")
STALLED = Verdict(end=End.STALLED, reason="InvalidPolicy", message="never")
RUNNING = Verdict(end=End.RUNNING, progress="processing object: new generation -1 -> 1")


def write(verdict, before=None, *, generation=1, now=0, **fields):
    return status_to_write(kept(status=before, generation=generation), verdict, fields, now=stamp(now))


def types(status):
    return [(item["type"], item["status"], item["reason"]) for item in status["conditions"]]


@pytest.mark.parametrize(
    ("verdict", "expected", "observed"),
    [
        (READY, [("Ready", "True", "Succeeded")], 1),
        (STALLED, [("Stalled", "True", "InvalidPolicy"), ("Ready", "False", "InvalidPolicy")], 1),
        (FAILED, [("Reconciling", "True", "ProgressingWithRetry"), ("Ready", "False", "Failure")], None),
        (RUNNING, [("Reconciling", "True", "Progressing"), ("Ready", "Unknown", "Progressing")], None),
    ],
    ids=[End.READY, End.STALLED, End.FAILED, End.RUNNING],
)
def test_conditions_are_those_that_kstatus_reads(verdict, expected, observed):
    status = write(verdict)
    assert (types(status), status.get("observedGeneration")) == (expected, observed)


def test_the_first_try_of_a_new_spec_leaves_what_was_ready():
    before = write(READY)
    status = write(RUNNING, before, generation=2, now=5)
    assert types(status) == [("Reconciling", "True", "Progressing"), ("Ready", "True", "Succeeded")]
    assert status["conditions"][1] == before["conditions"][0]


def test_a_restart_is_no_news():
    for verdict in (READY, STALLED, FAILED):
        assert write(RUNNING, write(verdict), now=60) is None


def test_a_failure_that_lasts_is_written_once_whatever_its_next_try_is_for():
    before = write(FAILED)
    again = Verdict(end=End.FAILED, reason="Failure", message="no", progress="scanning: triggered by interval")
    assert write(again, before, now=60) is None


def test_the_same_failure_with_another_wait_is_no_news():
    first, second = (Verdict(end=End.FAILED, reason="Failure", message=f"wait another {number} seconds") for number in (17, 9))
    before = write(first)
    assert write(second, before, now=60) is None
    assert event_on_selection(said_by_status(before), second) is None


def test_the_time_of_a_transition_moves_with_the_status_alone():
    before = write(READY)
    other = write(Verdict(end=End.READY, reason="Succeeded", message="better"), before, now=60)
    assert other["conditions"][0]["lastTransitionTime"] == stamp(0)
    assert write(FAILED, before, now=60)["conditions"][1]["lastTransitionTime"] == stamp(60)


def test_conditions_of_others_stay():
    theirs = {"type": "Theirs", "status": "True", "reason": "R", "message": "", "lastTransitionTime": "t"}
    assert write(READY, {"conditions": [theirs]})["conditions"][-1] == theirs


def test_members_that_are_gone_are_removed_by_the_patch():
    before = write(READY, latestRef={"name": "a", "tag": "1", "digest": "d"}, gone={"a": 1})
    status = write(READY, before, latestRef={"name": "a", "tag": "1"}, gone=None, never=None)
    assert status["latestRef"] == {"name": "a", "tag": "1", "digest": None}
    assert (status["gone"], "never" in status) == (None, False)


def test_a_long_or_odd_message_is_one_that_the_definition_takes():
    status = write(Verdict(end=End.READY, reason="Succeeded", message="\x1b" + "x" * 40_000))
    message = status["conditions"][0]["message"]
    assert len(message) == LONGEST_MESSAGE
    assert message.startswith("\\x1b")


@pytest.mark.parametrize(("image", "expected"), [("alpine", "index.docker.io/library/alpine"), ("ghcr.io/o/a", "ghcr.io/o/a")])
def test_the_canonical_name_is_the_one_of_the_original(image, expected):
    assert canonical_name(parse_name(image)) == expected


def scan(seconds=0, *names):
    return RepositoryScan(began=at(seconds), at=at(seconds), tags=summarize(names or ("1.0.0",), ()))


@pytest.mark.parametrize(("later", "is_written"), [(60, False), (3599, False), (3600, True)])
def test_times_alone_are_written_once_an_hour(later, is_written):
    first = repository_status(RepositoryFacts(request=repository(), kept=kept(), scan=scan()), stamp())
    facts = RepositoryFacts(request=repository(), kept=kept(status=first), scan=scan(later))
    second = repository_status(facts, stamp(later))
    assert (second is not None) == is_written
    landing = landing_for(landed(began=later, seconds=0.0), automation(), problem_of)
    before = {**automation_status(AutomationFacts(request=automation(), kept=kept(), landing=landing), stamp())}
    before["lastAutomationRunTime"] = stamp(0)
    facts = AutomationFacts(request=automation(), kept=kept(status=before), landing=landing)
    assert (automation_status(facts, stamp(later)) is not None) == is_written


def test_no_tags_are_left_out_and_former_ones_removed():
    first = repository_status(RepositoryFacts(request=repository(), kept=kept(), scan=scan(0, "a")), stamp())
    empty = RepositoryScan(began=at(9), at=at(9), tags=summarize((), ()))
    second = repository_status(RepositoryFacts(request=repository(), kept=kept(status=first), scan=empty), stamp(9))
    assert second["lastScanResult"]["latestTags"] is None
    assert second["lastScanResult"]["tagCount"] == 0


def test_a_push_branch_leaves_the_revision_of_the_branch_that_was_read():
    branch = GitBranch(url="https://git.test/fleet.git", branch="main", publishing=PushBranch("auto"))
    request = automation(branch=branch)
    push = AutomationCommit(revision="c" * 40, branch="auto", at=at(3))
    landing = landing_for(landed(branch=branch), request, problem_of)
    status = automation_status(AutomationFacts(request=request, kept=kept(), landing=landing, push=push), stamp())
    assert status["observedSourceRevision"] == f"main@sha1:{'4' * 40}"
    assert (status["lastPushCommit"], status["lastPushTime"]) == ("c" * 40, stamp(3))


def test_a_pull_request_is_a_push_whose_event_has_the_link():
    branch = GitBranch(url="https://git.test/fleet.git", branch="main", publishing=Proposal("auto"))
    link = "https://git.test/o/fleet/pull/1"
    request = automation(branch=branch)
    made = outcome(Status.PROPOSED, request=request, revision="c" * 40, link=link)
    pushed = landing_for(landed(made, branch=branch), request, problem_of).pushed
    assert pushed.summary == f"pushed commit 'ccccccc' to branch 'auto', proposed in {link}"


def test_problems_in_a_message_are_bounded_and_the_rest_is_counted():
    problems = [Problem(path="a.yaml", line=line, code="marker-syntax", message="x" * 1000) for line in range(1, 9)]
    text = ready_text(problems)
    assert text.startswith("repository up-to-date; 8 problems: a.yaml:1: xxx")
    assert text.endswith("; and 3 more, see the Events")
    assert len(text) < 2000


ODD = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=4),
    lambda inner: some.lists(inner, max_size=2) | some.dictionaries(some.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
FIELDS = (
    "conditions",
    "lastScanResult",
    "latestRef",
    "observedPreviousRef",
    "observedPolicies",
    "observedGeneration",
    "observedExclusionList",
    "lastAutomationRunTime",
)


@given(some.dictionaries(some.sampled_from(FIELDS), ODD))
def test_nothing_that_a_status_has_makes_this_raise(status):
    said_by_status(status)
    repository_status(RepositoryFacts(request=repository(), kept=kept(status=status), scan=scan()), stamp())
    refs = PolicyRefs(latest=SelectedRef(name="a", tag="1"), previous=refs_in(status).latest)
    reflection = Reflection(began=at(0), at=at(0))
    facts = PolicyFacts(request=policy(), kept=kept(IMAGE_POLICY, status=status), refs=refs, reflection=reflection)
    policy_status(facts, stamp())
    landing = landing_for(landed(), automation(policies=(WEB,)), problem_of)
    each = kept(IMAGE_UPDATE_AUTOMATION, status=status)
    automation_status(AutomationFacts(request=automation(), kept=each, landing=landing, policies={"web": refs.latest}), stamp())
