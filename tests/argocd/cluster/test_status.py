"""Promises of the status of an ImageUpdater: its owner's fields and reasons, a reason for every image, no write for times."""

from __future__ import annotations

import re

import pytest

from tests.argocd.request.making import WEB_OUTCOME, application, image, outcome_for, reference, run, updater
from updater.argocd.cluster.feedback_index import index
from updater.argocd.cluster.moves import move_of
from updater.argocd.cluster.status import LONGEST_MESSAGE, MOST_RECENT, StatusFacts, status_of
from updater.controller.objects import Sharing, keep_object
from updater.model.outcome import Status

NOW, LATER = "2026-08-18T12:00:00Z", "2026-08-18T13:00:00Z"


def facts(translation, *, outcomes=(), moves=(), before=None, generation=1):
    """What is known of the ImageUpdater argocd/all of a translation."""
    item = updater(reference("*", image()), version="7")
    item["metadata"]["generation"] = generation
    found = index(translation)
    return StatusFacts(
        kept=keep_object({**item, "status": before or {}}, Sharing()),
        applications=len(translation.selected["argocd/all"]),
        answers=found.by_updater["argocd/all"],
        outcomes={outcome.key: outcome for outcome in outcomes},
        flaws=found.flaws.get("argocd/all", ()),
        moves=moves,
    )


def one_web(**options):
    return run(application(), updaters=[updater(reference("*", image(**options)))])


def conditions(status):
    return {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}


def message(status, kind):
    return next(item["message"] for item in status["conditions"] if item["type"] == kind)


def test_a_checked_object_is_ready_and_says_what_its_owner_defines():
    status = status_of(facts(one_web(), outcomes=[WEB_OUTCOME], generation=4), NOW)
    assert (status["observedGeneration"], status["applicationsMatched"], status["imagesManaged"]) == (4, 1, 1)
    assert status["lastCheckedAt"] == NOW
    assert "lastUpdatedAt" not in status
    assert conditions(status) == {
        "Ready": ("True", "ReconcileSucceeded"),
        "Reconciling": ("False", "Idle"),
        "Error": ("False", "NoErrors"),
        "Images": ("True", "AllFollowed"),
    }
    assert message(status, "Ready") == "1 application, 1 image: 1 unchanged"
    assert message(status, "Images") == "web of web: unchanged: 1.0.0 is already the newest allowed version"
    assert {item["observedGeneration"] for item in status["conditions"]} == {4}


def test_the_same_again_is_not_written():
    first = status_of(facts(one_web(), outcomes=[WEB_OUTCOME]), NOW)
    assert status_of(facts(one_web(), outcomes=[WEB_OUTCOME], before=first), LATER) is None


def test_what_changes_moves_the_time_of_the_check_and_keeps_that_of_other_conditions():
    first = status_of(facts(one_web(), outcomes=[WEB_OUTCOME]), NOW)
    failed = outcome_for(status=Status.FAILED, detail="no such image", code="image-not-found")
    second = status_of(facts(one_web(), outcomes=[failed], before=first), LATER)
    assert second["lastCheckedAt"] == LATER
    times = {item["type"]: item["lastTransitionTime"] for item in second["conditions"]}
    assert times == {"Ready": NOW, "Reconciling": NOW, "Error": LATER, "Images": LATER}
    assert conditions(second)["Ready"] == ("True", "ReconcileCompletedWithErrors")
    assert conditions(second)["Error"] == ("True", "PartialErrors")
    assert message(second, "Error") == "web of web: failed: no such image (image-not-found)"


def test_a_new_object_is_reconciling_until_its_images_were_checked():
    status = status_of(facts(one_web()), NOW)
    assert conditions(status)["Reconciling"] == ("True", "Reconciling")
    assert "pending" in message(status, "Images")


def test_a_restart_writes_nothing_before_the_first_outcome():
    first = status_of(facts(one_web(), outcomes=[WEB_OUTCOME]), NOW)
    assert status_of(facts(one_web(), before=first), LATER) is None
    assert status_of(facts(one_web(), before=first, generation=2), LATER)["observedGeneration"] == 2


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"applicationRefs": [reference("*", image())], "aplicationRefs": []}, "aplicationRefs"),
        ({"applicationRefs": [reference("web-["), reference("*", image())]}, "namePattern"),
        ({"applicationRefs": [reference("*", image(), imagse=[])]}, "did you mean 'images'"),
    ],
)
def test_flaws_of_the_object_stand_in_the_error_condition(spec, expected):
    item = updater()
    item["spec"] = spec
    status = status_of(facts(run(application(), updaters=[item]), outcomes=[WEB_OUTCOME]), NOW)
    assert conditions(status)["Error"] == ("True", "PartialErrors")
    assert expected in message(status, "Error")
    assert conditions(status)["Ready"] == ("True", "ReconcileCompletedWithErrors")


