"""Objects that come, change and go while daemons run, as processes: what is asked for follows them, and nobody else suffers."""

from __future__ import annotations

import json
import time

import pytest

from tests.real.argocd_flows import UPDATERS
from tests.real.lab_objects import ARGOCD

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flows_argocd_objects")]


def subscriptions(daemon):
    return daemon.metric("updater_subscriptions", source="applications")


def conditions(flow, name):
    return {item["type"]: item for item in flow.updater(name).get("status", {}).get("conditions", ())}


def test_an_application_that_is_deleted_ends_alone_and_comes_back_as_new(flow):
    """Its subscription ends and what it has in Git stays; others go on; made again, it is kept current again."""
    for name in ("goes", "stays"):
        flow.push(name, "1.0.0", "1.1.0")
        flow.app(name)
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in flow.written("goes") and "1.1.0" in flow.written("stays"))
        flow.delete("goes")
        daemon.until(lambda: subscriptions(daemon) == 1)
        for name in ("goes", "stays"):
            flow.push(name, "1.2.0")
        daemon.until(lambda: "1.2.0" in flow.written("stays"))
        assert "1.1.0" in flow.written("goes")
        flow.app("goes")
        daemon.until(lambda: "1.2.0" in flow.written("goes"))
        assert subscriptions(daemon) == 2


def test_an_application_that_is_deleted_while_its_commit_is_pushed_costs_the_others_nothing(flow):
    """The push is finished; that nobody is left to be told and refreshed is no failure."""
    for name in ("leaves", "other"):
        flow.push(name, "1.0.0", "1.1.0")
        flow.app(name)
    flow.lab.git.fail("slow", service="POST git-receive-pack", seconds=2.0, before=lambda: flow.delete("leaves"))
    head = flow.lab.repository.head()
    with flow.daemon() as daemon:
        daemon.until(lambda: flow.has_event("other", "ImagesUpdated"))
        assert len(flow.commits(head)) == 1
        assert daemon.metric("updater_kubernetes_writes_total", kind="refresh") == 1
        assert daemon.metric("updater_failures_total") == 0
        assert "Traceback" not in daemon.said()
        flow.push("other", "1.2.0")
        daemon.until(lambda: "1.2.0" in flow.written("other"))


def test_a_live_application_that_is_gone_when_it_is_to_be_patched_ends_with_its_code_and_others_go_on(flow):
    """A single pass that read the list before: the one fails as application-gone, or is no longer asked for."""
    flow.push("live", "1.0.0", "1.1.0")
    flow.push("other", "1.0.0", "1.1.0")
    for name in ("live", "other"):
        flow.app(name, annotations={"write-back-method": "argocd"})
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in str(flow.read("live")["spec"]))
        flow.delete("live")
        flow.push("live", "1.2.0")
        flow.push("other", "1.2.0")
        daemon.until(lambda: "1.2.0" in str(flow.read("other")["spec"]))
        daemon.until(lambda: subscriptions(daemon) == 1)
        assert "Traceback" not in daemon.said()


def test_an_image_updater_that_is_edited_is_followed_and_deleted_it_asks_for_nothing(flow):
    """Another constraint counts from its generation on, which the status names; without the object nothing is written."""
    image = f"{flow.lab.registry.host}/{flow.images}/app"
    flow.push("app", "1.0.0", "1.1.0", "2.0.0")
    flow.lab.application("app", images=[f"{flow.images}/app:1.0.0"])

    def spec(constraint):
        chosen = {"namePattern": "app", "images": [{"alias": "it", "imageName": f"{image}:{constraint}"}]}
        return {"writeBackConfig": {"method": "git"}, "applicationRefs": [chosen]}

    flow.lab.image_updater("one", spec("1.x"))
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in flow.written("app"))
        flow.lab.image_updater("one", spec("2.x"))
        daemon.until(lambda: "2.0.0" in flow.written("app"))
        daemon.until(lambda: flow.updater("one").get("status", {}).get("observedGeneration") == 2)
        flow.lab.cluster.request("DELETE", f"{UPDATERS.format(ARGOCD)}/one")
        daemon.until(lambda: subscriptions(daemon) == 0)
        head = flow.lab.repository.head()
        flow.push("app", "2.1.0")
        time.sleep(4)
        assert flow.lab.repository.head() == head


def test_two_image_updaters_that_ask_for_different_things_are_both_told_and_neither_writes(flow):
    """A problem on both; the Application in dispute is left as it is, and their other Applications go on."""
    host = flow.lab.registry.host
    flow.push("app", "1.0.0", "1.1.0", "2.0.0")
    flow.push("calm", "1.0.0", "1.1.0")
    for name in ("app", "calm"):
        flow.lab.application(name, images=[f"{flow.images}/{name}:1.0.0"])

    def ref(name, constraint):
        return {"namePattern": name, "images": [{"alias": "it", "imageName": f"{host}/{flow.images}/{name}:{constraint}"}]}

    git = {"writeBackConfig": {"method": "git"}}
    flow.lab.image_updater("left", {**git, "applicationRefs": [ref("app", "1.x"), ref("calm", "1.x")]})
    flow.lab.image_updater("right", {**git, "applicationRefs": [ref("app", "2.x")]})
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in flow.written("calm"))
        for name in ("left", "right"):
            daemon.until(lambda name=name: "conflict" in str(conditions(flow, name).get("Error", {})))
            daemon.until(lambda name=name: flow.has_event(name, "Conflict"))
        assert flow.written("app") == ""
        assert daemon.metric("updater_problems", code="conflict") >= 2
        flow.lab.cluster.request("DELETE", f"{UPDATERS.format(ARGOCD)}/right")
        daemon.until(lambda: "1.1.0" in flow.written("app"))
        daemon.until(lambda: conditions(flow, "left")["Error"]["status"] == "False")


@pytest.mark.parametrize(
    ("namespaces", "moved"),
    [
        (["argocd"], {"app"}),
        (["argocd", "team-a"], {"app", "team-a_app"}),
        (["team-*"], {"team-a_app", "team-b_app"}),
        ([], {"app", "team-a_app", "team-b_app", "other_app"}),
    ],
    ids=["one", "several", "glob", "all"],
)
def test_applications_outside_the_named_namespaces_are_not_touched_and_foreign_ones_have_files_of_their_own(
    flow, namespaces, moved
):
    """One namespace, several, a glob, all: a file per Application, with the namespace where it is not Argo CD's."""
    flow.push("app", "1.0.0", "1.1.0")
    places = ("argocd", "team-a", "team-b", "other")
    folder = f"apps/{flow.folder.name}"
    for place in places:
        flow.lab.cluster.namespace(place)
        flow.app("app", namespace=place, source={"path": folder})
    account = flow.lab.grant("places", config={"sources": [{"applications": {"namespaces": namespaces}}]})
    config = flow.configure(account=account, applications={"namespaces": namespaces})
    done = flow.command("once", "-o", "json", config=config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {place for place in places if flow.has_event("app", "ImagesUpdated", namespace=place)} == {
        name.rpartition("_")[0] or "argocd" for name in moved
    }
    files = flow.lab.repository.git("ls-tree", "--name-only", "-r", "main", folder).split()
    assert {path.removeprefix(f"{folder}/.argocd-source-").removesuffix(".yaml") for path in files} == moved
    assert len(json.loads(done.stdout)["outcomes"]) == len(moved)
