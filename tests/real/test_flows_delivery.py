"""What becomes of commits in the cluster, as a process: a Deployment in a real API server, whose controller the test plays."""

from __future__ import annotations

import contextlib
import urllib.error

import pytest

from tests.real.argocd_flows import MERGE, FlowLab, denied
from tests.real.argocd_flows import Flow as ArgocdFlow

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flows_delivery")]

SHOP = "shop"
PATH = f"/apis/apps/v1/namespaces/{SHOP}/deployments/web"
MARKER = '{"$imagepolicy": "ns:web"}'


class Flow(ArgocdFlow):
    """One test: a Deployment whose image a line in Git names; what an agent and Kubernetes do with it is played."""

    @property
    def image(self):
        return f"{self.lab.registry.host}/{self.images}/web"

    def deploy(self, tag):
        """Do what an agent does after a commit: apply the Deployment with the tag that Git names."""
        container = {"name": "web", "image": f"{self.image}:{tag}"}
        labels = {"app": "web"}
        self.lab.cluster.apply_object(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web", "namespace": SHOP},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
                },
            }
        )

    def reports(self, *, available=1, updated=1, conditions=()):
        """Do what the controller of Deployments does: write the status of the newest generation."""
        generation = self.lab.cluster.request("GET", PATH)["metadata"]["generation"]
        keys = ("type", "status", "reason", "message")
        status = {
            "observedGeneration": generation,
            "replicas": 1,
            "updatedReplicas": updated,
            "readyReplicas": available,
            "availableReplicas": available,
            "conditions": [dict(zip(keys, one, strict=True)) for one in conditions],
        }
        self.lab.cluster.request("PATCH", f"{PATH}/status", {"status": status}, form=MERGE)

    def fails(self):
        self.reports(available=0, conditions=[("Progressing", "False", "ProgressDeadlineExceeded", "web has timed out")])

    def git_says(self):
        return self.lab.repository.show("web/deploy.yaml").decode()

    def follows(self, name="one", **delivery):
        """Start a daemon that keeps the line current and follows what becomes of it."""
        subscription = {
            "key": "web",
            "image": self.image,
            "policy": {"semver": {"range": ">=1.0.0"}},
            "delivery": {"workload": f"Deployment/{SHOP}/web", "settle": "1s", **delivery},
            "targets": [{"git": {"url": self.lab.git_url, "path": "web"}, "marker": "ns:web"}],
        }
        repositories = [{"prefix": self.lab.git_url, **self.git_access()}]
        git = {"author": {"name": "updater", "email": "updater@example.org"}, "repositories": repositories}
        return self.daemon(name, subscriptions=[subscription], sources=[], git=git)

    def git_access(self):
        secret = self.folder / "git-password"
        secret.write_text("lab:lab-password")
        return {"credentials": f"file:{secret}", "ca": str(self.lab.cluster.authority.path)}

    def line_is(self, tag):
        text = f"kind: Deployment\nspec:\n  image: {self.image}:{tag}  # {MARKER}\n"
        self.lab.repository.commit({"web/deploy.yaml": text.encode()})


@pytest.fixture(scope="module")
def delivery_lab(tmp_path_factory):
    subscription = {
        "key": "web",
        "image": "registry.example.org/acme/web",
        "policy": {"semver": {"range": ">=1.0.0"}},
        "delivery": {"workload": f"Deployment/{SHOP}/web"},
        "targets": [{"git": {"url": "https://git.example.org/fleet.git"}, "marker": "ns:web"}],
    }
    config = {"sources": [], "subscriptions": [subscription]}
    lab = FlowLab(tmp_path_factory.mktemp("delivery"), namespaces=(SHOP, "argocd"), values={"config": config})
    with lab:
        yield lab


@pytest.fixture
def flow(delivery_lab, tmp_path):
    made = Flow(delivery_lab, tmp_path)
    made.clear()
    with contextlib.suppress(urllib.error.HTTPError):
        delivery_lab.cluster.request("DELETE", PATH)
    made.push("web", "1.0.0")
    made.line_is("1.0.0")
    made.deploy("1.0.0")
    made.reports()
    yield made
    assert not denied(made.asked())


def events(flow):
    items = flow.lab.cluster.request("GET", f"/api/v1/namespaces/{SHOP}/events")["items"]
    return [(item["reason"], item["involvedObject"]["kind"], item["message"]) for item in items]


def test_a_commit_is_followed_until_the_deployment_is_healthy_on_its_image(flow):
    """Log, metric, Event and status say so, with the rights of the chart and no others."""
    with flow.follows() as daemon:
        daemon.until(daemon.is_ready)
        flow.push("web", "1.1.0")
        daemon.until(lambda: "web:1.1.0" in flow.git_says())
        daemon.until(lambda: daemon.metric("updater_releases_in_flight") == 1)
        flow.deploy("1.1.0")
        flow.reports(available=0)
        flow.reports()
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1)
        assert daemon.metric("updater_release_seconds_count", verdict="healthy") == 1
        assert daemon.metric("updater_releases_in_flight") == 0
        daemon.until(lambda: any(what[:2] == ("ReleaseHealthy", "Deployment") for what in events(flow)))
        assert '"verdict": "healthy"' in daemon.get("/api/v1/status")[1].replace('":"', '": "')
        assert "verdict=healthy" in daemon.said()
        assert daemon.stop() <= 10


def test_a_deployment_that_fails_on_the_image_of_a_commit_is_bad_and_is_told(flow):
    with flow.follows() as daemon:
        daemon.until(daemon.is_ready)
        flow.push("web", "1.1.0")
        daemon.until(lambda: "web:1.1.0" in flow.git_says())
        flow.deploy("1.1.0")
        flow.fails()
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="bad") == 1)
        daemon.until(lambda: any(what[0] == "ReleaseBad" and "timed out" in what[2] for what in events(flow)))
        assert "web:1.1.0" in flow.git_says()


def test_a_release_in_flight_is_followed_on_by_a_daemon_that_starts_after_a_kill(flow):
    """The state folder is gone too: what is in flight is read back from Git's trailers and the objects."""
    with flow.follows("one") as daemon:
        daemon.until(daemon.is_ready)
        flow.push("web", "1.1.0")
        daemon.until(lambda: "web:1.1.0" in flow.git_says())
    flow.deploy("1.1.0")
    flow.reports()
    with flow.follows("two") as daemon:
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1)
