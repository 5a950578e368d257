"""What is promised of looking at a cluster, of a single pass over it, and of a daemon from its first moment on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import pytest

from tests.fakes.kube import FakeKube, refuse, when
from tests.inventory.asking import configured, install
from updater.argocd.cluster.kinds import APPLICATION
from updater.daemon.one_shot import chosen, opened
from updater.daemon.service import serve_forever
from updater.daemon.validate_cluster import look_at_cluster
from updater.errors import ConfigError, KubeError
from updater.kube.kinds import LEASE

PREFIX = "argocd-image-updater.argoproj.io/"


@pytest.fixture
async def server():
    async with FakeKube() as server:
        install(server)
        yield server


async def add(server, name, **annotations):
    await server.put(
        APPLICATION,
        name,
        "argocd",
        metadata={"annotations": {f"{PREFIX}{key.replace('_', '-')}": value for key, value in annotations.items()}},
        spec={"source": {"repoURL": "https://git.test/fleet", "path": "app", "targetRevision": "main"}},
        status={"sourceType": "Helm", "summary": {"images": ["r.test/app:1.0.0"]}},
    )


async def test_a_look_at_the_cluster_gives_every_image_and_every_problem_and_writes_nothing(server, tmp_path):
    await add(server, "good", image_list="it=r.test/app", write_back_method="git")
    await add(server, "typo", image_list="it=r.test/app", image_lst="x")
    live = await look_at_cluster([str(configured(server, tmp_path))])
    assert live.objects == 2
    assert {answer.application for answer in live.answers} == {"argocd/good", "argocd/typo"}
    (problem,) = live.problems
    assert (problem.code, problem.path) == ("unknown-key", "Application argocd/typo")
    assert {asked.method for asked in server.asked} == {"GET"}


async def test_a_cluster_that_never_answers_is_given_up_and_said(server, tmp_path):
    path = configured(server, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        file = tmp_path / "kubeconfig"
        file.write_text(file.read_text().replace(f":{server.port}", f":{silent.getsockname()[1]}"))
        async with asyncio.timeout(30):
            with pytest.raises(KubeError, match=r"the cluster did not answer within 0\.5 s"):
                await look_at_cluster([str(path)], patience=0.5)


async def test_a_look_at_no_cluster_is_refused_with_what_to_write(tmp_path):
    path = tmp_path / "updater.yaml"
    path.write_text(f"state: {tmp_path}\n")
    with pytest.raises(ConfigError) as caught:
        await look_at_cluster([str(path)])
    assert "applications" in caught.value.hint


async def test_a_single_pass_knows_what_the_cluster_asks_for_and_the_nearest_key(server, tmp_path):
    await add(server, "good", image_list="it=r.test/app", write_back_method="git")
    async with opened([str(configured(server, tmp_path))]) as generation:
        assert [item.key for item in chosen(generation, None)] == ["argocd/good/it"]
        assert chosen(generation, "argocd/good/it") == chosen(generation, None)
        with pytest.raises(ConfigError) as caught:
            chosen(generation, "argocd/goood/it")
        assert caught.value.hint == "did you mean 'argocd/good/it'?"


async def test_a_single_pass_over_a_cluster_that_grants_no_list_is_refused(server, tmp_path):
    server.faults.append(when(lambda _: refuse(403, "no right"), part="/imageupdaters"))
    with pytest.raises(KubeError) as caught:
        async with opened([str(configured(server, tmp_path))]):
            raise AssertionError("half of what is asked for is not what is asked for")
    assert caught.value.code == "kube-denied"


@pytest.fixture
async def signals():
    yield
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().remove_signal_handler(number)


async def test_a_daemon_that_is_stopped_gives_the_lease_back(server, tmp_path, signals):
    running = asyncio.create_task(serve_forever([str(configured(server, tmp_path))]))
    async with asyncio.timeout(20):
        while not (server.read(LEASE, "updater", "argocd") or {}).get("spec", {}).get("holderIdentity"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert server.read(LEASE, "updater", "argocd")["spec"]["holderIdentity"] == ""


async def test_a_daemon_that_is_stopped_before_it_began_ends(server, tmp_path, signals):
    reached = asyncio.Event()

    async def hang(_request):
        reached.set()
        await asyncio.Event().wait()

    server.faults.append(hang)
    running = asyncio.create_task(serve_forever([str(configured(server, tmp_path))]))
    async with asyncio.timeout(20):
        await reached.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert server.read(LEASE, "updater", "argocd") is None
