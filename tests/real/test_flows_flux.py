"""What Flux users get from the daemon: tags become commits, objects say so, and the command flux works as it always did."""

from __future__ import annotations

import urllib.error
from datetime import UTC, datetime

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
    kustomization,
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
LOOP = b"""\
apiVersion: v1
kind: ConfigMap
metadata: {name: loop, namespace: flux-system}
data:
  image: HOST/acme/loop:1.0.0 # {"$imagepolicy": "flux-system:loop"}
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
        for said in ("found 2 tags", f"{host}/acme/shop", "resolved to 1.1.0", "repository up-to-date"):
            assert said in shown
        lab.push_tag("acme/shop", "1.2.0")
        answered = lab.run("reconcile", "image", "repository", "shop")
        assert (answered.returncode, "scan fetched 3 tags" in answered.stderr) == (0, True), answered.stderr
        daemon.until(lambda: b"1.2.0" in repository.git("show", "main:apps/shop.yaml").encode())
        answered = lab.run("reconcile", "image", "update", "shop")
        assert (answered.returncode, "repository up-to-date" in answered.stderr) == (0, True), answered.stderr
        assert len(repository.git("log", "--format=%s", "main").splitlines()) == 3


def test_a_pushed_tag_reaches_the_cluster_through_fluxs_own_controllers(lab, flow):
    """Tag, policy, commit, artifact of the GitRepository, Kustomization applied: nothing of it is played."""
    lab.push_tag("acme/loop", "1.0.0")
    host = lab.registry.host.encode()
    repository = lab.repository("loop", {"apps/loop.yaml": LOOP.replace(b"HOST", host)}, interval="3s")
    lab.cluster.apply_object(kustomization("loop", "loop", "./apps"))
    flow.follow("loop")
    with lab.source_controller(), lab.kustomize_controller(), flow.daemon() as daemon:
        daemon.until(lambda: applied(lab) == f"{lab.registry.host}/acme/loop:1.0.0")
        lab.push_tag("acme/loop", "1.1.0")
        assert lab.run("reconcile", "image", "repository", "loop").returncode == 0
        daemon.until(lambda: applied(lab) == f"{lab.registry.host}/acme/loop:1.1.0")
        assert len(repository.git("log", "--format=%s", "main").splitlines()) == 2


def applied(lab):
    """Return the image in the ConfigMap that the Kustomization applies, None where there is none yet."""
    try:
        found = lab.cluster.request("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/loop")
    except urllib.error.HTTPError:
        return None
    return found["data"]["image"]


def test_what_is_suspended_stays_and_goes_on_when_it_is_resumed(lab, flow):
    """The command suspends each kind: nothing moves, and after resume everything does."""
    lab.push_tag("acme/still", "1.0.0")
    file = SHOP.replace(b"HOST", lab.registry.host.encode()).replace(b"shop", b"still")
    repository = lab.repository("still", {"apps/still.yaml": file})
    flow.follow("still")
    with flow.daemon() as daemon:
        daemon.until(lambda: flow.ready(IMAGE_UPDATE_AUTOMATION, "still").get("status") == "True")
        assert lab.run("suspend", "image", "update", "still").returncode == 0
        lab.push_tag("acme/still", "1.1.0")
        assert lab.run("reconcile", "image", "repository", "still").returncode == 0
        daemon.until(lambda: flow.object(IMAGE_POLICY, "still")["status"]["latestRef"]["tag"] == "1.1.0")
        assert len(repository.git("log", "--format=%s", "main").splitlines()) == 1
        assert lab.run("suspend", "image", "repository", "still").returncode == 0
        assert lab.run("resume", "image", "update", "still").returncode == 0
        daemon.until(lambda: "1.1.0" in repository.git("show", "main:apps/still.yaml"))
        assert lab.run("resume", "image", "repository", "still").returncode == 0


def test_a_quiet_daemon_writes_nothing_to_the_cluster(lab, flow):
    """Scans and looks at Git go on; what is the same is not written, and a time alone not before an hour has passed."""
    space, image = lab.cluster.namespace("quiet"), f"{lab.registry.host}/acme/quiet"
    lab.push_tag("acme/quiet", "1.0.0")
    file = f'image: {image}:1.0.0 # {{"$imagepolicy": "quiet:quiet"}}\n'
    lab.repository("quiet", {"apps/quiet.yaml": file.encode()}, namespace=space)
    git = {"checkout": {"ref": {"branch": "main"}}, "commit": {"author": {"email": "flux@example.org"}}}
    source = {"kind": "GitRepository", "name": "quiet"}
    specs = (
        (IMAGE_REPOSITORY, {"image": image, "interval": "2s", "insecure": True}),
        (IMAGE_POLICY, {"imageRepositoryRef": {"name": "quiet"}, "policy": {"semver": {"range": ">=1.0.0"}}}),
        (IMAGE_UPDATE_AUTOMATION, {"interval": "2s", "sourceRef": source, "git": git, "update": {"path": "./apps"}}),
    )
    for kind, spec in specs:
        lab.cluster.apply_object(flux_object(kind, "quiet", spec, namespace=space))

    def found():
        objects = [lab.cluster.request("GET", kind.path("quiet", space)) for kind, _ in specs]
        return [condition(each).get("status") for each in objects], [each["metadata"]["resourceVersion"] for each in objects]

    with flow.daemon(flux="{namespaces: [quiet]}") as daemon:
        daemon.until(lambda: found()[0] == ["True"] * 3 and daemon.metric("updater_kubernetes_writes_total", kind="event") >= 2)
        _, versions = found()
        names = ("updater_kubernetes_writes_total", "updater_scans_total", "updater_git_requests_total")
        writes, scans, asked = map(daemon.metric, names)
        daemon.until(lambda: daemon.metric(names[1]) >= scans + 3 and daemon.metric(names[2]) >= asked + 3)
        assert (daemon.metric(names[0]), found()[1]) == (writes, versions)


def test_while_fluxs_own_controllers_renew_their_leases_nothing_is_written(lab, flow):
    """Log, metric and Event say so; once the Lease is given back everything goes on."""
    lab.push_tag("acme/twice", "1.0.0", "1.1.0")
    file = SHOP.replace(b"HOST", lab.registry.host.encode()).replace(b"shop", b"twice")
    repository = lab.repository("twice", {"apps/twice.yaml": file})
    lease = lease_of("image-automation-controller", "pod-1")
    lab.cluster.apply_object(lease)
    flow.follow("twice")
    try:
        with flow.daemon() as daemon:
            daemon.until(lambda: daemon.metric("updater_problems", source="flux", code="flux-runs") == 1)
            daemon.until(lambda: "FluxRuns" in events_on(lab, "twice"))
            assert "image-automation-controller of Flux still runs" in daemon.said()
            assert "conditions" not in flow.object(IMAGE_UPDATE_AUTOMATION, "twice").get("status", {})
            lab.cluster.apply_object(lease_of("image-automation-controller", ""))
            daemon.until(lambda: "1.1.0" in repository.git("show", "main:apps/twice.yaml"))
            daemon.until(lambda: daemon.metric("updater_problems", source="flux", code="flux-runs") == 0)
    finally:
        lab.cluster.apply_object(lease_of("image-automation-controller", ""))


def lease_of(controller, holder):
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": f"{controller}-leader-election", "namespace": NAMESPACE},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 600, "renewTime": moment},
    }


def events_on(lab, name):
    found = lab.cluster.request("GET", f"/api/v1/namespaces/{NAMESPACE}/events")["items"]
    return {item["reason"] for item in found if item["involvedObject"]["name"] == name}
