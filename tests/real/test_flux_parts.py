"""What tests may expect of the real programs of Flux: artifacts of commits, what is applied from them, and its command."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request

import pytest

from tests.real.daemon_process import until
from tests.real.flux_events import EventsReceiver
from tests.real.flux_lab import USER, FluxLab
from tests.real.flux_objects import (
    GIT_REPOSITORY,
    IMAGE_POLICY,
    IMAGE_REPOSITORY,
    IMAGE_UPDATE_AUTOMATION,
    IMAGES,
    KINDS,
    KUSTOMIZATION,
    NAMESPACE,
    REQUESTED_AT,
    condition,
    conditions,
    flux_object,
    kustomization,
)
from tests.real.flux_parts import end_flux, exists, request_reconciliation, until_ready, write_status
from tests.real.lab import definitions_folder
from tests.real.parts import require

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flux-parts")]

CONFIG_MAP = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"


# the project is whole without the owners' definitions; where they are, they judge our objects too
DEFINITIONS = ("open", "owners") if definitions_folder() else ("open",)


@pytest.fixture(scope="module", params=DEFINITIONS)
def flux(request, tmp_path_factory):
    definitions = definitions_folder() if request.param == "owners" else None
    with FluxLab(tmp_path_factory.mktemp("flux"), definitions=definitions) as lab:
        yield lab


@pytest.fixture(scope="module")
def events():
    with EventsReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def controllers(flux, events):
    flags = (f"--events-addr={events.url}",)
    with flux.source_controller(flags) as source, flux.kustomize_controller(flags) as kustomize:
        yield source, kustomize


def manifests(tag: str) -> dict[str, bytes]:
    """Return a folder that Kustomize builds: a Deployment with an image, and a ConfigMap that names its tag."""
    metadata = f"metadata: {{name: shop, namespace: {NAMESPACE}}}"
    deployment = f"""apiVersion: apps/v1
kind: Deployment
{metadata}
spec:
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec:
      containers:
        - name: shop
          image: registry.example.org/acme/shop:{tag}
