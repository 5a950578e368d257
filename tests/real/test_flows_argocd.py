"""The main flows of Argo CD users as processes: a new tag is one commit or one patch, all are told, then it is quiet."""

from __future__ import annotations

import json
import time

import pytest

from tests.real.argocd_flows import REFRESH

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flows_argocd")]


def settled(flow, seconds=3.0):
    """Say whether nothing was written to the cluster for some time."""
    began = flow.lab.place()
    time.sleep(seconds)
    return not flow.writes(began)


def test_a_new_tag_of_many_applications_is_one_commit_that_everybody_hears_of_and_then_it_is_quiet(flow):
    """Twelve Applications on one branch: at most six requests to Git, one commit, an Event and a refresh each, and no more."""
    names = [f"many-{number}" for number in range(12)]
    for number, name in enumerate(names):
        flow.app(name, f"{flow.images}/many{number % 3}")
    for number in range(3):
        flow.push(f"many{number}", "1.0.0", "1.1.0")
    flow.lab.image_updater("all", {"applicationRefs": [{"namePattern": "many-*", "useAnnotations": True}]})
    head = flow.lab.repository.head()
    with flow.daemon(interval="3s") as daemon:
        daemon.until(lambda: all("1.1.0" in flow.written(name) for name in names))
        assert len(flow.commits(head)) == 1
        assert flow.lab.git.count() <= 6
        daemon.until(lambda: all(REFRESH in flow.read(name)["metadata"]["annotations"] for name in names))
        daemon.until(lambda: all(flow.has_event(name, "ImagesUpdated", "1.1.0") for name in names))
        recent = daemon.until(lambda: flow.updater("all").get("status", {}).get("recentUpdates"))
        assert sorted((item["image"][-5:], item["applicationsUpdated"]) for item in recent) == [
            ("many0", 4),
            ("many1", 4),
            ("many2", 4),
        ]
        daemon.until(lambda: "12 unchanged" in str(flow.updater("all")["status"]))
        daemon.until(lambda: settled(flow))

        began, commits, git = flow.lab.place(), flow.commits(head), flow.lab.git.count()
        scans, asked = daemon.metric("updater_scans_total"), daemon.metric("updater_registry_requests_total")
        daemon.until(lambda: daemon.metric("updater_scans_total") >= scans + 9)
        asked, passes = daemon.metric("updater_registry_requests_total") - asked, daemon.metric("updater_scans_total") - scans
        assert flow.writes(began) == []
        assert {item.resource for item in flow.lab.asked(began)} <= {"leases", "configmaps"}
        assert flow.commits(head) == commits
        assert asked <= passes + 1  # one may have begun
        assert flow.lab.git.count() - git <= passes
        assert daemon.metric("updater_kubernetes_requests_total", status="403") == 0
        assert daemon.stop() <= 10


