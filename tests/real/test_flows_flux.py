"""What Flux users get from the daemon: tags become commits, objects say so, and the command flux works as it always did."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
from datetime import UTC, datetime

import pytest

from tests.real.daemon_process import Daemon, environment
from tests.real.flux_events import EventsReceiver
from tests.real.flux_lab import FluxLab
from tests.real.flux_objects import (
    IMAGE_POLICY,
    IMAGE_REPOSITORY,
    IMAGE_UPDATE_AUTOMATION,
    NAMESPACE,
    condition,
    conditions,
    flux_object,
    kustomization,
)
from tests.real.flux_parts import write_status
from tests.real.lab import definitions_folder
from tests.real.lab_objects import ROOT
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

    def configured(self, *, flux="{}", elects="false", port=0):
        """Write an updater.yaml for the lab, and return its path."""
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "updater.yaml"
        values = {"state": self.folder / "state", "port": port, "host": self.lab.registry.host, "registry": self.lab.registry.url}
        config.write_text(SETTINGS.format(**values, kubeconfig=self.lab.kubeconfig, flux=flux, elects=elects))
        return config

    def daemon(self, **options):
        port = free_port()
        return Daemon(self.configured(port=port, **options), port, self.folder / "log")

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


def test_what_one_automation_does_wrong_stops_no_other_of_the_same_policy(lab, flow):
    """A push branch that another one writes, and a folder that is not there: each says so, and the third commits."""
    lab.push_tag("acme/many", "1.0.0", "1.1.0")
    lab.push_tag("acme/other", "3.0.0")
    host = lab.registry.host
    file = SHOP.replace(b"HOST", host.encode()).replace(b"shop", b"many")
    repository = lab.repository("many", {"apps/many.yaml": file})
    repository.git("branch", "next", "main")
    flow.follow("many")
    spec = flow.object(IMAGE_UPDATE_AUTOMATION, "many")["spec"]

    def beside(name, path, checkout, push):
        git = {**spec["git"], "checkout": {"ref": {"branch": checkout}}, "push": {"branch": push}}
        flow.apply(IMAGE_UPDATE_AUTOMATION, name, {**spec, "git": git, "update": {"path": path, "strategy": "Setters"}})

    beside("many-missing", "./nope", "main", "main")
    beside("many-over", "./apps", "main", "next")
    beside("many-next", "./apps", "next", "next")
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in repository.git("show", "main:apps/many.yaml"))
        daemon.until(lambda: "1.1.0" in repository.git("show", "next:apps/many.yaml"))
        for name, said in (("many-missing", "there is no folder nope"), ("many-over", "writes to it straight")):
            daemon.until(lambda name=name: flow.ready(IMAGE_UPDATE_AUTOMATION, name).get("reason") == "UpdateFailed")
            assert said in flow.ready(IMAGE_UPDATE_AUTOMATION, name)["message"]
        assert lab.run("reconcile", "image", "policy", "many").returncode == 0
        daemon.until(lambda: flow.ready(IMAGE_UPDATE_AUTOMATION, "many").get("message") == "repository up-to-date")
        repository_spec = flow.object(IMAGE_REPOSITORY, "many")["spec"]
        for image, tag in ((f"{host}/acme/other", "3.0.0"), (f"{host}/acme/many", "1.1.0")):  # moved, and moved back
            flow.apply(IMAGE_REPOSITORY, "many", {**repository_spec, "image": image})
            daemon.until(lambda wanted=f"{image}:{tag}": wanted in repository.git("show", "main:apps/many.yaml"))


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


def test_what_the_original_skips_in_silence_is_said_on_the_automation(lab, flow):
    """A misspelt marker, an unknown policy, a file that cannot be read: each with file and line, and the rest is written."""
    lab.push_tag("acme/said", "1.0.0", "1.1.0")
    good = SHOP.replace(b"HOST", lab.registry.host.encode()).replace(b"shop", b"said")
    files = {
        "apps/good.yaml": good,
        "apps/misspelt.yaml": b'image: a:1 # {"$imagepolicy": "flux-system:said:tgg"}\n',
        "apps/unknown.yaml": b'image: a:1 # {"$imagepolicy": "flux-system:nobody"}\n',
        "apps/a..b.yaml": b'image: a:1 # {"$imagepolicy": "flux-system:said:tag"}\n',
        "apps/broken.yaml": b'image: a:1 # {"$imagepolicy": "flux-system:said"}\n\tx: [\n',
    }
    repository = lab.repository("said", files)
    flow.follow("said")
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in repository.git("show", "main:apps/good.yaml"))
        daemon.until(lambda: "unknown.yaml:1" in flow.ready(IMAGE_UPDATE_AUTOMATION, "said").get("message", ""))
        message = flow.ready(IMAGE_UPDATE_AUTOMATION, "said")["message"]
        assert message.startswith("repository up-to-date")
        for said in ("misspelt.yaml:1", "unknown.yaml:1", "broken.yaml"):
            assert said in message
        assert repository.git("show", "main:apps/a..b.yaml").startswith("image: 1.1.0 ")
        daemon.until(lambda: len(events_on(lab, "said")) > 1)


def test_an_automation_commits_signed_to_a_branch_of_its_own_and_names_itself(lab, flow):
    """A push branch with a lease, an SSH key from a Secret, and the template data of the automation."""
    lab.push_tag("acme/side", "1.0.0", "1.1.0")
    file = SHOP.replace(b"HOST", lab.registry.host.encode()).replace(b"shop", b"side")
    repository = lab.repository("side", {"apps/side.yaml": file})
    key = flow.folder.parent / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "signer", "namespace": NAMESPACE}}
    lab.cluster.apply_object({**secret, "stringData": {"identity": key.read_text()}})
    commit = {
        "author": {"name": "fluxbot", "email": "flux@example.org"},
        "messageTemplate": "{{ .AutomationObject }} for {{ .Values.team }}",
        "messageTemplateValues": {"team": "web"},
        "signingKey": {"type": "ssh", "secretRef": {"name": "signer"}},
    }
    git = {"checkout": {"ref": {"branch": "main"}}, "commit": commit, "push": {"branch": "updates"}}
    flow.follow("side", git=git)
    with flow.daemon() as daemon:
        daemon.until(lambda: "updates" in repository.git("branch", "--format=%(refname:short)").split())
        assert repository.git("log", "-1", "--format=%s", "updates").strip() == f"{NAMESPACE}/side for web"
        allowed = flow.folder.parent / "allowed"
        allowed.write_text(f"flux@example.org {key.with_suffix('.pub').read_text()}")
        verified = ("-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", "updates")
        repository.git(*verified)
        assert "1.0.0" in repository.git("show", "main:apps/side.yaml")
        head = repository.head("updates")
        assert lab.run("reconcile", "image", "update", "side").returncode == 0
        assert repository.head("updates") == head, "same base, same tree: nothing is pushed"


def test_objects_that_cannot_work_say_so_in_the_words_of_the_original(lab, flow):
    """Each with its reason, and the daemon goes on with the others."""
    image = f"{lab.registry.host}/acme/faulty"
    lab.push_tag("acme/faulty", "1.0.0")
    scan = {"interval": "10s", "insecure": True}
    flow.apply(IMAGE_REPOSITORY, "scheme", {**scan, "image": f"https://{image}"})
    flow.apply(IMAGE_REPOSITORY, "locked", {**scan, "image": image, "secretRef": {"name": "nothing"}})
    flow.apply(IMAGE_REPOSITORY, "faulty", {**scan, "image": image})
    one = {"imageRepositoryRef": {"name": "faulty"}}
    flow.apply(IMAGE_POLICY, "range", {**one, "policy": {"semver": {"range": "a..b"}}})
    flow.apply(IMAGE_POLICY, "lost", {"imageRepositoryRef": {"name": "gone"}, "policy": {"semver": {"range": "*"}}})
    flow.apply(IMAGE_POLICY, "none", {**one, "policy": {"semver": {"range": ">=9"}}})
    git = {"commit": {"author": {"name": "bot", "email": "bot@example.org"}}}
    source = {"kind": "GitRepository", "name": "nowhere"}
    flow.apply(IMAGE_UPDATE_AUTOMATION, "lost", {"interval": "10s", "sourceRef": source, "git": git, "update": {"path": "."}})
    expected = [
        (IMAGE_REPOSITORY, "scheme", "ImageURLInvalid"),
        (IMAGE_REPOSITORY, "locked", "AuthenticationFailed"),
        (IMAGE_REPOSITORY, "faulty", "Succeeded"),
        (IMAGE_POLICY, "range", "InvalidPolicy"),
        (IMAGE_POLICY, "lost", "DependencyNotReady"),
        (IMAGE_POLICY, "none", "Failure"),
        (IMAGE_UPDATE_AUTOMATION, "lost", "SourceManagerFailed"),
    ]
    with flow.daemon() as daemon:
        for kind, name, reason in expected:
            daemon.until(lambda kind=kind, name=name: flow.ready(kind, name).get("reason") not in {None, "Progressing"})
            assert flow.ready(kind, name)["reason"] == reason, flow.ready(kind, name)
        reconciled = lab.run("reconcile", "image", "repository", "scheme", "--timeout=20s")
        assert reconciled.returncode != 0
        assert "scheme" in reconciled.stderr


def test_before_the_switch_each_policy_and_each_marker_says_what_would_happen(lab, flow):
    """`validate --live` over a checkout: nothing is written, and no registry and no Git server is asked."""
    image = f"{lab.registry.host}/acme/before"
    spec = {"image": image, "interval": "10s"}
    flow.apply(IMAGE_REPOSITORY, "before", spec)
    flow.follow("before")
    flow.apply(IMAGE_POLICY, "broken", {"imageRepositoryRef": {"name": "before"}, "policy": {"semver": {"range": "a..b"}}})
    lab.repository("before", {"a.yaml": b""})
    moment = "2026-01-01T00:00:00Z"
    latest = {"latestRef": {"name": image, "tag": "1.1.0"}, "conditions": conditions(1, reason="Succeeded", message=moment)}
    write_status(lab.cluster, IMAGE_POLICY.path("before"), latest)
    checkout = flow.folder.parent / "checkout"
    checkout.mkdir()
    (checkout / "app.yaml").write_text(
        f'a: {image}:1.0.0 # {{"$imagepolicy": "{NAMESPACE}:before"}}\n'
        f'b: 1.1.0 # {{"$imagepolicy": "{NAMESPACE}:before:tag"}}\n'
        f'c: 1.0.0 # {{"$imagepolicy": "{NAMESPACE}:broken:tag"}}\n'
        f'd: 1.0.0 # {{"$imagepolicy": "{NAMESPACE}:nobody:tag"}}\n'
    )
    asked, config = len(lab.git.requests), flow.configured()
    done = updater("validate", "--live", "-c", str(config), str(checkout))
    assert done.returncode == 1, done.stderr
    for said in (
        f"app.yaml:1: {NAMESPACE}:before\n  {image}:1.0.0 → {image}:1.1.0",
        f"app.yaml:2: {NAMESPACE}:before\n  1.1.0 stays",
        f"app.yaml:3: {NAMESPACE}:broken\n  not written (",
        "app.yaml:4: the marker names flux-system:nobody",
        f"ImagePolicy {NAMESPACE}/before\n  {image} semver >=1.0.0; selected last: 1.1.0; written to https://",
        f"ImagePolicy {NAMESPACE}/broken\n  not written (",
    ):
        assert said in done.stdout, done.stdout
    assert len(lab.git.requests) == asked
    found = json.loads(updater("validate", "--live", "-o", "json", "-c", str(config), str(checkout)).stdout)
    assert {"subject", "sentence", "code"} == found["flux"][0].keys()


def test_a_shard_reads_the_objects_of_its_label_alone(lab, flow):
    """watch_label_selector: an object without the label is nobody's here."""
    image = f"{lab.registry.host}/acme/shard"
    lab.push_tag("acme/shard", "1.0.0")
    ours = flux_object(IMAGE_REPOSITORY, "ours", {"image": image, "interval": "10s"})
    ours["metadata"]["labels"] = {"sharding.fluxcd.io/key": "shard1"}
    lab.cluster.apply_object(ours)
    flow.apply(IMAGE_REPOSITORY, "others", {"image": image, "interval": "10s"})
    with flow.daemon(flux="{watch_label_selector: sharding.fluxcd.io/key=shard1}") as daemon:
        daemon.until(lambda: flow.object(IMAGE_REPOSITORY, "ours").get("status", {}).get("lastScanResult"))
        assert "lastScanResult" not in flow.object(IMAGE_REPOSITORY, "others").get("status", {})


