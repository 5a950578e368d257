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

    def applied(self, revision, *workloads):
        """Do what Flux does: a Kustomization reads the folder, and says which commit it applied, and what."""
        api, namespace = "kustomize.toolkit.fluxcd.io/v1", SHOP
        source = {"kind": "GitRepository", "name": "fleet"}
        entries = [{"id": f"{SHOP}_{name}_apps_{kind}", "v": "v1"} for kind, name in workloads]
        names = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository"}
        spec = {"url": self.lab.git_url, "ref": {"branch": "main"}}
        self.lab.cluster.apply_object({**names, "metadata": {"name": "fleet", "namespace": namespace}, "spec": spec})
        spec = {"path": "./web", "sourceRef": source}
        metadata = {"name": "web", "namespace": namespace}
        self.lab.cluster.apply_object({"apiVersion": api, "kind": "Kustomization", "metadata": metadata, "spec": spec})
        shown = f"main@sha1:{revision}"
        status = {"lastAppliedRevision": shown, "lastAttemptedRevision": shown, "inventory": {"entries": entries}}
        path = f"/apis/{api}/namespaces/{namespace}/kustomizations/web/status"
        self.lab.cluster.request("PATCH", path, {"status": status}, form=MERGE)

    def follows(self, name="one", *, is_found=False, **delivery):
        """Start a daemon that keeps the line current and follows what becomes of it."""
        subscription = {
            "key": "web",
            "image": self.image,
            "policy": {"semver": {"range": ">=1.0.0"}},
            "delivery": {"settle": "1s", **({} if is_found else {"workload": f"Deployment/{SHOP}/web"}), **delivery},
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
    config["subscriptions"].append({**subscription, "key": "canary", "delivery": {"workload": f"Rollout/{SHOP}/web"}})
    config["subscriptions"].append({**subscription, "key": "found", "delivery": {}})
    lab = FlowLab(tmp_path_factory.mktemp("delivery"), namespaces=(SHOP, "argocd"), values={"config": config})
    with lab:
        lab.cluster.install("argoproj.io", "Rollout", "rollouts")
        lab.cluster.install("kustomize.toolkit.fluxcd.io", "Kustomization", "kustomizations", version="v1")
        lab.cluster.install("source.toolkit.fluxcd.io", "GitRepository", "gitrepositories", version="v1", has_status=False)
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


def test_a_bad_release_is_taken_back_once_and_its_image_never_returns(flow):
    """One commit writes the version that ran well; then it is quiet, also for a daemon that starts with no state at all."""
    before = flow.lab.repository.head()
    with flow.follows(on_bad="revert") as daemon:
        daemon.until(daemon.is_ready)
        flow.push("web", "1.1.0")
        daemon.until(lambda: "web:1.1.0" in flow.git_says())
        flow.deploy("1.1.0")
        flow.fails()
        daemon.until(lambda: "web:1.0.0" in flow.git_says())
        assert len(flow.commits(before)) == 2
        message = flow.lab.repository.git("log", "-1", "--format=%B", "main")
        assert message.startswith(f"Revert {flow.image} to 1.0.0")
        assert "Updater-Rejected: web sha256:" in message
        flow.deploy("1.0.0")
        flow.reports()
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1)
        scans = daemon.metric("updater_scans_total")
        daemon.until(lambda: daemon.metric("updater_scans_total") >= scans + 2)
        assert len(flow.commits(before)) == 2
    with flow.follows("two", on_bad="revert") as daemon:
        daemon.until(lambda: daemon.metric("updater_scans_total") >= 2)
        daemon.until(lambda: daemon.metric("updater_subscription_rejected_images") == 1)
        assert len(flow.commits(before)) == 2
        flow.push("web", "1.2.0")
        daemon.until(lambda: "web:1.2.0" in flow.git_says())


def test_history_says_what_became_of_each_commit_and_what_ran_well_survives_a_kill(flow):
    """Killed between the commit and the verdict: the daemon that comes after takes the bad release back."""
    before = flow.lab.repository.head()
    with flow.follows(on_bad="revert") as daemon:
        daemon.until(daemon.is_ready)
        flow.push("web", "1.1.0")
        daemon.until(lambda: "web:1.1.0" in flow.git_says())
        flow.deploy("1.1.0")
        flow.reports()
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1)
        flow.push("web", "1.2.0")
        daemon.until(lambda: "web:1.2.0" in flow.git_says())
        config = daemon.config
    flow.deploy("1.2.0")
    flow.fails()
    with flow.follows(on_bad="revert") as daemon:
        daemon.until(lambda: "web:1.1.0" in flow.git_says())
        assert len(flow.commits(before)) == 3
        assert daemon.stop() <= 10
    told = flow.command("history", config=config).stdout
    assert "web  healthy after" in told
    assert "ProgressDeadlineExceeded: web has timed out" in told


def test_a_line_that_a_person_has_changed_meanwhile_is_never_taken_back(flow):
    with flow.follows(on_bad="revert", deadline="20s") as daemon:
        daemon.until(daemon.is_ready)
        flow.push("web", "1.1.0")
        daemon.until(lambda: "web:1.1.0" in flow.git_says())
        flow.push("web", "1.1.1-rc.1")
        flow.line_is("1.1.1-rc.1")
        head = flow.lab.repository.head()
        flow.deploy("1.1.0")
        flow.fails()
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="bad") + superseded(daemon) == 1)
        scans = daemon.metric("updater_scans_total")
        daemon.until(lambda: daemon.metric("updater_scans_total") >= scans + 2)
        assert flow.commits(head) == []
        assert "1.1.1-rc.1" in flow.git_says()


ROLLOUT = f"/apis/argoproj.io/v1alpha1/namespaces/{SHOP}/rollouts/web"