def test_a_single_pass_lands_once_on_a_branch_that_applications_name_in_two_ways(flow):
    """One follows HEAD, another main: the server says that both are one branch, and one commit holds both."""
    for name in ("head", "main"):
        flow.push(name, "1.0.0", "1.1.0")
        flow.app(name, source={"targetRevision": "HEAD" if name == "head" else "main"})
    before = flow.lab.repository.head()
    done = flow.command("once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(flow.commits(before)) == 1
    assert all("1.1.0" in flow.written(name) for name in ("head", "main"))


def parameters(flow, name):
    return {item["name"]: item["value"] for item in flow.read(name)["spec"]["source"]["helm"]["parameters"]}


def test_the_argocd_method_patches_its_own_parameters_and_keeps_what_persons_change_beside_them(flow):
    """A person's other parameter and the spec beside it stay; our own value, set back by a person, is a no until a newer one."""
    flow.push("live", "1.0.0", "1.1.0")
    named = {"write-back-method": "argocd", "it.helm.image-name": "image.repository", "it.helm.image-tag": "image.tag"}
    helm = {"parameters": [{"name": "replicaCount", "value": "3", "forceString": True}]}
    flow.app("live", annotations=named, source={"helm": helm})
    with flow.daemon() as daemon:
        daemon.until(lambda: parameters(flow, "live").get("image.tag") == "1.1.0")
        kept = flow.read("live")["spec"]
        for item in kept["source"]["helm"]["parameters"]:
            if item["name"] == "replicaCount":
                item["value"] = "5"
        kept["source"]["helm"]["releaseName"] = "theirs"
        flow.change("live", {"spec": kept})
        flow.push("live", "1.2.0")
        daemon.until(lambda: parameters(flow, "live")["image.tag"] == "1.2.0")
        assert parameters(flow, "live") == {
            "replicaCount": "5",
            "image.repository": f"{flow.lab.registry.host}/{flow.images}/live",
            "image.tag": "1.2.0",
        }
        assert flow.read("live")["spec"]["source"]["helm"]["releaseName"] == "theirs"
        for item in (kept := flow.read("live")["spec"])["source"]["helm"]["parameters"]:
            if item["name"] == "image.tag":
                item["value"] = "1.0.0"
        flow.change("live", {"spec": kept})
        daemon.until(lambda: flow.has_event("live", "ImageHeld", "was replaced by hand with 1.0.0"))
        assert parameters(flow, "live")["image.tag"] == "1.0.0"
        flow.push("live", "1.3.0")
        daemon.until(lambda: parameters(flow, "live")["image.tag"] == "1.3.0")
        daemon.until(lambda: flow.has_event("live", "ImagesUpdated", "1.3.0"))
        assert daemon.metric("updater_commits_total", method="argocd") == 3


def test_a_status_that_is_written_all_the_time_does_not_keep_a_live_application_from_its_tag(flow):
    """Argo CD's controller makes a new version of the object ten times a second; the patch lands between."""
    flow.push("busy", "1.0.0", "1.1.0")
    flow.app("busy", annotations={"write-back-method": "argocd"})
    end = time.monotonic() + 30
    with flow.daemon() as daemon:
        while "1.1.0" not in str(flow.read("busy")["spec"]):
            assert time.monotonic() < end, daemon.said()
            flow.change("busy", {"status": {"controllerNamespace": str(time.monotonic())}})


def test_an_application_that_a_set_made_is_refused_with_the_reason_and_git_is_named_as_the_way(flow):
    """The argocd method would be undone by the ApplicationSet: an Event, an outcome with its code, and no write."""
    flow.push("made", "1.0.0", "1.1.0")
    before = flow.app("made", annotations={"write-back-method": "argocd"}, owner="generator")
    done = flow.command("once", "-o", "json")
    (outcome,) = json.loads(done.stdout)["outcomes"]
    assert (done.returncode, outcome["status"], outcome["code"]) == (1, "failed", "application-set")
    assert flow.has_event("made", "ApplicationSet", "write-back-method: git")
    assert flow.read("made")["spec"] == before["spec"]
    assert "application-set" in flow.command("explain").stdout
    flow.annotate("made", write_back_method="git")
    assert flow.command("once").returncode == 0
    assert "1.1.0" in flow.written("made")


def test_a_misspelt_annotation_is_told_on_the_object_explained_and_counted_until_it_is_mended(flow):
    """An Event with the word that was meant, a problem in explain, a metric; mended, it is gone without a restart."""
    flow.push("typo", "1.0.0", "1.1.0")
    flow.app("typo", annotations={"it.update-stategy": "semver"})
    with flow.daemon() as daemon:
        daemon.until(lambda: flow.has_event("typo", "UnknownKey", "update-strategy"))
        assert daemon.metric("updater_problems", source="applications", code="unknown-key") == 1
        (row,) = json.loads(flow.command("explain", "-o", "json").stdout)
        (problem,) = row["problems"]
        assert problem["code"] == "unknown-key"
        assert "did you mean" in problem["hint"]
        daemon.until(lambda: "1.1.0" in flow.written("typo"))  # what is wrong beside it stops nobody
        flow.annotate("typo", **{"it.update_stategy": None, "it.update_strategy": "semver"})
        daemon.until(lambda: daemon.metric("updater_problems", source="applications") == 0)
        assert daemon.metric("updater_generation") == 1
