"""What Flux users get from the daemon: tags become commits, objects say so, and the command flux works as it always did."""

from __future__ import annotations

import pytest

from tests.real.daemon_process import Daemon
from tests.real.flux_lab import FluxLab
from tests.real.flux_objects import (
    IMAGE_POLICY,
    IMAGE_REPOSITORY,
    IMAGE_UPDATE_AUTOMATION,
    NAMESPACE,
    condition,
    flux_object,
)
from tests.real.lab import definitions_folder
from tests.real.parts import free_port

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flux-flows")]

SETTINGS = """\
interval: 10s
state: {state}
listen: {{metrics: "127.0.0.1:{port}"}}
log: {{format: console}}
registries:
  - {{prefix: "{host}", url: "{registry}", insecure: true}}
kubernetes: {{kubeconfig: "{kubeconfig}", namespace: flux-system, leader_election: {elects}}}
sources:
  - flux: {flux}
"""
SHOP = b"""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
      - name: shop
        image: HOST/acme/shop:1.0.0   # {"$imagepolicy": "flux-system:shop"}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with FluxLab(tmp_path_factory.mktemp("flux"), definitions=definitions_folder()) as lab:
        yield lab


class Flow:
    """One test's view of the lab."""

    def __init__(self, lab, folder):
        self.lab, self.folder = lab, folder

    def daemon(self, *, flux="{}", elects="false"):
        self.folder.mkdir(exist_ok=True)
        port, config = free_port(), self.folder / "updater.yaml"
        values = {"state": self.folder / "state", "port": port, "host": self.lab.registry.host, "registry": self.lab.registry.url}
        config.write_text(SETTINGS.format(**values, kubeconfig=self.lab.kubeconfig, flux=flux, elects=elects))
        return Daemon(config, port, self.folder / "log")

    def apply(self, kind, name, spec):
        self.lab.cluster.apply_object(flux_object(kind, name, spec))

    def object(self, kind, name):
        return self.lab.cluster.request("GET", kind.path(name))

    def ready(self, kind, name):
        return condition(self.object(kind, name))

    def follow(self, name, *, branch="main", semver=">=1.0.0", **update):
        image = f"{self.lab.registry.host}/acme/{name}"
        self.apply(IMAGE_REPOSITORY, name, {"image": image, "interval": "10s", "insecure": True})
        self.apply(IMAGE_POLICY, name, {"imageRepositoryRef": {"name": name}, "policy": {"semver": {"range": semver}}})
        git = {
            "checkout": {"ref": {"branch": branch}},
            "commit": {
                "author": {"name": "fluxbot", "email": "flux@example.org"},
                "messageTemplate": "Update {{ range .Changed.Changes }}{{ .OldValue }} to {{ .NewValue }}{{ end }}",
            },
            "push": {"branch": branch},
        }
        source = {"kind": "GitRepository", "name": name}
        spec = {"interval": "10s", "sourceRef": source, "git": git, "update": {"path": "./apps", "strategy": "Setters"}}
        self.apply(IMAGE_UPDATE_AUTOMATION, name, {**spec, **update})


@pytest.fixture
def flow(lab, tmp_path):
    return Flow(lab, tmp_path / "flow")


def test_a_pushed_tag_is_a_commit_and_all_three_objects_say_so(lab, flow):
    """One tag, one policy, one automation: one commit, and statuses as flux get shows them."""
    lab.push_tag("acme/shop", "1.0.0", "1.1.0")
    host = lab.registry.host
    repository = lab.repository("shop", {"apps/shop.yaml": SHOP.replace(b"HOST", host.encode())})
    flow.follow("shop")
    with flow.daemon() as daemon:
        daemon.until(lambda: repository.git("log", "--format=%s", "main").splitlines()[0].startswith("Update"))
        assert repository.git("show", "main:apps/shop.yaml").encode() == SHOP.replace(b"HOST", host.encode()).replace(
            b"1.0.0", b"1.1.0"
        ), "not one other byte"
        assert repository.git("log", "-1", "--format=%an <%ae>", "main").strip() == "fluxbot <flux@example.org>"
        daemon.until(lambda: flow.ready(IMAGE_UPDATE_AUTOMATION, "shop").get("status") == "True")
        daemon.until(lambda: flow.object(IMAGE_UPDATE_AUTOMATION, "shop")["status"].get("lastPushCommit"))
        shown = lab.run("get", "images", "all").stdout
        assert "1.1.0" in shown
        print(shown)
        print(lab.run("get", "images", "all", "-A").stdout)
        lab.push_tag("acme/shop", "1.2.0")
        answered = lab.run("reconcile", "image", "repository", "shop")
        assert answered.returncode == 0, answered.stderr
        print(answered.stderr)
        daemon.until(lambda: "1.2.0" in repository.git("show", "main:apps/shop.yaml"))
        answered = lab.run("reconcile", "image", "update", "shop")
        assert answered.returncode == 0, answered.stderr
        print(answered.stderr)
    print(NAMESPACE, daemon.said()[-3000:])
