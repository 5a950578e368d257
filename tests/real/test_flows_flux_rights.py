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
from tests.real.people_site import PERSON, PeopleSite, web_settings

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


def started(lab, folder, account="updater", **more):
    """Start a daemon as an account of the chart."""
    wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
    (folder / "token").write_text(lab.cluster.request("POST", path, wanted)["status"]["token"])
    kubeconfig = lab.cluster.kubeconfig(folder / "kubeconfig", {"tokenFile": str(folder / "token")})
    port = free_port()
    tree = {
        "interval": "5s",
        "state": str(folder / "state"),
        "listen": {"metrics": f"127.0.0.1:{port}", **more.pop("listen", {})},
        "log": {"format": "console"},
        "registries": [{"prefix": lab.registry.host, "url": lab.registry.url, "insecure": True}],
        "kubernetes": {"kubeconfig": str(kubeconfig), "namespace": NAMESPACE, "lease": account},
        "sources": VALUES["config"]["sources"],
        **more,
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


PEOPLE = {
    "config": {
        **VALUES["config"],
        "kubernetes": {"lease": "people"},
        "listen": {"web": "0.0.0.0:8090"},
        "web": {"roles": {"act": [PERSON]}},
    },
    "fullnameOverride": "people",
    "serviceAccount": {"name": "people"},
}
PERSONS = APP.replace(b"flux-system:app:tag", b"flux-system:people:tag").replace(b"name: app,", b"name: people,")


def test_what_a_person_does_at_the_page_stands_on_the_image_policy_with_their_name(lab, tmp_path):
    """Pinned, released, rejected under the rights that the chart grants; Git follows each of them."""
    for body in template_of(namespace=NAMESPACE, **PEOPLE):
        if "Role" in body["kind"] or body["kind"] == "ServiceAccount":
            lab.cluster.apply_object(body)
    lab.push_tag("acme/people", "1.0.0")
    lab.push_tag("acme/people", "1.1.0")
    repository = lab.repository("people", {"apps/app.yaml": PERSONS}, interval="3s")
    apply(lab, IMAGE_REPOSITORY, "people", {"image": f"{lab.registry.host}/acme/people", "interval": "2s"})
    policy = {"imageRepositoryRef": {"name": "people"}, "policy": {"semver": {"range": ">=1.0.0"}}}
    apply(lab, IMAGE_POLICY, "people", policy)
    git = {"checkout": {"ref": {"branch": "main"}}, "commit": {"author": {"name": "bot", "email": "bot@example.org"}}}
    source = {"kind": "GitRepository", "name": "people"}
    automation = {"interval": "2s", "sourceRef": source, "git": git, "update": {"path": "./apps"}}
    apply(lab, IMAGE_UPDATE_AUTOMATION, "people", automation)
    site, key = PeopleSite(), f"ImagePolicy {NAMESPACE}/people"

    def line():
        return repository.git("show", "main:apps/app.yaml")

    def decided(kind):
        annotations = lab.cluster.request("GET", IMAGE_POLICY.path("people"))["metadata"].get("annotations", {})
        text = annotations.get(f"image-updater.gitops/{kind}")
        return yaml.safe_load(text) if text else None

    with started(lab, tmp_path, "people", listen={"web": site.listen}, web=web_settings(tmp_path)) as daemon:
        daemon.until(lambda: "tag: 1.1.0" in line())
        site.act(key, "pin", tag="1.0.0")
        daemon.until(lambda: "tag: 1.0.0" in line())
        assert (decided("pin")["tag"], decided("pin")["author"]) == ("1.0.0", PERSON)
        site.act(key, "release")
        daemon.until(lambda: "tag: 1.1.0" in line())
        assert decided("pin") is None
        site.act(key, "hold")
        daemon.until(lambda: f"held by {PERSON}" in site.visit(key))
        assert decided("hold")["author"] == PERSON
        site.act(key, "reject", image="1.2.0")
        assert [(item["tag"], item["author"]) for item in decided("reject")] == [("1.2.0", PERSON)]
        lab.push_tag("acme/people", "1.2.0", "1.1.1")
        daemon.until(lambda: f"rejected by {PERSON}" in site.visit(key))
        assert "tag: 1.1.0" in line()
        assert daemon.metric("updater_kubernetes_requests_total", status="403") == 0, daemon.said()