class RolloutFlow(Flow):
    """A Rollout instead of the Deployment; the test plays Argo Rollouts."""

    def deploy(self, tag):
        container = {"name": "web", "image": f"{self.image}:{tag}"}
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
        metadata = {"name": "web", "namespace": SHOP}
        body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": {"template": template}}
        self.lab.cluster.apply_object(body)

    def canary(self, *, stable, current, **status):
        """Write the status as Argo Rollouts does: the pods of *current* are on their way, those of *stable* serve."""
        generation = self.lab.cluster.request("GET", ROLLOUT)["metadata"]["generation"]
        body = {"observedGeneration": str(generation), "stableRS": stable, "currentPodHash": current, "abort": False, **status}
        self.lab.cluster.request("PATCH", f"{ROLLOUT}/status", {"status": body}, form=MERGE)

    def replica_set(self, hash_, tag):
        labels = {"app": "web", "rollouts-pod-template-hash": hash_}
        spec = {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": f"{self.image}:{tag}"}]},
            },
        }
        metadata = {"name": f"web-{hash_}", "namespace": SHOP, "labels": labels}
        self.lab.cluster.apply_object({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec})


@pytest.fixture
def rollout(delivery_lab, tmp_path):
    made = RolloutFlow(delivery_lab, tmp_path)
    made.clear()
    for path in (ROLLOUT, f"/apis/apps/v1/namespaces/{SHOP}/replicasets/web-first"):
        with contextlib.suppress(urllib.error.HTTPError):
            delivery_lab.cluster.request("DELETE", path)
    made.push("web", "1.0.0")
    made.line_is("1.0.0")
    made.deploy("1.0.0")
    made.replica_set("first", "1.0.0")
    made.canary(stable="first", current="first", phase="Healthy")
    yield made
    assert not denied(made.asked())


def test_an_aborted_canary_is_taken_back_to_what_is_stable_and_not_replaced_while_it_is_in_progress(rollout):
    """Push, commit, canary; a newer tag waits; abort; one revert to what the Rollout calls stable; then the newer tag."""
    workload = f"Rollout/{SHOP}/web"
    before = rollout.lab.repository.head()
    with rollout.follows(on_bad="revert", workload=workload) as daemon:
        daemon.until(daemon.is_ready)
        rollout.push("web", "1.1.0")
        daemon.until(lambda: "web:1.1.0" in rollout.git_says())
        rollout.deploy("1.1.0")
        rollout.canary(stable="first", current="second", phase="Paused", pauseConditions=[{"reason": "CanaryPauseStep"}])
        daemon.until(lambda: daemon.metric("updater_releases_in_flight") == 1)
        rollout.push("web", "1.2.0")
        daemon.until(lambda: daemon.metric("updater_failures_total", code="busy") >= 1)
        assert len(rollout.commits(before)) == 1
        rollout.canary(
            stable="first", current="second", phase="Paused", abort=True, message="RolloutAborted: Rollout aborted update"
        )
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="bad") == 1)
        daemon.until(lambda: len(rollout.commits(before)) >= 3)
        subjects = rollout.lab.repository.git("log", "--reverse", "--format=%s", f"{before}..main").splitlines()
        assert [subject.rpartition(" ")[2] for subject in subjects] == ["1.1.0", "1.0.0", "1.2.0"]


def superseded(daemon):
    return daemon.metric("updater_releases_total", verdict="superseded")


def test_a_release_that_the_agent_never_applied_is_never_taken_back(flow):
    before = flow.lab.repository.head()
    with flow.follows(on_bad="revert", deadline="2s") as daemon:
        daemon.until(daemon.is_ready)
        flow.push("web", "1.1.0")
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="unknown") == 1)
        scans = daemon.metric("updater_scans_total")
        daemon.until(lambda: daemon.metric("updater_scans_total") >= scans + 2)
        assert len(flow.commits(before)) == 1
        assert "web:1.1.0" in flow.git_says()


def test_a_second_step_back_is_for_a_person_to_make(flow):
    """What was written back fails too: that is told, and nothing more is written."""
    before = flow.lab.repository.head()
    with flow.follows(on_bad="revert") as daemon:
        daemon.until(daemon.is_ready)
        flow.push("web", "1.1.0")
        daemon.until(lambda: "web:1.1.0" in flow.git_says())
        flow.deploy("1.1.0")
        flow.fails()
        daemon.until(lambda: "web:1.0.0" in flow.git_says())
        flow.deploy("1.0.0")
        flow.fails()
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="bad") == 2)
        daemon.until(lambda: "a second step back is for a person" in daemon.said())
        assert len(flow.commits(before)) == 2


def test_a_workload_that_a_kustomization_applied_is_found_and_its_bad_release_is_taken_back(flow):
    """Nobody names it: the file that is written says which Kustomization reads it, and that one what it applied."""
    before = flow.lab.repository.head()
    flow.applied(before, ("Deployment", "web"))
    with flow.follows(is_found=True, on_bad="revert") as daemon:
        daemon.until(daemon.is_ready)
        flow.push("web", "1.1.0")
        daemon.until(lambda: "web:1.1.0" in flow.git_says())
        daemon.until(lambda: daemon.metric("updater_releases_in_flight") == 1)
        flow.deploy("1.1.0")
        flow.fails()  # before Flux says that it applied the commit: that is no verdict on it
        flow.applied(flow.lab.repository.head(), ("Deployment", "web"))
        daemon.until(lambda: "web:1.0.0" in flow.git_says())
        assert len(flow.commits(before)) == 2
        assert "canaries.flagger.app is not installed" in daemon.said()
        daemon.until(lambda: any(what[:2] == ("ReleaseBad", "Deployment") for what in events(flow)))
