"""Promises of the source in a cluster: whole snapshots, the same one where nothing changed, and nothing lost on the way."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web

from tests.argocd.request.making import GIT, application, image, reference, updater
from tests.fakes.kube import FakeKube, refuse, when
from updater.argocd.cluster.kinds import APPLICATION, IMAGE_UPDATER
from updater.argocd.cluster.source import ArgocdSource
from updater.argocd.request.subscriptions import TranslationDefaults
from updater.errors import PolicyError
from updater.http.client import HttpClient
from updater.inventory.default_branches import DefaultBranches
from updater.kube.client import KubeClient
from updater.kube.kinds import Ref
from updater.model.outcome import Outcome, Status
from updater.model.report import TargetsRefused

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
    return ArgocdSource(client, defaults=TranslationDefaults(), **options)


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


async def test_the_very_same_snapshot_is_not_delivered_twice(client, server):
    await put(server, application(WEB))
    async with running(source(client)) as delivered:
        await following(delivered)
        churned = application(WEB)
        churned["status"] |= {"health": {"status": "Degraded"}, "sync": {"status": "OutOfSync"}}
        await put(server, churned)
        await put(server, updater(reference("nobody", image()), name="other"))  # matches nothing, but is translated
        await put(server, application(WEB, name="api"))
        assert len(keys(await following(delivered))) == 2
        assert delivered.empty()


async def test_our_own_write_of_a_status_is_no_news(client, server):
    await put(server, application(), updater(reference("*", image())))
    made = source(client)
    async with running(made) as delivered:
        await following(delivered)
        translation = made.translation
        await client.patch(Ref(IMAGE_UPDATER, "argocd", "all"), {"status": {"applicationsMatched": 1}}, subresource="status")
        await put(server, application(name="api", images=()))
        assert len((await following(delivered)).subscriptions) == 1
        assert made.translation.selected == {"argocd/all": ("argocd/web", "argocd/api")}
        assert made.translation.answers[0] is translation.answers[0]


async def test_argo_cd_without_image_updater_objects_is_normal(tmp_path):
    async with FakeKube() as server, HttpClient() as http:
        server.install(APPLICATION)
        await put(server, application(WEB))
        made = source(KubeClient(server.access(tmp_path), http))
        assert keys(await made.once()) == ["argocd/web/web"]
        async with running(made) as delivered:
            found = await following(delivered)
            assert (keys(found), found.problems, found.complete) == (["argocd/web/web"], (), True)


async def test_without_argo_cd_the_problem_says_so_and_nothing_is_complete(tmp_path):
    async with FakeKube() as server, HttpClient() as http:
        made = source(KubeClient(server.access(tmp_path), http))
        async with running(made) as delivered:
            for found in (await made.once(), await following(delivered)):
                assert (found.complete, found.subscriptions) == (False, ())
                assert [problem.code for problem in found.problems] == ["kube-not-found"]
                assert "Argo CD is not installed" in found.problems[0].hint
                assert found.problems[0].origin == "applications.argoproj.io in all namespaces"


async def test_a_kind_that_may_not_be_listed_withholds_every_subscription(client, server):
    """Half of what is known could leave out who else writes a branch."""
    await put(server, application(WEB))
    server.faults.append(when(lambda _: refuse(403, "forbidden"), part="imageupdaters"))
    told = []
    made = source(client, report=lambda watched, error: told.append((watched.kind.name, error and error.code)))
    found = await made.once()
    assert (found.complete, found.subscriptions, [problem.code for problem in found.problems]) == (False, (), ["kube-denied"])
    assert told == [("ImageUpdater", "kube-denied")]
    async with running(made) as delivered:
        assert await following(delivered) == found


async def test_a_kind_that_is_lost_keeps_its_objects_and_is_a_problem_until_it_is_back(client, server):
    await put(server, application(WEB))
    told = []
    async with running(source(client, report=lambda watched, error: told.append(error and error.code))) as delivered:
        first = await following(delivered)
        server.faults.append(when(lambda _: refuse(500, "broken"), part="applications"))
        await server.cut()
        lost = await following(delivered)
        assert (lost.subscriptions, lost.complete) == (first.subscriptions, True)
        assert [problem.code for problem in lost.problems] == ["kube-unavailable"]
        server.faults.clear()
        back = await following(delivered)
        assert back == first
    assert told[0] == "kube-unavailable"
    assert told[-1] is None


async def test_one_namespace_is_asked_alone_and_several_one_by_one(client, server):
    await put(server, *(application(WEB, namespace=name) for name in ("team-a", "team-b", "other")))
    made = source(client, namespaces=("team-a", "team-b", "team-a"))
    assert keys(await made.once()) == ["team-a/web/web", "team-b/web/web"]
    assert {asked.path for asked in server.asked} == {
        f"{kind.path(name)}" for kind in (APPLICATION, IMAGE_UPDATER) for name in ("team-a", "team-b")
    }
    async with running(made) as delivered:
        assert len(keys(await following(delivered))) == 2


@pytest.mark.parametrize(
    ("namespaces", "expected"),
    [
        ((), ["argocd", "team-a", "team-b"]),
        (("*",), ["argocd", "team-a", "team-b"]),
        (("team-*",), ["team-a", "team-b"]),
        (("team-*", "argocd"), ["argocd", "team-a", "team-b"]),
        (("team-[^a]", "argo?d"), ["argocd", "team-b"]),
        (("nothing-*",), []),
    ],
)
async def test_a_glob_watches_all_and_keeps_what_it_means(client, server, namespaces, expected):
    await put(server, *(application(WEB, namespace=name) for name in ("argocd", "team-a", "team-b")))
    found = await source(client, namespaces=namespaces).once()
    assert keys(found) == [f"{name}/web/web" for name in expected]
    assert server.count("/namespaces/") == 0


async def test_a_glob_that_cannot_be_read_is_said_at_once(client):
    with pytest.raises(PolicyError):
        source(client, namespaces=("team-[",))


@pytest.mark.parametrize(
    "content",
    [
        {"spec": "text"},
        {"spec": None, "status": []},
        {"spec": {"sources": 7}, "status": {"summary": "none"}, "metadata": {"labels": None, "annotations": None}},
        {"spec": {"source": []}, "metadata": {"annotations": {"argocd-image-updater.argoproj.io/image-list": "x" * 1_000_000}}},
    ],
)
async def test_a_hostile_object_costs_nobody_else_anything(client, server, content):
    await server.put(APPLICATION, "bad", "argocd", **content)
    await server.put(IMAGE_UPDATER, "bad", "team", **{key: value for key, value in content.items() if key != "metadata"})
    await put(server, application(WEB))
    async with running(source(client)) as delivered:
        assert "argocd/web/web" in keys(await following(delivered))


async def test_an_object_without_a_name_is_no_list(client, server):
    listed = {"kind": "ApplicationList", "metadata": {"resourceVersion": "1"}, "items": [{"spec": {}}]}
    server.faults.append(when(lambda _: web.json_response(listed), part="applications"))
    found = await source(client).once()
    assert (found.complete, [problem.code for problem in found.problems]) == (False, ["kube-protocol"])


async def test_what_the_receiver_raises_ends_the_run(client, server):
    async def refuse_all(_snapshot):
        raise LookupError

    with pytest.raises(LookupError):
        await source(client).run(refuse_all)


async def test_without_answers_an_outcome_is_no_ones(client, server):
    await put(server, application(WEB))
    made = source(client)
    await made.once()
    made.hear(
        TargetsRefused(
            outcomes=(Outcome(key="argocd/web/web", target="", status=Status.FAILED, detail=""),), at=datetime.now(UTC)
        )
    )
    assert {asked.method for asked in server.asked} == {"GET"}


async def test_a_default_branch_that_is_learned_is_a_new_snapshot(client, server):
    branches = DefaultBranches()
    await put(server, application(WEB | GIT, source={"targetRevision": "HEAD"}))
    async with running(ArgocdSource(client, defaults=TranslationDefaults(branches=branches))) as delivered:
        (head,) = (await following(delivered)).destinations
        assert head.branch == ""
        branches.learn(head, "main")
        (named,) = (await following(delivered)).destinations
        assert (named.branch, named.push) == ("main", "main")
        branches.learn(head, "main")
        assert delivered.empty()


async def test_a_single_pass_gives_what_it_listed_again_with_what_was_learned(client, server):
    branches = DefaultBranches()
    await put(server, application(WEB | GIT, source={"targetRevision": "HEAD"}))
    made = ArgocdSource(client, defaults=TranslationDefaults(branches=branches))
    first = await made.once()
    assert await made.again() is first
    asked = len(server.asked)
    branches.learn(first.destinations[0], "trunk")
    assert [place.branch for place in (await made.again()).destinations] == ["trunk"]
    assert len(server.asked) == asked
