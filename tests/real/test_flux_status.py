"""Promises of the statuses of Flux's objects, kept on a real kube-apiserver, with their owners' definitions where present."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import asynccontextmanager

import pytest

from tests.fakes.eventually import until_there
from tests.flux.cluster.making import (
    COMMIT,
    automation,
    fault,
    landed,
    outcome,
    policy,
    reflected,
    repository,
    scanned,
    translation,
)
from tests.real.cluster import start
from tests.real.lab import definitions_folder
from tests.real.parts import require
from updater.controller.objects import Sharing
from updater.controller.options import ControllerOptions
from updater.flux.cluster.feedback import FluxFeedback, FluxState
from updater.flux.cluster.pruning import prune_object
from updater.flux.kinds import FINALIZER, IMAGE_POLICY, IMAGE_REPOSITORY, IMAGE_UPDATE_AUTOMATION
from updater.http.client import Clock, HttpClient
from updater.kube.access import AccessEnvironment, find_access
from updater.kube.client import PATIENCE, KubeClient
from updater.kube.events import EventRecorder
from updater.kube.kinds import Ref
from updater.model.outcome import Status
from updater.model.report import LandingEnd

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("kube")]

NAMESPACE = "team"
KINDS = (IMAGE_REPOSITORY, IMAGE_POLICY, IMAGE_UPDATE_AUTOMATION)
SPECS = {
    IMAGE_REPOSITORY: {"image": "ghcr.io/acme/web", "interval": "1m"},
    IMAGE_POLICY: {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": ">=1"}}},
    IMAGE_UPDATE_AUTOMATION: {
        "sourceRef": {"kind": "GitRepository", "name": "fleet"},
        "interval": "5m",
        "git": {"commit": {"author": {"email": "bot@example.org"}}},
    },
}
NAMES = {IMAGE_REPOSITORY: "web", IMAGE_POLICY: "web", IMAGE_UPDATE_AUTOMATION: "fleet"}
GROUP = [IMAGE_REPOSITORY.group]
LEAST = [
    {"apiGroups": GROUP, "resources": [f"{kind.plural}/status" for kind in KINDS], "verbs": ["patch"]},
    {"apiGroups": GROUP, "resources": [kind.plural for kind in KINDS], "verbs": ["get", "patch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with start(tmp_path_factory.mktemp("cluster")) as cluster:
        folder = definitions_folder()
        known = cluster.install_from(folder, {kind.name for kind in KINDS}) if folder else []
        for kind in KINDS:
            if kind.name not in known:
                cluster.install(kind.group, kind.name, kind.plural, version=kind.version)
        cluster.has_columns = bool(known)
        cluster.namespace(NAMESPACE)
        yield cluster


async def short(seconds):
    await asyncio.sleep(min(seconds, 0.1))


class Stage:
    """Feedback with least rights, over one object of each kind."""

    def __init__(self, cluster, client):
        self.cluster, self.problems = cluster, []
        options = ControllerOptions(
            events=EventRecorder(client, component="updater", instance="updater-1", report=self.problems.append),
            report=lambda _, error: self.problems.append(error),
            surroundings=Clock(sleep=short),
        )
        self.feedback = FluxFeedback(client, options)

    def put(self, kind, **metadata):
        body = {"apiVersion": kind.api_version, "kind": kind.name, "spec": SPECS[kind]}
        self.cluster.apply_object({**body, "metadata": {"name": NAMES[kind], "namespace": NAMESPACE, **metadata}})

    def read(self, kind):
        return self.cluster.request("GET", Ref(kind, NAMESPACE, NAMES[kind]).path)

    def status(self, kind):
        return self.read(kind).get("status", {})

    def know(self):
        kept = [{(NAMESPACE, NAMES[kind]): prune_object(self.read(kind), Sharing())} for kind in KINDS]
        found = translation([repository()], [policy()], [automation()])
        self.feedback.know(FluxState(repositories=kept[0], policies=kept[1], automations=kept[2], translation=found))

    def conditions(self, kind):
        return [(item["type"], item["status"], item["reason"]) for item in self.status(kind).get("conditions", [])]


@asynccontextmanager
async def running(cluster, folder):
    token = cluster.service_account(NAMESPACE, "updater", LEAST)
    kubeconfig = cluster.kubeconfig(folder / "kubeconfig", {"token": token})
    access = find_access(kubeconfig, surroundings=AccessEnvironment(environment={}, home=folder))
    async with HttpClient(patience=PATIENCE) as http:
        stage = Stage(cluster, KubeClient(access, http))
        task = asyncio.create_task(stage.feedback.run())
        try:
            yield stage
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def columns(cluster, folder):
    """What kubectl prints, a list of words a line."""
    program = require("kubectl")
    kubeconfig = str(cluster.kubeconfig(folder / "admin"))
    what = ",".join(kind.plural for kind in KINDS)
    command = [program, "--kubeconfig", kubeconfig, "get", what, "-n", NAMESPACE, "-o", "wide"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


async def test_the_definitions_take_every_status_and_kubectl_prints_it(cluster, tmp_path):
    async with running(cluster, tmp_path) as stage:
        for kind in KINDS:
            stage.put(kind)
        stage.know()
        await until_there(lambda: stage.conditions(IMAGE_POLICY)[:1] == [("Reconciling", "True", "Progressing")])
        stage.know()
        stage.feedback.hear(scanned(failure=fault()))
        await until_there(lambda: ("Ready", "False", "ReadOperationFailed") in stage.conditions(IMAGE_REPOSITORY))
        assert stage.status(IMAGE_REPOSITORY).get("observedGeneration", -1) == -1

        stage.know()
        stage.feedback.hear(scanned("1.0.0", "1.1.0"))
        stage.feedback.hear(reflected("1.1.0", began=2))
        pushed = outcome(Status.UPDATED, "1.0.0 -> 1.1.0", revision=COMMIT)
        stage.feedback.hear(landed(pushed, end=LandingEnd.PUSHED, began=3, messages={COMMIT: "Update web"}))
        ready = [("Ready", "True", "Succeeded")]
        for kind in KINDS:
            await until_there(lambda kind=kind: stage.conditions(kind) == ready)
            assert stage.status(kind)["observedGeneration"] == stage.read(kind)["metadata"]["generation"]
        assert stage.status(IMAGE_POLICY)["latestRef"] == {"name": "ghcr.io/acme/web", "tag": "1.1.0"}
        assert stage.status(IMAGE_UPDATE_AUTOMATION)["lastPushCommit"] == COMMIT
        assert stage.problems == []
        if cluster.has_columns:
            printed = columns(cluster, tmp_path)
            assert "Latest image tag for ghcr.io/acme/web resolved to 1.1.0" in printed
            assert "successful scan: found 2 tags with checksum" in printed
            assert "repository up-to-date" in printed

        version = stage.read(IMAGE_POLICY)["metadata"]["resourceVersion"]
        stage.know()
        stage.feedback.hear(reflected("1.1.0", began=60))
        await asyncio.sleep(1)
        assert stage.read(IMAGE_POLICY)["metadata"]["resourceVersion"] == version


async def test_an_object_that_the_original_left_behind_is_let_go(cluster, tmp_path):
    async with running(cluster, tmp_path) as stage:
        for kind in KINDS:
            stage.put(kind, finalizers=[FINALIZER])
            cluster.request("DELETE", Ref(kind, NAMESPACE, NAMES[kind]).path)
        stage.know()
        await until_there(lambda: all(cluster.request("GET", kind.path(NAMESPACE))["items"] == [] for kind in KINDS))
