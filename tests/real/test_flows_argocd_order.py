"""Commands that only look, rights that are exact, and ends in order, as processes."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

from tests.charts.rendering import template_of
from tests.real.argocd_flows import LEASE, MERGE, READING, UPDATERS, config_map, secret
from tests.real.daemon_process import Daemon, until
from tests.real.lab import USER
from tests.real.lab_objects import ARGOCD
from tests.real.parts import free_port

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flows_argocd_objects")]

PEERS_FINALIZER = "resources-finalizer.argocd-image-updater.argoproj.io"


@contextlib.contextmanager
def frozen(cluster):
    """Let the API server take connections and answer nothing."""
    process = cluster._server.pid
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@pytest.mark.parametrize("command", [("once", "--dry-run"), ("explain",), ("validate", "--live")], ids=lambda item: item[0])
def test_commands_that_look_write_nothing_at_all_to_the_cluster(flow, command):
    """No Event, no status, no refresh, no Lease: the API server's own log says so; and Git has no commit."""
    flow.push("app", "1.0.0", "1.1.0")
    flow.app("app", annotations={"it.update-stategy": "semver"})
    flow.app("live", annotations={"write-back-method": "argocd"})
    flow.lab.image_updater("all", {"applicationRefs": [{"namePattern": "*", "useAnnotations": True}]})
    flow.excuse()
    head = flow.lab.repository.head()
    done = flow.command(*command)
    assert "app" in done.stdout, done.stdout + done.stderr
    asked = flow.asked()
    assert {item.verb for item in asked} <= READING
    assert asked
    assert flow.lab.repository.head() == head


@pytest.mark.parametrize("command", ["once", "explain"])
def test_who_cannot_reach_the_cluster_at_the_start_ends_with_1_and_says_what_to_look_at(flow, command):
    """Half of what is asked for is not what is asked for: nothing lands, an error and a hint say why."""
    done = flow.command(command, config=nowhere(flow))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "error: " in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def nowhere(flow):
    """A configuration whose cluster is not there."""
    config = flow.configure()
    kubeconfig = flow.folder / "kubeconfig-updater"
    kubeconfig.write_text(kubeconfig.read_text().replace(flow.lab.cluster.url, f"https://127.0.0.1:{free_port()}"))
    return config


def test_a_daemon_that_starts_before_its_cluster_waits_says_for_what_and_ends_when_told(flow):
    with Daemon(nowhere(flow), free_port(), flow.folder / "waiting.log") as daemon:
        until(lambda: "waiting for the cluster" in daemon.said(), say=daemon.said)
        assert "hint=" in daemon.said()
        assert daemon.stop() < 10


def test_what_the_chart_grants_is_enough_for_everything_and_everything_of_it_is_used(flow):
    """Both methods, both kinds of objects, every Secret and ConfigMap, Events and the Lease: no 403, no right unused."""
    config_map(flow.lab, **{"git.user": "bot"})
    secret(flow.lab, "writer", username=USER[0], password=USER[1])
    for name in ("app", "live", "own"):
        flow.push(name, "1.0.0", "1.1.0")
    flow.app("app")
    flow.app("own", annotations={"write-back-method": "git:secret:argocd/writer"})
    flow.app("live", annotations={"write-back-method": "argocd"})
    flow.lab.image_updater("all", {"applicationRefs": [{"namePattern": "*", "useAnnotations": True}]})
    held = flow.lab.image_updater("left", {"applicationRefs": [{"namePattern": "nobody", "useAnnotations": True}]})
    path = f"{UPDATERS.format(ARGOCD)}/{held['metadata']['name']}"
    flow.lab.cluster.request("PATCH", path, {"metadata": {"finalizers": [PEERS_FINALIZER]}}, form=MERGE)
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in flow.written("app") and "1.1.0" in flow.written("own"))
        daemon.until(lambda: "1.1.0" in str(flow.read("live")["spec"]))
        daemon.until(lambda: flow.updater("all").get("status"))
        flow.lab.cluster.request("DELETE", path)
        daemon.until(lambda: not flow.is_there(path))
        daemon.until(lambda: flow.has_event("app", "ImagesUpdated"))
        daemon.until(lambda: daemon.metric("updater_kubernetes_writes_total", kind="refresh") > 0)
        assert daemon.metric("updater_kubernetes_requests_total", status="403") == 0
        daemon.stop()
    used = {(item.verb, item.resource) for item in flow.asked() if item.code < 400 or item.code == 404}
    roles = [item for item in template_of(**flow.lab.values) if item["kind"] in {"Role", "ClusterRole"}]
    granted = {(verb, name) for role in roles for rule in role["rules"] for verb in rule["verbs"] for name in rule["resources"]}
    # an Event is counted again after ten minutes, an ImageUpdater read again where somebody else was faster
    not_installed = {("watch", "rollouts"), ("watch", "canaries")}
    for_a_bad_rollout = {("list", "replicasets")}
    assert granted - used <= {("patch", "events"), ("get", "imageupdaters"), *not_installed, *for_a_bad_rollout}
    assert used <= granted


def test_a_stop_while_the_first_list_hangs_ends_in_order(flow):
    """Also before anything was heard of the cluster: the process ends by itself, with code 0."""
    flow.app("app")
    daemon = flow.daemon()
    with frozen(flow.lab.cluster), daemon:
        time.sleep(4)
        assert daemon.process.poll() is None, daemon.said()
        assert daemon.stop() <= 10


def test_a_stop_while_a_reload_and_what_is_told_hang_ends_in_order(flow):
    """Neither a configuration that is read from a cluster which does not answer nor Events for it keep anybody from stopping."""
    flow.push("app", "1.0.0", "1.1.0")
    flow.app("app")
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in flow.written("app"))
        with frozen(flow.lab.cluster):
            flow.push("app", "1.2.0")
            daemon.until(lambda: "1.2.0" in flow.written("app"))
            daemon.reload()
            time.sleep(1)
            assert daemon.stop() <= 10


def test_reloads_while_snapshots_are_read_end_in_a_generation_that_works(flow):
    """One reload after the other while Applications come: the last one knows them all, and lands."""
    names = [f"r{number}" for number in range(8)]
    for name in names:
        flow.push(name, "1.0.0", "1.1.0")
    with flow.daemon() as daemon:
        daemon.until(daemon.leads)
        for name in names:
            flow.app(name)
            daemon.reload()
            time.sleep(0.1)
        daemon.until(lambda: all("1.1.0" in flow.written(name) for name in names))
        daemon.until(lambda: daemon.metric("updater_subscriptions", source="applications") == len(names))
        assert daemon.metric("updater_reloads_total", result="refused") == 0
        assert daemon.metric("updater_generation") > 1
        assert daemon.leads()
        assert "Traceback" not in daemon.said()
        assert daemon.stop() <= 10
    assert flow.lab.cluster.request("GET", LEASE)["spec"].get("holderIdentity", "") == ""
