"""Promises of the source of Argo CD's users, kept against a real kube-apiserver with a strict definition and least rights."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.argocd.request.making import GIT, WEB_OUTCOME, application, image, landed, outcome_for, reference, updater
from tests.fakes.eventually import until_there
from tests.real.cluster import start
from updater.argocd.cluster.feedback import FeedbackOptions
from updater.argocd.cluster.kinds import APPLICATION, IMAGE_UPDATER
from updater.argocd.cluster.source import ArgocdSource
from updater.argocd.cluster.status_writer import FINALIZER
from updater.argocd.request.subscriptions import TranslationDefaults
from updater.http.client import Clock, HttpClient
from updater.kube.access import AccessEnvironment, find_access
from updater.kube.client import PATIENCE, KubeClient
from updater.kube.events import EventRecorder
from updater.model.outcome import Status

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("kube")]

LISTED = {"image-list": "web=ghcr.io/o/web:^1"}
READ = ["get", "list", "watch"]
LEAST = [
    {"apiGroups": [APPLICATION.group], "resources": [APPLICATION.plural], "verbs": [*READ, "patch"]},
    {"apiGroups": [IMAGE_UPDATER.group], "resources": [IMAGE_UPDATER.plural], "verbs": [*READ, "patch"]},
    {"apiGroups": [IMAGE_UPDATER.group], "resources": [f"{IMAGE_UPDATER.plural}/status"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
]
TIME = {"type": "string", "format": "date-time"}
COUNT = {"type": "integer", "format": "int32", "minimum": 0}
TEXT = {"type": "string"}
NUMBER = {"type": "integer", "format": "int64", "minimum": 0}
CONDITION = {
    "type": "object",
    "required": ["lastTransitionTime", "message", "reason", "status", "type"],
    "properties": {
        "type": {"type": "string", "maxLength": 316},
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": {"type": "string", "maxLength": 1024, "minLength": 1, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
        "message": {"type": "string", "maxLength": 32768},
        "observedGeneration": NUMBER,
        "lastTransitionTime": TIME,
    },
}
UPDATE = {
    "type": "object",
    "required": ["alias", "applicationsUpdated", "image", "newVersion", "updatedAt"],
    "properties": {
        "alias": TEXT,
        "image": TEXT,
        "newVersion": TEXT,
        "message": TEXT,
        "applicationsUpdated": COUNT,
        "updatedAt": TIME,
    },
}
STATUS = {
    "type": "object",
    "properties": {
        "observedGeneration": NUMBER,
        "applicationsMatched": COUNT,
        "imagesManaged": COUNT,
        "lastCheckedAt": TIME,
        "lastUpdatedAt": TIME,
        "recentUpdates": {"type": "array", "x-kubernetes-list-type": "atomic", "items": UPDATE},
        "conditions": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": CONDITION,
        },
    },
}
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def define(cluster):
    """Install ImageUpdater with the status that its owner defines, where unknown fields are dropped."""
    cluster.install(IMAGE_UPDATER.group, IMAGE_UPDATER.name, IMAGE_UPDATER.plural)
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{IMAGE_UPDATER.resource}"
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": OPEN, "status": STATUS}}}
    operation = {"op": "replace", "path": "/spec/versions/0/schema", "value": schema}
    cluster.request("PATCH", path, [operation], form="application/json-patch+json")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with start(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.install(APPLICATION.group, APPLICATION.name, APPLICATION.plural, version=APPLICATION.version, has_status=False)
        define(cluster)
        yield cluster


@pytest.fixture
def namespace(request, cluster):
    return cluster.namespace(f"test-{abs(hash(request.node.nodeid)) % 10**10}")


class Stage:
    """A source that runs with the least rights, in a namespace of the test's own."""

    def __init__(self, cluster, namespace, source, problems):
        self.cluster, self.namespace, self.source, self.problems = cluster, namespace, source, problems
        self.delivered = asyncio.Queue()

    def path(self, kind, name):
        return f"{kind.path(self.namespace)}/{name}"

    def put(self, item):
        kind = APPLICATION if item["kind"] == "Application" else IMAGE_UPDATER
        item["metadata"]["namespace"] = self.namespace
        return self.cluster.apply(self.path(kind, item["metadata"]["name"]), item)

    def read(self, kind, name):
        return self.cluster.request("GET", self.path(kind, name))

    def status(self):
        return self.read(IMAGE_UPDATER, "all").get("status", {})

    def conditions(self):
        return {item["type"]: item for item in self.status().get("conditions", [])}

    def events(self):
        return self.cluster.request("GET", f"/api/v1/namespaces/{self.namespace}/events")["items"]

    async def snapshot(self):
        return await asyncio.wait_for(self.delivered.get(), 20)

    def land(self, outcome):
        answers = [answer for answer in self.source.translation.answers if answer.subscription]
        targets = {answer.subscription.key: str(answer.subscription.targets[0]) for answer in answers}
        key = f"{self.namespace}/{outcome.key.partition('/')[2]}"
        self.source.hear(landed([replace(outcome, key=key, target=targets[key])]))


