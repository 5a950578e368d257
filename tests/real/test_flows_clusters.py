"""Staging and production in two clusters, as a process: two real API servers; agents and controllers are played by the test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.real import cluster as real_cluster
from tests.real.argocd_flows import MERGE, Flow, FlowLab, denied
from tests.real.daemon_process import environment, until
from tests.real.lab_objects import ROOT
from tests.real.parts import free_port

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flows_clusters")]

WEB = "Deployment/shop/web"
ROLLOUT = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web"
PATH = "/apis/apps/v1/namespaces/shop/deployments/web"
READING = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]}]
LOST = "watch lost"
#: a watch that was lost is tried again more and more seldom
LONG = 150.0


class Clusters(Flow):
    """One test: the Deployment shop/web runs in both clusters, and a line in Git names its image for each."""

    @property
    def image(self):
        return f"{self.lab.registry.host}/{self.images}/web"

    def line(self, stage):
        """Return what Git says that a stage runs, without the name of the image."""
        text = self.lab.repository.show(f"{stage}/deploy.yaml").decode()
        return text.partition("web:")[2].partition(" ")[0].strip()

    def line_is(self, stage, value):
        text = f'image: {self.image}:{value}  # {{"$imagepolicy": "ns:{stage}"}}\n'
        self.lab.repository.commit({f"{stage}/deploy.yaml": text.encode()})

    def runs(self, cluster, value, *, available=1):
        """Do what an agent and Kubernetes do: apply the Deployment with this image, and write the status of its generation."""
        labels = {"app": "web"}
        cluster.apply_object(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": labels},
                    "template": self.pods(value, labels),
                },
            }
        )
        generation = cluster.request("GET", PATH)["metadata"]["generation"]
        names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        status = {"observedGeneration": generation, **dict.fromkeys(names[:2], 1), **dict.fromkeys(names[2:], available)}
        cluster.request("PATCH", f"{PATH}/status", {"status": status}, form=MERGE)

    def elsewhere(self, *, rules=READING, context="staging"):
        """Return `delivery` of staging: in the other cluster, where the account of updater may do *rules*."""
        cluster, name = self.other, f"updater-{self.images.replace('_', '-')}"[:50].rstrip("-")
        token = cluster.service_account("shop", name, rules)
        if rules:  # the API server takes up new roles a moment later
            until(lambda: self.may_read(name))
        kubeconfig = cluster.kubeconfig(self.folder / "kubeconfig-staging", {"token": token})
        kubeconfig.write_text(kubeconfig.read_text().replace('"lab"', '"staging"'))
        return {"workload": WEB, "settle": "1s", "context": context, "kubeconfig": str(kubeconfig)}

    def may_read(self, account):
        asked = {"namespace": "shop", "verb": "watch", "group": "apps", "resource": "deployments"}
        spec = {"user": f"system:serviceaccount:shop:{account}", "resourceAttributes": asked}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        return self.other.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]

    def replica_set(self, value, hash_):
        """Make the pods in the other cluster that a Rollout may call stable."""
        labels = {"app": "web", "rollouts-pod-template-hash": hash_}
        metadata = {"name": f"web-{hash_}", "namespace": "shop", "labels": labels}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": self.pods(value, labels)}
        self.other.apply_object({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec})

    def rolls(self, value, *, current, **status):
        """Do what an agent and Argo Rollouts do in the other cluster: the Rollout asks for this image, and says how far it is."""
        metadata, spec = {"name": "web", "namespace": "shop"}, {"template": self.pods(value, {"app": "web"})}
        self.other.apply_object({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": spec})
        generation = self.other.request("GET", ROLLOUT)["metadata"]["generation"]
        body = {"observedGeneration": str(generation), "stableRS": "first", "currentPodHash": current, "abort": False, **status}
        self.other.request("PATCH", f"{ROLLOUT}/status", {"status": body}, form=MERGE)

    def pods(self, value, labels):
        return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": f"{self.image}:{value}"}]}}

    def promotes(self, staging):
        """Start a daemon: production, in the cluster of the daemon, follows staging."""
        return self.daemon(**self.keys(staging))

    def keys(self, staging):
        policy = {"semver": {"range": ">=1.0.0"}}
        stages = [
            {"key": "staging", "delivery": staging},
            {
                "key": "prod",
                "delivery": {"workload": WEB, "settle": "1s"},
                "gates": {"follows": {"subscription": "staging", "healthy_for": "1s"}},
            },
        ]
        subscriptions = []
        for stage in stages:
            key = stage["key"]
            target = {"git": {"url": self.lab.git_url, "path": key}, "marker": f"ns:{key}"}
            subscriptions.append({"image": self.image, "policy": policy, "form": "tag@digest", "targets": [target], **stage})
        secret = self.folder / "git-password"
        secret.write_text("lab:lab-password")
        access = {"credentials": f"file:{secret}", "ca": str(self.lab.cluster.authority.path)}
        repositories = [{"prefix": self.lab.git_url, **access}]
        git = {"author": {"name": "updater", "email": "updater@example.org"}, "repositories": repositories}
        return {"subscriptions": subscriptions, "sources": [], "git": git}

    def comes_to_staging(self, daemon, tag):
        """Push a tag, and return what Git says of staging once it names it; production has no word of it."""
        self.push("web", tag)
        daemon.until(lambda: self.line("staging").startswith(tag))
        return self.line("staging")

    def waits(self, daemon):
        """Wait until production was looked at twice more."""
        scans = daemon.metric("updater_scans_total")
        daemon.until(lambda: daemon.metric("updater_scans_total") >= scans + 2)


@pytest.fixture(scope="module")
def clusters(tmp_path_factory):
    subscription = {
        "key": "prod",
        "image": "registry.example.org/acme/web",
        "policy": {"semver": {"range": ">=1.0.0"}},
        "delivery": {"workload": WEB},
        "targets": [{"git": {"url": "https://git.example.org/fleet.git"}, "marker": "ns:prod"}],
    }
    values = {"config": {"sources": [], "subscriptions": [subscription]}}
    lab = FlowLab(tmp_path_factory.mktemp("prod"), namespaces=("shop", "argocd"), values=values)
    with lab, real_cluster.start(tmp_path_factory.mktemp("staging")) as other:
        other.namespace("shop")
        other.install("argoproj.io", "Rollout", "rollouts")
        yield lab, other


@pytest.fixture
def flow(clusters, tmp_path):
    lab, other = clusters
    made = Clusters(lab, tmp_path)
    made.clear()
    made.other = other
    made.first = f"1.0.0@{lab.push_tag(f'{made.images}/web', '1.0.0', labels={'tag': '1.0.0'})}"
    for stage, cluster in (("staging", other), ("prod", lab.cluster)):
        made.line_is(stage, made.first)
        made.runs(cluster, made.first)
    yield made
    assert not denied(made.asked())


def test_production_takes_exactly_what_staging_ran_healthy_in_another_cluster(flow):
    """A Deployment of the same name in production's own cluster says nothing of staging."""
    with flow.promotes(flow.elsewhere()) as daemon:
        daemon.until(daemon.is_ready)
        written = flow.comes_to_staging(daemon, "1.1.0")
        assert "@sha256:" in written
        flow.runs(flow.lab.cluster, written)
        flow.runs(flow.other, written, available=0)
        daemon.until(lambda: daemon.metric("updater_releases_in_flight") == 1)
        flow.waits(daemon)
        assert flow.line("prod") == flow.first
        flow.runs(flow.other, written)
        daemon.until(lambda: flow.line("prod") == written)
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 2)


