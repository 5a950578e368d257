"""Promises of the controller room, kept against a real kube-apiserver with kinds that it does not know and least rights."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.controller.lab_wing import FEED, FINALIZER, RULE, LabWing
from tests.fakes.eventually import until_there
from tests.real.cluster import start
from updater.controller.options import ControllerOptions
from updater.http.client import Clock, HttpClient
from updater.kube.access import AccessEnvironment, find_access
from updater.kube.client import PATIENCE, KubeClient
from updater.kube.events import EventRecorder
from updater.kube.kinds import Ref

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("kube")]

READ = ["get", "list", "watch"]
LEAST = [
    {"apiGroups": [FEED.group, RULE.group], "resources": ["feeds", "rules", "robots"], "verbs": READ},
    {"apiGroups": [FEED.group], "resources": ["feeds"], "verbs": ["patch"]},
    {"apiGroups": [FEED.group, RULE.group], "resources": ["feeds/status", "rules/status"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with start(tmp_path_factory.mktemp("cluster")) as cluster:
        for kind in (FEED, RULE):
            cluster.install(kind.group, kind.name, kind.plural, version=kind.version)
        yield cluster


async def short(seconds):
    """Gather for less long: the test waits for what is gathered."""
    await asyncio.sleep(min(seconds, 0.2))


class Stage:
    """The wing that runs in a namespace of the test's own."""

    def __init__(self, cluster, namespace, client):
        self.cluster, self.namespace, self.problems = cluster, namespace, []
        options = ControllerOptions(
            events=EventRecorder(client, component="lab", instance="lab-1", report=self.problems.append),
            report=lambda _, error: self.problems.append(error),
            surroundings=Clock(sleep=short),
        )
        self.wing = LabWing(client, options, namespaces=(namespace,))
        self.delivered = asyncio.Queue()

    def path(self, kind, name):
        return Ref(kind, self.namespace, name).path

    def put(self, kind, name, **content):
        metadata = {"name": name, "namespace": self.namespace, **content.pop("metadata", {})}
        body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **content}
        return self.cluster.apply(self.path(kind, name), body)

    def read(self, kind, name):
        return self.cluster.request("GET", self.path(kind, name))

    def ready(self, kind, name):
        found = self.read(kind, name).get("status", {}).get("conditions", [])
        return next((item["reason"] for item in found if item["type"] == "Ready"), None)

    def events(self):
        return self.cluster.request("GET", f"/api/v1/namespaces/{self.namespace}/events")["items"]

    async def snapshot(self):
        async with asyncio.timeout(30):
            return await self.delivered.get()


@asynccontextmanager
async def running(cluster, folder, namespace):
    token = cluster.service_account(cluster.namespace(namespace), "updater", LEAST)
    kubeconfig = cluster.kubeconfig(folder / "kubeconfig", {"token": token})
    access = find_access(kubeconfig, surroundings=AccessEnvironment(environment={}, home=folder))
    async with HttpClient(patience=PATIENCE) as http:
        stage = Stage(cluster, namespace, KubeClient(access, http))
        task = asyncio.create_task(stage.wing.run(stage.delivered.put))
        try:
            yield stage
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_kinds_that_nobody_knew_are_watched_told_and_let_go(cluster, tmp_path):
    async with running(cluster, tmp_path, "controller-whole") as stage:
        assert (await stage.snapshot()).subscriptions == ()
        stage.put(RULE, "one", spec={"feed": "web"})
        await stage.snapshot()
        await until_there(lambda: stage.ready(RULE, "one") == "FeedMissing")
        await until_there(lambda: [event["reason"] for event in stage.events()] == ["FeedMissing"])
        uid = stage.events()[0]["involvedObject"]["uid"]
        assert uid == stage.read(RULE, "one")["metadata"]["uid"]

        stage.put(FEED, "web", spec={"image": "ghcr.io/o/web"}, metadata={"finalizers": [FINALIZER]})
        assert [item.key for item in (await stage.snapshot()).subscriptions] == ["controller-whole/one"]
        await until_there(lambda: stage.ready(RULE, "one") == "Fed")
        for tags in (3, 4):
            stage.wing.statuses.tell(Ref(FEED, stage.namespace, "web"), tags)
            await until_there(lambda tags=tags: stage.read(FEED, "web").get("status", {}).get("tags") == tags)
        assert stage.read(FEED, "web")["status"]["observedGeneration"] == 1

        cluster.request("DELETE", stage.path(FEED, "web"))
        await until_there(lambda: cluster.request("GET", FEED.path(stage.namespace))["items"] == [])
        await until_there(lambda: stage.ready(RULE, "one") == "FeedMissing")
        assert stage.problems == []


async def test_own_writes_are_no_news_and_quiet_time_writes_nothing(cluster, tmp_path):
    async with running(cluster, tmp_path, "controller-quiet") as stage:
        await stage.snapshot()
        stage.put(FEED, "web", spec={"image": "ghcr.io/o/web"})
        await stage.snapshot()
        await until_there(lambda: stage.ready(FEED, "web") == "Waiting")
        version = stage.read(FEED, "web")["metadata"]["resourceVersion"]
        stage.wing.statuses.touch([Ref(FEED, stage.namespace, "web")])
        await asyncio.sleep(1)
        assert stage.read(FEED, "web")["metadata"]["resourceVersion"] == version
        assert stage.delivered.empty()
        assert stage.problems == []