async def short(seconds):
    """Gather for less long: the test waits for what is gathered."""
    await asyncio.sleep(min(seconds, 0.2))


@asynccontextmanager
async def running(cluster, namespace, folder, *objects, rules=None):
    token = cluster.service_account(namespace, "updater", LEAST if rules is None else rules)
    access = find_access(
        cluster.kubeconfig(folder / "kubeconfig", {"token": token}), surroundings=AccessEnvironment(environment={}, home=folder)
    )
    problems = []
    async with HttpClient(patience=PATIENCE) as http:
        client = KubeClient(access, http)
        answers = FeedbackOptions(
            events=EventRecorder(client, component="updater", instance="pod-1", report=problems.append),
            report=lambda _, error: problems.append(error),
            surroundings=Clock(sleep=short),
        )
        source = ArgocdSource(client, namespaces=(namespace,), defaults=TranslationDefaults(namespace=namespace), answers=answers)
        stage = Stage(cluster, namespace, source, problems)
        for item in objects:
            stage.put(item)
        task = asyncio.create_task(source.run(stage.delivered.put))
        try:
            yield stage
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def listed(**spec):
    return updater(reference("*", image(), **spec), name="all")


async def test_the_status_is_taken_by_a_strict_definition_and_nothing_of_it_is_dropped(cluster, namespace, tmp_path):
    item = listed(typo=1)
    async with running(cluster, namespace, tmp_path, application(), item) as stage:
        await stage.snapshot()
        stage.land(outcome_for(old="1.0.0", new="1.1.0", revision="c1"))
        await until_there(lambda: "lastUpdatedAt" in stage.status())
        status, conditions = stage.status(), stage.conditions()
        assert (status["observedGeneration"], status["applicationsMatched"], status["imagesManaged"]) == (1, 1, 1)
        assert status["recentUpdates"][0] | {"updatedAt": ""} == {
            "alias": "web",
            "image": "ghcr.io/o/web",
            "newVersion": "1.1.0",
            "applicationsUpdated": 1,
            "updatedAt": "",
            "message": "1.0.0 → 1.1.0",
        }
        assert conditions["Ready"]["reason"] == "ReconcileCompletedWithErrors"
        assert "typo" in conditions["Error"]["message"]
        assert conditions["Images"]["message"] == "web of web: updated: 1.0.0 → 1.1.0"
        assert stage.problems == []


async def test_own_writes_come_back_as_no_news_and_quiet_time_writes_nothing(cluster, namespace, tmp_path):
    async with running(cluster, namespace, tmp_path, application(), listed()) as stage:
        await stage.snapshot()
        stage.land(WEB_OUTCOME)
        await until_there(lambda: stage.conditions().get("Reconciling", {}).get("reason") == "Idle")
        version = stage.read(IMAGE_UPDATER, "all")["metadata"]["resourceVersion"]
        for _ in range(3):
            stage.land(WEB_OUTCOME)
            await asyncio.sleep(0.5)
        assert stage.read(IMAGE_UPDATER, "all")["metadata"]["resourceVersion"] == version
        assert stage.delivered.empty()
        assert stage.events() == []


