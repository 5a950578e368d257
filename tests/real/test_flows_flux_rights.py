"""What the chart grants for Flux's objects is enough for everything, and everything of it is used."""

from __future__ import annotations

import json
import urllib.error
from typing import Any

import pytest
import yaml

from tests.charts.rendering import template_of
from tests.real.daemon_process import Daemon
from tests.real.flux_lab import FluxLab
from tests.real.flux_objects import (
    IMAGE_POLICY,
    IMAGE_REPOSITORY,
    IMAGE_UPDATE_AUTOMATION,
    MERGE,
    NAMESPACE,
    flux_object,
    kustomization,
)
from tests.real.lab import definitions_folder
from tests.real.parts import free_port, require

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flux-rights")]

ACCOUNT = f"system:serviceaccount:{NAMESPACE}:updater"
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
VALUES: dict[str, Any] = {
    "config": {"sources": [{"flux": {"namespaces": [NAMESPACE, "apps"]}}], "kubernetes": {"lease": "updater"}},
    "fullnameOverride": "updater",
    "serviceAccount": {"name": "updater"},
}
APP = b"""\
apiVersion: v1
kind: ConfigMap
metadata: {name: app, namespace: flux-system}
data:
  tag: 1.0.0 # {"$imagepolicy": "flux-system:app:tag"}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    require("helm")
    folder = tmp_path_factory.mktemp("rights")
    (folder / "audit.yaml").write_text(yaml.safe_dump(POLICY))
    flags = (f"--audit-policy-file={folder / 'audit.yaml'}", f"--audit-log-path={folder / 'audit.log'}")
    with FluxLab(folder, definitions=definitions_folder(), flags=flags) as lab:
        lab.cluster.namespace("apps")
        for body in template_of(namespace=NAMESPACE, **VALUES):
            if "Role" in body["kind"] or body["kind"] == "ServiceAccount":
                lab.cluster.apply_object(body)
        yield lab


def started(lab, folder):
    """Start a daemon as the account of the chart."""
    wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/updater/token"
    (folder / "token").write_text(lab.cluster.request("POST", path, wanted)["status"]["token"])
    kubeconfig = lab.cluster.kubeconfig(folder / "kubeconfig", {"tokenFile": str(folder / "token")})
    port = free_port()
    tree = {
        "interval": "5s",
        "state": str(folder / "state"),
        "listen": {"metrics": f"127.0.0.1:{port}"},
        "log": {"format": "console"},
        "registries": [{"prefix": lab.registry.host, "url": lab.registry.url, "insecure": True}],
        "kubernetes": {"kubeconfig": str(kubeconfig), "namespace": NAMESPACE, "lease": "updater"},
        "sources": VALUES["config"]["sources"],
    }
    (folder / "updater.yaml").write_text(yaml.safe_dump(tree))
    return Daemon(folder / "updater.yaml", port, folder / "log")


def asked(lab):
    """Return verb, resource and code of each request of the account."""
    found = []
    for line in (lab.folder / "audit.log").read_text().splitlines():
        item = json.loads(line)
        about = item.get("objectRef") or {}
        if item["user"]["username"] == ACCOUNT and item["stage"] in {"ResponseComplete", "ResponseStarted"}:
            resource = "/".join(filter(None, (about.get("resource", ""), about.get("subresource", ""))))
            found.append((item["verb"], resource, item.get("responseStatus", {}).get("code", 0)))
    return found


def apply(lab, kind, name, spec, namespace=NAMESPACE):
    lab.cluster.apply_object(flux_object(kind, name, spec, namespace=namespace))


def is_there(lab, path):
    try:
        lab.cluster.request("GET", path)
    except urllib.error.HTTPError:
        return False
    return True


def applied(lab):
    """Return what the Kustomization applied, None where there is nothing yet."""
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/app"
    return lab.cluster.request("GET", path)["data"] if is_there(lab, path) else None


def test_what_the_chart_grants_is_enough_and_everything_of_it_is_used(lab, tmp_path):  # noqa: PLR0915 - one story
    """The whole loop; Secrets, a ServiceAccount, another namespace, Events, a finalizer, Leases: no 403, nothing unused."""
    lab.push_tag("acme/app", "1.0.0", "1.1.0")
    image = f"{lab.registry.host}/acme/app"
    repository = lab.repository("fleet", {"apps/app.yaml": APP}, interval="3s")
    lab.cluster.apply_object(kustomization("fleet", "fleet", "./apps"))
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller", "namespace": NAMESPACE}}
    lab.cluster.apply_object(account)
    scan = {"image": image, "interval": "5s", "serviceAccountName": "puller"}
    apply(lab, IMAGE_REPOSITORY, "app", {**scan, "accessFrom": {"namespaceSelectors": [{"matchLabels": {}}]}})
    policy = {"imageRepositoryRef": {"name": "app"}, "policy": {"semver": {"range": ">=1.0.0"}}}
    apply(lab, IMAGE_POLICY, "app", policy)
    far = {**policy, "imageRepositoryRef": {"name": "app", "namespace": NAMESPACE}}
    apply(lab, IMAGE_POLICY, "far", far, namespace="apps")
    git = {"checkout": {"ref": {"branch": "main"}}, "commit": {"author": {"name": "bot", "email": "bot@example.org"}}}
    source = {"kind": "GitRepository", "name": "fleet"}
    apply(
        lab, IMAGE_UPDATE_AUTOMATION, "fleet", {"interval": "5s", "sourceRef": source, "git": git, "update": {"path": "./apps"}}
    )
    apply(lab, IMAGE_REPOSITORY, "left", {"image": image, "interval": "1h", "suspend": True})
    left = IMAGE_REPOSITORY.path("left")
    lab.cluster.request("PATCH", left, {"metadata": {"finalizers": ["finalizers.fluxcd.io"]}}, form=MERGE)
    with lab.source_controller(), lab.kustomize_controller(), started(lab, tmp_path) as daemon:
        daemon.until(lambda: "1.1.0" in repository.git("show", "main:apps/app.yaml"))
        daemon.until(lambda: lab.cluster.request("GET", IMAGE_POLICY.path("far", "apps")).get("status", {}).get("latestRef"))
        daemon.until(lambda: lab.cluster.request("GET", IMAGE_UPDATE_AUTOMATION.path("fleet"))["status"].get("lastPushCommit"))
        daemon.until(lambda: applied(lab) == {"tag": "1.1.0"})
        lab.cluster.request("DELETE", left)
        daemon.until(lambda: not is_there(lab, left))
        daemon.until(lambda: daemon.metric("updater_kubernetes_writes_total", kind="event") > 0)
        assert daemon.metric("updater_kubernetes_requests_total", status="403") == 0, daemon.said()
        daemon.stop()
    used = {(verb, resource) for verb, resource, code in asked(lab) if code < 400 or code == 404}
    roles = [item for item in template_of(namespace=NAMESPACE, **VALUES) if item["kind"] in {"Role", "ClusterRole"}]
    granted = {(verb, name) for role in roles for rule in role["rules"] for verb in rule["verbs"] for name in rule["resources"]}
    rare = {("get", kind.plural) for kind in (IMAGE_REPOSITORY, IMAGE_POLICY, IMAGE_UPDATE_AUTOMATION)}  # read again after a race
    rare |= {("patch", "imagepolicies"), ("patch", "imageupdateautomations")}  # their finalizers
    rare |= {("watch", name) for name in ("rollouts", "canaries", "helmreleases")}  # not installed in this lab
    rare |= {("list", "replicasets")}  # before the bad release of a Rollout is taken back
    assert granted - used <= {("patch", "events"), *rare}
    assert used <= granted