def test_while_the_other_cluster_is_away_production_waits_and_that_is_said_once(flow):
    with flow.promotes(flow.elsewhere()) as daemon:
        daemon.until(daemon.is_ready)
        written = flow.comes_to_staging(daemon, "1.1.0")
        flow.runs(flow.other, written)
        daemon.until(lambda: flow.line("prod") == written)
        before = daemon.said().count(LOST)
        flow.other.stop_server()
        try:
            daemon.until(lambda: daemon.metric("updater_watch_lost", kind="deployments.apps") == 1)
            coming = flow.comes_to_staging(daemon, "1.2.0")
            flow.waits(daemon)
            assert flow.line("prod") == written
            said = [line for line in daemon.said().splitlines() if LOST in line]
            assert len(said) == before + 1
            assert "cluster=staging" in said[-1]
        finally:
            flow.other.start_server()
        flow.runs(flow.other, coming)
        daemon.until(lambda: flow.line("prod") == coming, LONG)
        daemon.until(lambda: daemon.metric("updater_watch_lost", kind="deployments.apps") == 0, LONG)


def test_without_rights_in_the_other_cluster_production_waits_and_the_reason_names_the_cluster(flow):
    with flow.promotes(flow.elsewhere(rules=[])) as daemon:
        daemon.until(daemon.is_ready)
        flow.comes_to_staging(daemon, "1.1.0")
        daemon.until(lambda: LOST in daemon.said())
        daemon.until(lambda: "(cluster staging)" in daemon.said())
        flow.waits(daemon)
        assert flow.line("prod") == flow.first
        said = [line for line in daemon.said().splitlines() if LOST in line]
        assert len(said) == 1
        assert "cluster=staging" in said[0]
        assert "Forbidden" in said[0] or "forbidden" in said[0] or "denied" in said[0]