def updater(*arguments):
    """Run one command of the program to its end."""
    command = [sys.executable, "-m", "updater", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=90)


def test_alerts_and_dashboards_of_flux_go_on(lab, flow):
    """Events are posted to the events address, a policy answers a request, and the histogram of Flux is served."""
    lab.push_tag("acme/told", "1.0.0", "1.1.0")
    file = SHOP.replace(b"HOST", lab.registry.host.encode()).replace(b"shop", b"told")
    lab.repository("told", {"apps/told.yaml": file})
    flow.follow("told")
    with EventsReceiver() as receiver, flow.daemon(flux=f'{{events_address: "{receiver.url}"}}') as daemon:
        daemon.until(lambda: receiver.about("ImageUpdateAutomation", "told"))
        pushed = receiver.about("ImageUpdateAutomation", "told")[-1].body
        assert pushed["message"].startswith("pushed commit '")
        assert (pushed["severity"], pushed["reason"]) == ("info", "Succeeded")
        assert receiver.about("ImageRepository", "told")
        assert receiver.about("ImagePolicy", "told")
        answered = lab.run("reconcile", "image", "policy", "told")
        assert (answered.returncode, "selected ref" in answered.stderr) == (0, True), answered.stderr
        assert daemon.metric("gotk_reconcile_duration_seconds_count", kind="ImagePolicy") > 0


