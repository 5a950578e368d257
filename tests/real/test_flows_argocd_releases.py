"""What becomes of the commits for an Application, with the rights of the chart; the test plays Argo CD and the Deployment."""

from __future__ import annotations

import contextlib
import urllib.error

import pytest

from tests.real.argocd_flows import MERGE, denied

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flows_argocd")]

PATH = "/apis/apps/v1/namespaces/argocd/deployments/web"
BAD = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "web has timed out"}


class Delivered:
    """An Application that applies one Deployment, which runs the image at the tag that was synced last."""

    def __init__(self, flow):
        self.flow = flow
        self.cluster = flow.lab.cluster
        self.image = f"{flow.lab.registry.host}/{flow.images}/web"
        own = {"image-updater.gitops/on-bad": "revert"}
        flow.push("web", "1.0.0")
        self.sync("1.0.0", is_bad=False, is_first=True)
        flow.app("web", annotations={"update-strategy": "semver", **own})
        self.show()

    def sync(self, tag, *, is_bad, is_first=False):
        """Apply the Deployment, and write the status of its newest generation."""
        labels = {"app": "web"}
        containers = [{"name": "web", "image": f"{self.image}:{tag}"}]
        spec = {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        }
        metadata = {"name": "web", "namespace": "argocd"}
        self.cluster.apply_object({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
        generation = self.cluster.request("GET", PATH)["metadata"]["generation"]
        available = 0 if is_bad else 1
        counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": available, "availableReplicas": available}
        status = {"observedGeneration": generation, **counts, "conditions": [BAD] if is_bad else []}
        self.cluster.request("PATCH", f"{PATH}/status", {"status": status}, form=MERGE)
        if not is_first:
            self.show()

    def show(self):
        """Say in the status of the Application to what it is synced, and what it applied."""
        resources = [{"group": "apps", "kind": "Deployment", "namespace": "argocd", "name": "web", "status": "Synced"}]
        sync = {"status": "Synced", "revision": self.flow.lab.repository.head()}
        self.flow.change("web", {"status": {"sync": sync, "health": {"status": "Healthy"}, "resources": resources}})


@pytest.fixture
def delivered(flow):
    with contextlib.suppress(urllib.error.HTTPError):
        flow.lab.cluster.request("DELETE", PATH)
    yield Delivered(flow)
    assert not denied(flow.asked())


def test_a_release_of_an_application_is_followed_to_what_it_applied_and_taken_back_where_that_fails(delivered):
    """Nobody names the workload: the Application lists it. Healthy is told, and a bad one leads to one revert in Git."""
    flow = delivered.flow
    with flow.daemon(delivery={"settle": "1s"}) as daemon:
        daemon.until(daemon.is_ready)
        flow.push("web", "1.1.0")
        daemon.until(lambda: "1.1.0" in flow.written("web"))
        daemon.until(lambda: daemon.metric("updater_releases_in_flight") == 1)
        delivered.sync("1.1.0", is_bad=False)
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1)
        assert "Deployment argocd/web" in daemon.get("/api/v1/status")[1]
        flow.push("web", "1.2.0")
        daemon.until(lambda: "1.2.0" in flow.written("web"))
        daemon.until(lambda: daemon.metric("updater_releases_in_flight") == 1)
        delivered.sync("1.2.0", is_bad=True)
        daemon.until(lambda: "1.1.0" in flow.written("web"))
        message = flow.lab.repository.git("log", "-1", "--format=%B", "main")
        assert message.startswith(f"Revert {delivered.image} to 1.1.0")