def test_a_context_that_no_kubeconfig_has_is_refused_at_the_start_and_at_a_reload(flow):
    config = flow.configure("wrong", **flow.keys(flow.elsewhere(context="stagin")))
    command = [sys.executable, "-m", "updater", "run", "-c", str(config)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=90)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "delivery.context" in said
    assert "there is no context 'stagin'" in said
    assert "it has: staging" in said
    with flow.promotes(flow.elsewhere()) as daemon:
        daemon.until(daemon.is_ready)
        daemon.config.write_text(daemon.config.read_text().replace("context: staging", "context: stagin"))
        daemon.reload()
        daemon.until(lambda: daemon.metric("updater_reloads_total", result="refused") == 1)
        assert "there is no context 'stagin'" in daemon.said()
        written = flow.comes_to_staging(daemon, "1.1.0")
        flow.runs(flow.other, written)
        daemon.until(lambda: flow.line("prod") == written)


def test_a_kubeconfig_that_changed_counts_after_a_reload(flow):
    staging = flow.elsewhere()
    path = Path(staging["kubeconfig"])
    right = path.read_text()
    path.write_text(right.replace(flow.other.url, f"https://127.0.0.1:{free_port()}"))
    with flow.promotes(staging) as daemon:
        daemon.until(daemon.is_ready)
        daemon.until(lambda: LOST in daemon.said())
        written = flow.comes_to_staging(daemon, "1.1.0")
        flow.runs(flow.other, written)
        path.write_text(right)
        daemon.reload()
        daemon.until(lambda: flow.line("prod") == written)


def test_a_bad_release_is_taken_back_to_what_the_other_cluster_keeps(flow):
    """A Rollout says which of its ReplicaSets is stable; both are asked of its own cluster."""
    rules = [
        {"apiGroups": ["argoproj.io"], "resources": ["rollouts"], "verbs": ["list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"]},
    ]
    staging = {**flow.elsewhere(rules=rules), "workload": "Rollout/shop/web", "on_bad": "revert"}
    flow.replica_set(flow.first, "first")
    flow.rolls(flow.first, phase="Healthy", current="first")
    with flow.promotes(staging) as daemon:
        daemon.until(daemon.is_ready)
        written = flow.comes_to_staging(daemon, "1.1.0")
        flow.rolls(written, phase="Degraded", current="second", abort=True, message="RolloutAborted: aborted")
        daemon.until(lambda: flow.line("staging") == flow.first)
        assert daemon.metric("updater_releases_total", verdict="bad") == 1