"""
    return {
        "apps/kustomization.yaml": b"resources: [shop.yaml, about.yaml]\n",
        "apps/shop.yaml": deployment.encode(),
        "apps/about.yaml": f"apiVersion: v1\nkind: ConfigMap\n{metadata}\ndata: {{tag: {tag}}}\n".encode(),
    }


def image_of(deployment: dict) -> str:
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image.rpartition(":")[2]


def test_a_commit_becomes_an_artifact_and_is_applied_and_so_is_the_next_one_that_is_asked_for(flux, controllers):
    repository = flux.repository("fleet", manifests("1.0.0"))
    flux.cluster.apply_object(kustomization("fleet", "fleet", "./apps"))
    applied = until_ready(flux.cluster, KUSTOMIZATION.path("fleet"))
    assert applied["status"]["lastAppliedRevision"] == f"main@sha1:{repository.head()}"
    assert image_of(flux.cluster.request("GET", f"{DEPLOYMENT}/shop")) == "1.0.0"
    assert flux.cluster.request("GET", f"{CONFIG_MAP}/shop")["data"] == {"tag": "1.0.0"}

    repository.commit(manifests("1.1.0"))
    requested = request_reconciliation(flux.cluster, GIT_REPOSITORY.path("fleet"))
    source = until_ready(flux.cluster, GIT_REPOSITORY.path("fleet"), requested=requested)
    assert source["status"]["artifact"]["revision"] == f"main@sha1:{repository.head()}"
    until(lambda: image_of(flux.cluster.request("GET", f"{DEPLOYMENT}/shop")) == "1.1.0", say=controllers[1].said)

    def told():  # what is applied is in the cluster before the status says so
        return until_ready(flux.cluster, KUSTOMIZATION.path("fleet"))["status"]["lastAppliedRevision"]

    until(lambda: told() == f"main@sha1:{repository.head()}", say=told)


def test_an_artifact_is_served_on_loopback_only_to_who_has_its_path(flux, controllers):
    flux.repository("artifact", manifests("1.0.0"))
    source = until_ready(flux.cluster, GIT_REPOSITORY.path("artifact"))
    url = source["status"]["artifact"]["url"]
    assert url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read(2) == b"\x1f\x8b"


def test_a_wrong_password_is_told_in_the_condition_of_the_git_repository(flux, controllers):
    flux.repository("locked", manifests("1.0.0"))
    until_ready(flux.cluster, GIT_REPOSITORY.path("locked"))
    flux.authorize("locked", (USER[0], "wrong"))
    request_reconciliation(flux.cluster, GIT_REPOSITORY.path("locked"))

    def told():
        return condition(flux.cluster.request("GET", GIT_REPOSITORY.path("locked")))

    until(lambda: told().get("status") == "False", say=told)
    assert told()["reason"] == "GitOperationFailed"
    assert "auth" in told()["message"]


def test_what_is_deleted_from_git_is_pruned_and_a_deleted_kustomization_takes_its_objects_along(flux, controllers):
    files = {"apps/one.yaml": config_map("one"), "apps/two.yaml": config_map("two")}
    repository = flux.repository("pruned", files)
    flux.cluster.apply_object(kustomization("pruned", "pruned", "./apps"))
    until_ready(flux.cluster, KUSTOMIZATION.path("pruned"))
    repository.commit({"apps/two.yaml": None})
    request_reconciliation(flux.cluster, GIT_REPOSITORY.path("pruned"))
    until(lambda: not exists(flux.cluster, f"{CONFIG_MAP}/two"), say=controllers[1].said)
    assert exists(flux.cluster, f"{CONFIG_MAP}/one")
    flux.cluster.request("DELETE", KUSTOMIZATION.path("pruned"))
    until(lambda: not exists(flux.cluster, f"{CONFIG_MAP}/one"), say=controllers[1].said)
    until(lambda: not exists(flux.cluster, KUSTOMIZATION.path("pruned")), say=controllers[1].said)


def config_map(name: str) -> bytes:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n".encode()


def test_the_command_reconciles_a_kustomization_with_its_source(flux, controllers):
    repository = flux.repository("asked", {"apps/asked.yaml": config_map("asked")})
    flux.cluster.apply_object(kustomization("asked", "asked", "./apps"))
    until_ready(flux.cluster, KUSTOMIZATION.path("asked"))
    repository.commit({"apps/more.yaml": config_map("asked-more")})
    done = flux.run("reconcile", "kustomization", "asked", "--with-source", "--timeout=50s")
    assert done.returncode == 0, done.stderr
    assert f"applied revision main@sha1:{repository.head()}" in done.stderr
    assert exists(flux.cluster, f"{CONFIG_MAP}/asked-more")


def test_an_event_is_posted_in_the_shape_that_alerts_are_made_of(flux, controllers, events):
    flux.repository("told", {"apps/told.yaml": config_map("told")})
    flux.cluster.apply_object(kustomization("told", "told", "./apps"))
    body = until_ready(flux.cluster, KUSTOMIZATION.path("told"))
    until(lambda: len(events.about("Kustomization", "told")) > 1, say=lambda: events.posted)
    event = events.about("Kustomization", "told")[-1]
    assert (event.path, event.headers["Content-Type"]) == ("/", "application/json")
    assert event.body["involvedObject"].keys() == {"kind", "namespace", "name", "uid", "apiVersion", "resourceVersion"}
    assert event.body["involvedObject"]["uid"] == body["metadata"]["uid"]
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}Z", event.body["timestamp"])
    assert event.body["severity"] == "info"
    assert event.body["reason"] == condition(body)["reason"]
    assert event.body["metadata"]["kustomize.toolkit.fluxcd.io/revision"] == body["status"]["lastAppliedRevision"]
    assert event.body["reportingController"] == "kustomize-controller"
    assert event.body["reportingInstance"]


def test_every_controller_has_the_metric_that_dashboards_of_flux_draw(flux, controllers):
    flux.repository("measured", {"apps/measured.yaml": config_map("measured")})
    flux.cluster.apply_object(kustomization("measured", "measured", "./apps"))
    until_ready(flux.cluster, KUSTOMIZATION.path("measured"))
    for controller in controllers:
        assert 'gotk_reconcile_duration_seconds_count{kind="' in controller.metrics()


# the command flux, and objects whose status nobody but the test writes


@pytest.fixture
def images(flux):
    """An ImageRepository, an ImagePolicy and an ImageUpdateAutomation, each with the status of one that was handled."""
    repository = flux_object(IMAGE_REPOSITORY, "shop", {"image": "registry.example.org/acme/shop", "interval": "1m"})
    policy = flux_object(IMAGE_POLICY, "shop", {"imageRepositoryRef": {"name": "shop"}, "policy": {"semver": {"range": "1.x"}}})
    source = {"kind": "GitRepository", "name": "fleet"}
    author = {"name": "updater", "email": "updater@example.org"}
    automation = flux_object(
        IMAGE_UPDATE_AUTOMATION,
        "fleet",
        {"interval": "1m", "sourceRef": source, "git": {"commit": {"author": author}, "push": {"branch": "main"}}},
    )
    for kind, body in zip(IMAGES, (repository, policy, automation), strict=True):
        flux.cluster.apply_object(body)
        settle(flux, kind, body["metadata"]["name"])
    return flux


def settle(flux, kind, name, *, message="", **more):
    """Write the status of an object that was handled at its generation."""
    status = {
        "ImageRepository": {
            "canonicalImageName": "registry.example.org/acme/shop",
            "lastScanResult": {"tagCount": 3, "scanTime": "2026-01-02T03:04:05Z", "latestTags": ["1.1.0", "1.0.0", "0.9.0"]},
        },
        "ImagePolicy": {"latestRef": {"name": "registry.example.org/acme/shop", "tag": "1.1.0"}},
        "ImageUpdateAutomation": {"lastAutomationRunTime": "2026-01-02T03:04:06Z", "lastPushCommit": "a" * 40},
    }[kind.kind]
    generation = flux.cluster.request("GET", kind.path(name))["metadata"]["generation"]
    usual = {
        "ImageRepository": "successful scan: found 3 tags with checksum 1943865137",
        "ImagePolicy": "Latest image tag for registry.example.org/acme/shop resolved to 1.1.0",
        "ImageUpdateAutomation": "repository up-to-date",
    }[kind.kind]
    handled = conditions(generation, reason="Succeeded", message=message or usual)
    write_status(flux.cluster, kind.path(name), {**status, "conditions": handled, "observedGeneration": generation, **more})


def rows(output: str) -> list[list[str]]:
    """Return the cells of every line that the command printed; columns stand apart by a tab."""
    return [[cell.strip() for cell in line.split("\t")] for line in output.splitlines() if line.strip()]


def test_get_images_all_prints_the_columns_of_the_three_kinds(images):
    done = images.run("get", "images", "all")
    assert done.returncode == 0, done.stderr
    assert [[cell for cell in row if cell] for row in rows(done.stdout)] == [
        ["NAME", "LAST SCAN", "SUSPENDED", "READY", "MESSAGE"],
        [
            "imagerepository/shop",
            "2026-01-02T03:04:05Z",
            "False",
            "True",
            "successful scan: found 3 tags with checksum 1943865137",
        ],
        ["NAME", "IMAGE", "TAG", "READY", "MESSAGE"],
        [
            "imagepolicy/shop",
            "registry.example.org/acme/shop",
            "1.1.0",
            "True",
            "Latest image tag for registry.example.org/acme/shop resolved to 1.1.0",
        ],
        ["NAME", "LAST RUN", "SUSPENDED", "READY", "MESSAGE"],
        ["imageupdateautomation/fleet", "2026-01-02T03:04:06Z", "False", "True", "repository up-to-date"],
    ]


@pytest.mark.parametrize(
    ("word", "kind", "name", "said"),
    [
        ("repository", IMAGE_REPOSITORY, "shop", "scan fetched 3 tags"),
        ("policy", IMAGE_POLICY, "shop", "selected ref registry.example.org/acme/shop:1.1.0"),
        ("update", IMAGE_UPDATE_AUTOMATION, "fleet", "repository up-to-date"),
    ],
)
def test_reconcile_annotates_and_waits_until_the_status_names_what_was_asked(images, word, kind, name, said):
    before = images.cluster.request("GET", kind.path(name))["metadata"].get("annotations", {}).get(REQUESTED_AT)
    started = images.start("reconcile", "image", word, name, "--timeout=50s")

    def asked():
        found = images.cluster.request("GET", kind.path(name))["metadata"].get("annotations", {}).get(REQUESTED_AT)
        return found if found != before else None

    requested = until(asked)
    assert re.fullmatch(r"[0-9T:-]{19}\.[0-9]{1,9}(Z|[+-][0-9:]{5})", requested)
    assert started.poll() is None
    settle(images, kind, name, lastHandledReconcileAt=requested)
    done = end_flux(started)
    assert done.returncode == 0, done.stderr
    assert said in done.stderr


def asking(images, *flags):
    """Start to reconcile the ImageRepository, and return the command and what it asked for."""
    path = IMAGE_REPOSITORY.path("shop")
    before = images.cluster.request("GET", path)["metadata"].get("annotations", {}).get(REQUESTED_AT)
    started = images.start("reconcile", "image", "repository", "shop", *flags)

    def asked():
        found = images.cluster.request("GET", path)["metadata"].get("annotations", {}).get(REQUESTED_AT)
        return found if found != before else None

    return started, until(asked)


def test_reconcile_fails_at_once_with_the_message_of_a_stalled_object(images):
    started, requested = asking(images, "--timeout=50s")
    body = images.cluster.request("GET", IMAGE_REPOSITORY.path("shop"))
    refused = conditions(body["metadata"]["generation"], reason="ImageURLInvalid", message="image has a tag", status="False")
    stalled = [{**refused[0], "type": "Stalled", "status": "True"}]
    settle(images, IMAGE_REPOSITORY, "shop", conditions=refused + stalled, lastHandledReconcileAt=requested)
    done = end_flux(started)
    assert done.returncode == 1
    assert "image has a tag" in done.stderr


def test_reconcile_waits_for_an_object_that_failed_and_will_be_tried_again(images):
    started, requested = asking(images, "--timeout=5s")
    body = images.cluster.request("GET", IMAGE_REPOSITORY.path("shop"))
    failed = conditions(body["metadata"]["generation"], reason="ReadOperationFailed", message="no answer", status="False")
    settle(images, IMAGE_REPOSITORY, "shop", conditions=failed, lastHandledReconcileAt=requested)
    done = end_flux(started)
    assert done.returncode == 1
    assert "context deadline exceeded" in done.stderr


def test_suspend_writes_the_field_and_resume_waits_until_the_object_is_ready_at_its_new_generation(images):
    path = IMAGE_REPOSITORY.path("shop")
    assert images.run("suspend", "image", "repository", "shop").returncode == 0
    assert images.cluster.request("GET", path)["spec"]["suspend"] is True
    refused = images.run("reconcile", "image", "repository", "shop")
    assert refused.returncode == 1
    assert "resource is suspended" in refused.stderr

    started = images.start("resume", "image", "repository", "shop", "--timeout=50s")
    until(lambda: not images.cluster.request("GET", path)["spec"].get("suspend"))
    assert started.poll() is None
    settle(images, IMAGE_REPOSITORY, "shop")
    done = end_flux(started)
    assert done.returncode == 0, done.stderr
    assert "scan fetched 3 tags" in done.stderr


def test_kubectl_prints_the_columns_of_an_image_repository_by_its_short_name(images):
    command = [require("kubectl"), f"--kubeconfig={images.kubeconfig}", f"--namespace={NAMESPACE}", "get", "imgrepo", "shop"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"HOME": str(images.folder)})
    assert done.returncode == 0, done.stderr
    columns, printed = (re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines())
    assert columns == ["NAME", "IMAGE", "TAGS", "READY", "STATUS", "AGE"]
    assert printed[:4] == ["shop", "registry.example.org/acme/shop", "3", "True"]


def test_every_kind_is_served(flux):
    for kind in KINDS:
        assert flux.cluster.request("GET", f"{kind.root}/{kind.plural}")["kind"] == f"{kind.kind}List"


def test_the_definitions_of_the_owners_are_taken_where_they_are_and_open_ones_for_the_rest(flux):
    own = (
        {"GitRepository", "Kustomization", "ImageRepository", "ImagePolicy", "ImageUpdateAutomation"}
        if flux.definitions
        else set()
    )
    assert {kind.kind for kind in KINDS} - set(flux.open_kinds) == own


def test_an_image_that_is_pushed_is_in_the_registry_of_the_lab(flux):
    digest = flux.push_tag("acme/shop", "1.0.0", "1.0.1")
    with urllib.request.urlopen(f"{flux.registry.url}/v2/acme/shop/tags/list", timeout=10) as answer:
        assert sorted(json.loads(answer.read())["tags"]) == ["1.0.0", "1.0.1"]
    assert str(digest).startswith("sha256:")