def test_a_reverted_release_and_a_key_that_is_missing_are_said_where_people_look(lab, flow):
    """A revert holds the tag and the automation says so; a signing key that cannot be had stops its own automation alone."""
    lab.push_tag("acme/back", "1.0.0", "1.1.0")
    file = SHOP.replace(b"HOST", lab.registry.host.encode()).replace(b"shop", b"back")
    repository = lab.repository("back", {"apps/back.yaml": file, "other/back.yaml": file})
    flow.follow("back")
    spec = flow.object(IMAGE_UPDATE_AUTOMATION, "back")["spec"]
    key = {"type": "ssh", "secretRef": {"name": "nowhere"}}
    commit = {**spec["git"]["commit"], "signingKey": key}
    keyless = {**spec, "git": {**spec["git"], "commit": commit}, "update": {"path": "./other", "strategy": "Setters"}}
    flow.apply(IMAGE_UPDATE_AUTOMATION, "keyless", keyless)
    with flow.daemon() as daemon:
        daemon.until(lambda: "1.1.0" in repository.git("show", "main:apps/back.yaml"))
        daemon.until(lambda: "nowhere" in flow.ready(IMAGE_UPDATE_AUTOMATION, "keyless").get("message", ""))
        assert "1.0.0" in repository.git("show", "main:other/back.yaml")
        message = f'Revert "Update"\n\nThis reverts commit {repository.head()}.'
        repository.commit({"apps/back.yaml": file}, message=message)
        assert lab.run("reconcile", "image", "update", "back").returncode == 0
        daemon.until(lambda: "1.1.0 is not written" in flow.ready(IMAGE_UPDATE_AUTOMATION, "back").get("message", ""))
        assert "1.0.0" in repository.git("show", "main:apps/back.yaml")
        assert "resolved to 1.1.0" in lab.run("get", "images", "policy", "back").stdout
