"""Promises of the source in a cluster: whole snapshots, the same one where nothing changed, and nothing lost on the way."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.fakes.kube import FakeKube
from tests.sources.argocd.making import application
from updater.http.client import HttpClient
from updater.kube.client import KubeClient
from updater.sources.argocd.kinds import APPLICATION, IMAGE_UPDATER
from updater.sources.argocd.source import ArgocdSource
from updater.sources.argocd.subscriptions import Defaults

WEB = {"image-list": "web=ghcr.io/o/web:^1"}


@pytest.fixture
async def server():
    async with FakeKube() as server:
        server.install(APPLICATION)
        server.install(IMAGE_UPDATER)
        yield server


@pytest.fixture
async def client(server, tmp_path):
    async with HttpClient() as http:
        yield KubeClient(server.access(tmp_path), http)


async def put(server, *items):
    for item in items:
        metadata = dict(item["metadata"])
        name, namespace = metadata.pop("name"), metadata.pop("namespace")
        kind = APPLICATION if item["kind"] == "Application" else IMAGE_UPDATER
        content = {key: value for key, value in item.items() if key in {"spec", "status"}}
        await server.put(kind, name, namespace, metadata=metadata, **content)


def source(client, **options):
    return ArgocdSource(client, defaults=Defaults(), **options)


def keys(snapshot):
    return [subscription.key for subscription in snapshot.subscriptions]


@asynccontextmanager
async def running(made):
    """Run a source; gives the queue of what it delivers."""
    delivered = asyncio.Queue()
    task = asyncio.create_task(made.run(delivered.put))
    try:
        yield delivered
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def following(delivered):
    return await asyncio.wait_for(delivered.get(), 10)


async def test_once_lists_every_namespace(client, server):
    await put(server, application(WEB), application(WEB, namespace="team-a", source={"path": "other"}))
    assert keys(await source(client).once()) == ["argocd/web/web", "team-a/web/web"]
    assert server.count("watch") == 0


async def test_the_first_snapshot_is_whole_and_changes_follow(client, server):
    await put(server, application(WEB))
    async with running(source(client)) as delivered:
        first = await following(delivered)
        assert (keys(first), first.complete) == (["argocd/web/web"], True)
        await put(server, application(WEB, name="api"))
        assert keys(await following(delivered)) == ["argocd/web/web", "argocd/api/web"]
        await server.remove(APPLICATION, "web", "argocd")
        assert keys(await following(delivered)) == ["argocd/api/web"]