async def test_a_spec_that_changes_is_observed(cluster, namespace, tmp_path):
    async with running(cluster, namespace, tmp_path, application(), listed()) as stage:
        await stage.snapshot()
        stage.land(WEB_OUTCOME)
        await until_there(lambda: stage.status().get("observedGeneration") == 1)
        stage.put(updater(reference("*", image()), reference("web-["), name="all"))
        await until_there(lambda: stage.status().get("observedGeneration") == 2)
        await until_there(lambda: "namePattern" in stage.conditions()["Error"]["message"])


async def test_a_message_as_long_as_it_gets_is_taken(cluster, namespace, tmp_path):
    async with running(cluster, namespace, tmp_path, application(), listed()) as stage:
        await stage.snapshot()
        stage.land(outcome_for(status=Status.FAILED, detail="ü" * 100_000, code="bug"))
        await until_there(lambda: "failed" in stage.conditions().get("Images", {}).get("message", ""))
        await until_there(lambda: len(stage.events()) == 1)
        assert stage.problems == []


async def test_an_update_is_an_event_with_annotations_and_a_refresh(cluster, namespace, tmp_path):
    async with running(cluster, namespace, tmp_path, application(LISTED | GIT)) as stage:
        await stage.snapshot()
        stage.land(outcome_for(old="1.0.0", new="1.1.0", revision="c1"))
        await until_there(lambda: "argocd.argoproj.io/refresh" in stage.read(APPLICATION, "web")["metadata"]["annotations"])
        await until_there(lambda: len(stage.events()) == 1)
        (event,) = stage.events()
        assert event["reason"] == "ImagesUpdated"
        assert event["involvedObject"]["uid"] == stage.read(APPLICATION, "web")["metadata"]["uid"]
        assert event["metadata"]["annotations"]["argocd-image-updater.image-0/new-tag"] == "1.1.0"
        assert stage.delivered.empty()
        assert stage.problems == []


async def test_a_status_that_churns_is_no_news(cluster, namespace, tmp_path):
    async with running(cluster, namespace, tmp_path, application(LISTED)) as stage:
        await stage.snapshot()
        for number in range(5):
            change = {"status": {"reconciledAt": f"2026-01-01T00:00:0{number}Z", "health": {"status": "Healthy"}}}
            cluster.request("PATCH", stage.path(APPLICATION, "web"), change, form="application/merge-patch+json")
            await asyncio.sleep(0.2)
        stage.put(application(LISTED, name="api", source={"path": "api"}))
        assert len((await stage.snapshot()).subscriptions) == 2
        assert stage.delivered.empty()


async def test_a_right_that_is_missing_is_a_problem_and_nothing_is_taken_for_deleted(cluster, namespace, tmp_path):
    async with running(cluster, namespace, tmp_path, application(LISTED), rules=LEAST[:1]) as stage:
        found = await stage.snapshot()
        assert (found.complete, found.subscriptions) == (False, ())
        (problem,) = found.problems
        assert problem.code == "kube-denied"
        assert "imageupdaters" in problem.message


async def test_an_object_that_the_peer_holds_is_gone_once_it_is_deleted(cluster, namespace, tmp_path):
    item = listed()
    item["metadata"]["finalizers"] = [FINALIZER]
    async with running(cluster, namespace, tmp_path, application(), item) as stage:
        await stage.snapshot()
        await until_there(lambda: "observedGeneration" in stage.status())
        cluster.request("DELETE", stage.path(IMAGE_UPDATER, "all"))
        await until_there(lambda: cluster.request("GET", IMAGE_UPDATER.path(namespace))["items"] == [])
        await stage.snapshot()
        assert stage.source.translation.selected == {}
        assert stage.problems == []


async def test_a_server_that_restarts_loses_nothing(cluster, namespace, tmp_path):
    async with running(cluster, namespace, tmp_path, application(LISTED)) as stage:
        first = await stage.snapshot()
        cluster.stop_server()
        lost = await stage.snapshot()
        assert lost.subscriptions == first.subscriptions
        assert [problem.code for problem in lost.problems][:1] == ["kube-unavailable"]
        await asyncio.to_thread(cluster.start_server)
        stage.put(application(LISTED, name="api", source={"path": "api"}))
        for _ in range(5):
            found = await stage.snapshot()
            assert len(found.subscriptions) in {1, 2}
            if len(found.subscriptions) == 2 and not found.problems:
                break
        assert (len(found.subscriptions), found.problems) == (2, ())