def test_an_object_that_can_do_nothing_is_not_ready():
    status = status_of(facts(run(application(), updaters=[updater(reference("web-["))])), NOW)
    assert conditions(status)["Ready"] == ("False", "ReconcileFailed")
    assert conditions(status)["Error"] == ("True", "ReconcileError")
    assert conditions(status)["Images"] == ("True", "NoImages")


def test_an_image_that_two_objects_ask_for_is_a_conflict_in_both():
    found = run(application(), updaters=[updater(reference("*", image())), updater(reference("*", image()), name="other")])
    status = status_of(facts(found), NOW)
    assert "also asked for by ImageUpdater argocd/other" in message(status, "Error")
    assert "refused" in message(status, "Images")


@pytest.mark.parametrize(
    "options",
    [
        {"imagesVerification": {"cosignKey": {"secretName": "k", "key": "k"}}},
    ],
)
def test_what_this_version_does_not_do_has_a_condition_of_its_own(options):
    status = status_of(facts(run(application(), updaters=[updater(reference("*", image()), **options)])), NOW)
    assert conditions(status)["NotYet"] == ("True", "NotYet")
    assert "in this version" in message(status, "NotYet")


def test_images_that_do_not_run_or_are_written_by_another_are_no_errors():
    git = {"writeBackConfig": {"method": "git", "gitConfig": {"writeBackTarget": "kustomization:/shared"}}}
    applications = [application(), application(name="twin"), application(name="idle", images=())]
    found = run(*applications, updaters=[updater(reference("*", image()), **git)])
    status = status_of(facts(found, outcomes=[WEB_OUTCOME]), NOW)
    assert conditions(status)["Error"] == ("False", "NoErrors")
    assert status["imagesManaged"] == 2
    assert message(status, "Ready") == "3 applications, 3 images: 2 skipped, 1 unchanged"
    assert "web of twin: skipped: argocd/web/web writes the same to the same place (shared)" in message(status, "Images")
    assert "web of idle: skipped: ghcr.io/o/web does not run" in message(status, "Images")


def test_annotations_count_where_the_object_points_to_them():
    listed = application({"image-list": "web=ghcr.io/o/web:^1, ghcr.io/o/web"})
    found = run(listed, updaters=[updater(reference("*", useAnnotations=True))])
    status = status_of(facts(found), NOW)
    assert status["imagesManaged"] + message(status, "Images").count("refused") == 2
    unused = run(listed, updaters=[updater(reference("*", image()))])
    assert "image-list" not in message(status_of(facts(unused, outcomes=[WEB_OUTCOME]), NOW), "Images")


def updated(application_name="web", old="1.0.0", new="1.1.0"):
    found = run(application(name=application_name), updaters=[updater(reference("*", image()))])
    return move_of(found.answers[0], outcome_for(application=application_name, old=old, new=new))


def test_moves_are_told_once_an_image_and_version_with_the_applications_counted():
    first = status_of(facts(one_web(), outcomes=[WEB_OUTCOME], moves=[updated(), updated("api")]), NOW)
    assert first["lastUpdatedAt"] == NOW
    entry = {
        "alias": "web",
        "image": "ghcr.io/o/web",
        "newVersion": "1.1.0",
        "applicationsUpdated": 2,
        "updatedAt": NOW,
        "message": "1.0.0 → 1.1.0",
    }
    assert first["recentUpdates"] == [entry]
    second = status_of(facts(one_web(), outcomes=[WEB_OUTCOME], moves=[updated("late")], before=first), LATER)
    assert second["recentUpdates"] == [{**entry, "applicationsUpdated": 3, "updatedAt": LATER}]
    third = status_of(facts(one_web(), outcomes=[WEB_OUTCOME], moves=[updated(old="", new="1.2.0")], before=second), LATER)
    assert [item["newVersion"] for item in third["recentUpdates"]] == ["1.2.0", "1.1.0"]
    assert third["recentUpdates"][0]["message"] == "set to 1.2.0"


def test_only_the_last_moves_are_kept():
    many = [updated(new=f"1.{number}.0") for number in range(40)]
    status = status_of(facts(one_web(), outcomes=[WEB_OUTCOME], moves=many), NOW)
    assert len(status["recentUpdates"]) == MOST_RECENT
    assert status["recentUpdates"][0]["newVersion"] == "1.39.0"


def test_conditions_of_others_stay_and_what_is_none_is_dropped():
    theirs = {"type": "Their", "status": "True", "reason": "Theirs", "message": "", "lastTransitionTime": NOW}
    status = status_of(facts(one_web(), outcomes=[WEB_OUTCOME], before={"conditions": [theirs, 7, {"type": None}]}), NOW)
    assert [item["type"] for item in status["conditions"]] == ["Ready", "Reconciling", "Error", "Images", "Their"]


