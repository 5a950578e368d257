"""The real Argo CD as the agent: it is told of a commit at once, and what it says of it is read as it means it."""

from __future__ import annotations

import json

import pytest

from tests.real.argocd_lab import ArgocdLab
from tests.real.daemon_process import until
from tests.real.lab_objects import ARGOCD
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
    """The Application lists the Deployment; Argo CD looks once an hour, so that it is a webhook's refresh that makes it look."""
    image = f"{lab.registry.host}/shop/web"
    lab.push("shop/web", "1.0.0")
    repository = lab.application("shop", {"apps/web.yaml": DEPLOYMENT.replace("IMAGE", image).encode()})
    until(lambda: lab.status("shop").get("health", {}).get("status") == "Healthy", SLOW, say=lab.said)
    until(lambda: f"{image}:1.0.0" in lab.status("shop").get("summary", {}).get("images", []), SLOW, say=lab.said)
    subscription = {
        "key": "web",
        "image": image,
        "policy": {"semver": {"range": ">=1.0.0"}},
        "delivery": {"application": f"{ARGOCD}/shop", "settle": "1s"},
        "targets": [{"git": {"url": lab.git.url("shop.git"), "path": "apps"}, "marker": "fleet:web"}],
    }
    with lab.daemon(tmp_path, subscriptions=[subscription]) as daemon:
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


CHART = {"apps/Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n"}
CHART["apps/values.yaml"] = "image: {name: IMAGE, tag: 1.0.0}\n"
CHART["apps/templates/web.yaml"] = DEPLOYMENT.replace("IMAGE:1.0.0", "{{ .Values.image.name }}:{{ .Values.image.tag }}")
FOLDER = {"apps/kustomization.yaml": "resources: [web.yaml]\n", "apps/web.yaml": DEPLOYMENT}
RENAMED = {"apps/web.yaml": DEPLOYMENT.replace("IMAGE:1.0.0", "web")}
RENAMED["apps/kustomization.yaml"] = (
    f"{FOLDER['apps/kustomization.yaml']}images: [{{name: web, newName: IMAGE, newTag: 1.0.0}}]\n"
)
BESIDE = {**FOLDER, "apps/web.yaml": DEPLOYMENT + "      - {name: side, image: 'IMAGE-side:1.0.0'}\n"}
SHARED = {**BESIDE, "apps/.argocd-source.yaml": "kustomize:\n  images:\n  - IMAGE-side:1.0.5\n"}
EXTRA = {**FOLDER, "more/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"}


class Applied:
    """An Application of *files* that runs one image at 1.0.0, and *beside* it others; IMAGE stands for it in all texts."""

    def __init__(self, lab, name, files, *, sources=(), beside=(), **annotations):
        self.lab, self.name, self.beside = lab, name, beside
        self.image = f"{lab.registry.host}/shop/{name}"
        self.push("1.0.0")
        filled = {path: text.replace("IMAGE", self.image).encode() for path, text in files.items()}
        sources = json.loads(json.dumps(sources).replace("IMAGE", self.image))
        wanted = {"image_list": f"web={self.image}", "web.update_strategy": "semver", **annotations}
        self.repository = lab.application(name, filled, sources=sources, **wanted)
        until(lambda: self.runs("1.0.0"), SLOW, say=lambda: f"{lab.status(name)}\n{lab.said()}")

    def push(self, tag):
        self.lab.push(f"shop/{self.name}", tag)

    def runs(self, tag):
        """Say whether Argo CD says that all is synced and well, and that it runs this tag, and what is beside it."""
        return self.lab.runs(self.name, f"{self.image}:{tag}", *(text.replace("IMAGE", self.image) for text in self.beside))

    def synced(self):
        """Give the revisions that Argo CD says it applied."""
        sync = self.lab.status(self.name)["sync"]
        return {sync["revision"]} if "revision" in sync else set(sync["revisions"])

    def overrides(self):
        return self.repository.show(f"apps/.argocd-source-{self.name}.yaml").decode()


@pytest.fixture
def applied(lab):
    """Make Applications that are gone after the test: every daemon keeps all current that it finds."""
    made = []

    def make(name, files, **options):
        made.append(name)
        return Applied(lab, name, files, **options)

    yield make
    for name in made:
        lab.delete(name)


def test_argo_cd_is_refreshed_for_each_commit_and_renders_the_override_file(lab, applied, tmp_path):
    """Nobody else tells it of a commit, and it looks by itself once an hour: each commit is refreshed, synced, and healthy."""
    web = applied("written", FOLDER, write_back_method="git")
    with lab.daemon(tmp_path, delivery={"settle": "1s"}) as daemon:
        daemon.until(daemon.is_ready)
        for number, tag in enumerate(("1.1.0", "1.2.0"), 1):
            web.push(tag)
            daemon.until(lambda number=number: daemon.metric("updater_commits_total", method="git") == number, SLOW)
            assert web.overrides() == f"kustomize:\n  images:\n  - {web.image}:{tag}\n"
            daemon.until(lambda tag=tag: web.runs(tag), SLOW)
            assert web.synced() == {web.repository.head()}
            healthy = number
            daemon.until(lambda healthy=healthy: daemon.metric("updater_releases_total", verdict="healthy") == healthy, SLOW)
            assert daemon.metric("updater_kubernetes_writes_total", kind="refresh", result="ok") == number
        assert daemon.metric("updater_releases_total", verdict="bad") == 0
    assert "argocd.argoproj.io/refresh" not in lab.read("written")["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("name", "files", "options"),
    [
        ("renamed", RENAMED, {"web.kustomize.image_name": "web"}),
        ("chart", CHART, {}),
        ("several", EXTRA, {"sources": [{"path": "more"}, {}]}),
        ("pinned", BESIDE, {"sources": [{"kustomize": {"images": ["IMAGE-side:1.0.5"]}}], "beside": ["IMAGE-side:1.0.5"]}),
        ("shared", SHARED, {"beside": ["IMAGE-side:1.0.5"]}),
    ],
    ids=["a renamed image", "a chart", "several sources", "a pin of the Application", "a pin for all Applications"],
)
def test_argo_cd_deploys_the_new_tag_of_an_override_file_and_all_else_as_before(lab, applied, tmp_path, name, files, options):
    """What a new file says is deployed, and what it would hide stays deployed."""
    web = applied(name, files, write_back_method="git", **options)
    with lab.daemon(tmp_path, delivery={"settle": "1s"}) as daemon:
        daemon.until(daemon.is_ready)
        web.push("1.1.0")
        daemon.until(lambda: web.runs("1.1.0"), SLOW)
        assert "1.1.0" in web.overrides()
        assert web.synced() == {web.repository.head()}
        daemon.until(lambda: daemon.metric("updater_releases_total", verdict="healthy") == 1, SLOW)


def test_argo_cd_syncs_a_live_patch_of_the_images_of_an_application(lab, applied, tmp_path):
    """The argocd method writes spec.source.kustomize.images; Argo CD sees that its spec is another, and no commit is made."""
    web = applied("patched", FOLDER, write_back_method="argocd")
    before = web.repository.head()
    with lab.daemon(tmp_path, delivery={"settle": "1s"}) as daemon:
        daemon.until(daemon.is_ready)
        web.push("1.1.0")
        daemon.until(lambda: web.runs("1.1.0"), SLOW)
        assert lab.read("patched")["spec"]["source"]["kustomize"]["images"] == [f"{web.image}:1.1.0"]
        assert web.repository.head() == before
