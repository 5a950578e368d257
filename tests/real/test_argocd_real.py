"""The real Argo CD as the agent: it is told of a commit at once, and what it says of it is read as it means it."""

from __future__ import annotations

import pytest
import yaml

from tests.real.argocd_lab import ArgocdLab
from tests.real.daemon_process import Daemon, until
from tests.real.lab_objects import ARGOCD
from tests.real.parts import free_port
from tests.real.rolling_lab import SLOW

pytestmark = [pytest.mark.real, pytest.mark.argocd, pytest.mark.xdist_group("argocd-real")]

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: IMAGE:1.0.0 # {"$imagepolicy": "fleet:web"}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with ArgocdLab(tmp_path_factory.mktemp("argocd")) as lab:
        yield lab


def test_a_pushed_tag_is_committed_synced_and_healthy_by_the_word_of_argo_cd(lab, tmp_path):
    """The Application lists the Deployment; Argo CD polls once an hour, so that it is the refresh that makes it look."""
    image = f"{lab.registry.host}/shop/web"
    lab.push("shop/web", "1.0.0")
    repository = lab.application("shop", {"apps/web.yaml": DEPLOYMENT.replace("IMAGE", image).encode()})
    until(lambda: lab.status("shop").get("health", {}).get("status") == "Healthy", SLOW, say=lab.said)
    until(lambda: f"{image}:1.0.0" in lab.status("shop").get("summary", {}).get("images", []), SLOW, say=lab.said)
    port, config = free_port(), tmp_path / "updater.yaml"
    url = lab.git.url("shop.git")
    tree = {
        "interval": "2s",
        "state": str(tmp_path / "state"),
        "listen": {"metrics": f"127.0.0.1:{port}"},
        "log": {"format": "console"},
        "registries": [{"prefix": lab.registry.host, "url": lab.registry.url, "insecure": True}],
        "git": {"author": {"name": "updater", "email": "updater@example.org"}},
        "kubernetes": {"kubeconfig": str(lab.kubeconfig), "namespace": ARGOCD, "leader_election": False},
        "sources": [{"applications": {}}],
        "subscriptions": [
            {
                "key": "web",
                "image": image,
                "policy": {"semver": {"range": ">=1.0.0"}},
                "delivery": {"application": f"{ARGOCD}/shop", "settle": "1s"},
                "targets": [{"git": {"url": url, "path": "apps"}, "marker": "fleet:web"}],
            }
        ],
    }
    config.write_text(yaml.safe_dump(tree))
    with Daemon(config, port, tmp_path / "log") as daemon:
        daemon.until(daemon.is_ready)
        lab.push("shop/web", "1.1.0")
        daemon.until(lambda: b"web:1.1.0 " in repository.show("apps/web.yaml"))
        head = repository.head()
        lab.cluster.request(  # what a webhook of the Git server does
            "PATCH",
            f"/apis/argoproj.io/v1alpha1/namespaces/{ARGOCD}/applications/shop",
            {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}},
            form="application/merge-patch+json",
        )
        daemon.until(lambda: lab.status("shop").get("sync", {}).get("revision") == head, SLOW)
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1, SLOW)
        assert daemon.metric("updater_releases_total", verdict="bad") == 0