@pytest.mark.parametrize(
    "before", [{"conditions": "none", "recentUpdates": 7}, {"conditions": [{"type": "Ready"}], "recentUpdates": [1]}]
)
def test_a_status_of_any_shape_is_written_over(before):
    status = status_of(facts(one_web(), outcomes=[WEB_OUTCOME], moves=[updated()], before=before), NOW)
    assert conditions(status)["Ready"] == ("True", "ReconcileSucceeded")


def test_messages_are_bounded_and_say_the_worst_first():
    applications = [application(name=f"app-{number}") for number in range(600)]
    found = run(*applications, updaters=[updater(reference("*", image()))])
    outcomes = [outcome_for(application=f"app-{n}", status=Status.UNCHANGED, detail=f"{n} {'y' * 900}") for n in range(599)]
    outcomes.append(outcome_for(application="app-599", status=Status.FAILED, detail="the worst\nof all"))
    status = status_of(facts(found, outcomes=outcomes), NOW)
    told = message(status, "Images")
    assert len(told) <= LONGEST_MESSAGE
    assert told.startswith("web of app-599: failed: the worst of all")
    left = int(re.search(r"and (\d+) more; updater explain lists all$", told)[1])
    assert left + told.count("\n") == 600


def test_applications_that_say_the_same_are_named_together():
    found = run(*(application(name=f"app-{n}") for n in range(5)), updaters=[updater(reference("*", image()))])
    outcomes = [outcome_for(application=f"app-{n}", status=Status.HELD, detail="older", code="downgrade") for n in range(5)]
    status = status_of(facts(found, outcomes=outcomes), NOW)
    assert message(status, "Images") == "web of app-0, app-1, app-2 and 2 more: held: older (downgrade)"
    assert conditions(status)["Images"] == ("True", "AllFollowed")


@pytest.mark.parametrize(
    ("listed", "options", "managed", "word"),
    [
        pytest.param(image(commonUpdateSettings={"pullSecret": "secret:other/creds#auth"}), {}, 0, "refused", id="argo-158"),
        pytest.param(image(), {"images": ["ghcr.io/o/other:1.0.1"]}, 0, "skipped", id="argo-160"),
        pytest.param(image("ghcr.io/o/web:stable"), {}, 0, "refused", id="argo-162"),
    ],
)
def test_what_is_not_checked_is_counted_and_named_as_the_owner_counts(listed, options, managed, word):
    """A pull secret of another namespace and a constraint that is no range are errors; what does not run is none."""
    status = status_of(facts(run(application(**options), updaters=[updater(reference("*", listed))])), NOW)
    assert status["imagesManaged"] == managed
    assert f": {word}: " in message(status, "Images")
    is_error = word == "refused"
    assert conditions(status)["Error"][0] == str(is_error)
    assert "lastUpdatedAt" not in status


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"commonUpdateSettings": {"forceUpdate": True}}, id="argo-157"),
        pytest.param({"commonUpdateSettings": {"allowTags": "regexp:^never$"}}, id="argo-161"),
    ],
)
def test_no_tag_that_matches_is_no_error(options):
    found = run(application(), updaters=[updater(reference("*", image(**options)))])
    status = status_of(facts(found, outcomes=[outcome_for(status=Status.NO_MATCH, detail="no tag matches")]), NOW)
    assert conditions(status)["Ready"] == ("True", "ReconcileSucceeded")
    assert message(status, "Ready") == "1 application, 1 image: 1 no-match"


def test_a_job_that_is_forced_is_updated_to_its_digest():
    """The digest stands beside the tag (argo-156)."""
    forced = image("ghcr.io/o/job:latest", commonUpdateSettings={"forceUpdate": True, "updateStrategy": "digest"})
    found = run(application(images=()), updaters=[updater(reference("*", forced))])
    move = move_of(found.answers[0], outcome_for(new="ghcr.io/o/job:latest@sha256:" + "b" * 64))
    status = status_of(facts(found, outcomes=[outcome_for(new="x")], moves=[move]), NOW)
    assert status["recentUpdates"][0]["newVersion"] == "latest@sha256:" + "b" * 64
    assert status["imagesManaged"] == 1


def test_an_object_that_selects_no_application_says_so_and_where_to_look():
    status = status_of(facts(run(updaters=[updater(reference("*", image()))])), NOW)
    assert (status["applicationsMatched"], conditions(status)["Images"]) == (0, ("True", "NoImages"))
    assert message(status, "Ready").startswith("0 applications, 0 images: no Application of this namespace is selected; check")
    assert message(status, "Images").startswith("no Application of this namespace is selected; check namePattern")
