"""What the daemon promises of the peer's ConfigMap: read below the own files, noticed when it changes, never guessed."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager

import pytest
import structlog

from tests.fakes.eventually import until
from tests.fakes.kube import FakeKube, refuse, when
from tests.inventory.asking import configured, install
from updater.argocd.cluster.kinds import APPLICATION
from updater.daemon import tasks as task_room
from updater.daemon.argocd import PeerConfiguration, argocd_components
from updater.daemon.assembly import start_generation
from updater.daemon.process import process_for
from updater.daemon.service import Service, first_generation
from updater.daemon.signals import Signals
from updater.errors import ConfigError, KubeDenied, KubeError
from updater.kube.kinds import CONFIG_MAP
from updater.settings.cluster import ApplicationsSettings
from updater.sources.file import WatchedFiles, load

NAME = "argocd-image-updater-config"


@pytest.fixture
async def server():
    async with FakeKube() as server:
        install(server)
        yield server


@asynccontextmanager
async def opened(server, folder, more="", **options):
    loaded = load([configured(server, folder, more, **options)], {})
    async with process_for(loaded) as process:
        yield loaded, process


async def away(request):
    """A fault: no ConfigMap can be read."""
    return refuse(500, "away") if "configmaps" in request.path else None


def told(server, **data):
    return server.put(CONFIG_MAP, NAME, "argocd", data=data)


async def test_it_notices_a_config_map_that_comes_changes_and_goes_and_nothing_else(server, tmp_path):
    async with opened(server, tmp_path) as (_, process):
        peer = PeerConfiguration(process.cluster.client, ApplicationsSettings())
        assert (await peer.read()).overlay == {}
        assert not await peer.has_changed()
        await told(server, **{"git.user": "bot"})
        assert await peer.has_changed()
        assert (await peer.read()).overlay
        await server.put(CONFIG_MAP, NAME, "argocd", data={"git.user": "bot"}, metadata={"labels": {"a": "b"}})
        assert not await peer.has_changed()
        await server.remove(CONFIG_MAP, NAME, "argocd")
        assert await peer.has_changed()
        assert NAME in str(peer)


async def test_while_it_cannot_be_read_it_has_not_changed(server, tmp_path):
    async with opened(server, tmp_path) as (_, process):
        peer = PeerConfiguration(process.cluster.client, ApplicationsSettings())
        await told(server, **{"git.user": "bot"})
        await peer.read()
        server.faults.append(when(lambda _: refuse(403, "no right")))
        assert not await peer.has_changed()


class WrongWay:
    """A way to the cluster whose certificate is being renewed: half of it is there."""

    async def get(self, _ref):
        raise ConfigError("the key does not belong to the certificate", hint="renew both", code="kubeconfig")


async def test_while_the_way_to_it_is_wrong_it_has_not_changed():
    assert not await PeerConfiguration(WrongWay(), ApplicationsSettings()).has_changed()


async def test_one_that_is_not_wanted_is_never_asked_for(server, tmp_path):
    async with opened(server, tmp_path) as (_, process):
        peer = PeerConfiguration(process.cluster.client, ApplicationsSettings(config_map=None))
        assert (await peer.read()).overlay == {}
        assert not await peer.has_changed()
        assert server.asked == []


async def test_data_that_is_no_mapping_says_nothing(server, tmp_path):
    async with opened(server, tmp_path) as (_, process):
        await server.put(CONFIG_MAP, NAME, "argocd", data=["git.user"])
        assert (await PeerConfiguration(process.cluster.client, ApplicationsSettings()).read()).overlay == {}


async def test_a_right_that_is_missing_is_named(server, tmp_path):
    async with opened(server, tmp_path) as (loaded, process):
        server.faults.append(when(lambda _: refuse(403, "no right")))
        with pytest.raises(KubeDenied) as caught:
            await argocd_components(loaded.settings, process)
    assert f"configmaps named {NAME} in argocd" in caught.value.hint


async def test_what_the_own_file_says_wins_and_the_rest_is_the_peers(server, tmp_path):
    await told(server, **{"git.user": "bot", "git.email": "bot@peer.example"})
    async with opened(server, tmp_path, "git: {author: {name: ours}}\n") as (loaded, process):
        parts = await argocd_components(loaded.settings, process)
    assert (parts.settings.git.author.name, parts.settings.git.author.email) == ("ours", "bot@peer.example")


PEERS_OWN = ("argocd-image-updater", "noreply@argoproj.io")


@pytest.mark.parametrize(
    ("own", "theirs", "expected"),
    [
        ("", {}, PEERS_OWN),
        ("", {"interval": "5m", "git.user": ""}, PEERS_OWN),
        ("", {"git.user": "bot"}, ("bot", PEERS_OWN[1])),
        ("", {"git.email": "bot@peer.example"}, (PEERS_OWN[0], "bot@peer.example")),
        ("git: {author: {name: ours}}\n", {}, ("ours", PEERS_OWN[1])),
        ("git: {author: {email: ours@own.example}}\n", {"git.user": "bot"}, ("bot", "ours@own.example")),
        ("git: {author: {name: ours, email: ours@own.example}}\n", {"git.user": "bot"}, ("ours", "ours@own.example")),
    ],
)
async def test_where_nobody_names_an_author_the_peers_default_commits_for_its_objects(server, tmp_path, own, theirs, expected):
    """A drop-in replacement commits as the peer did: name and address each have their default, and none is of our own."""
    await told(server, **theirs)
    await server.put(
        APPLICATION,
        "shop",
        "argocd",
        metadata={
            "annotations": {
                "argocd-image-updater.argoproj.io/image-list": "it=ghcr.io/acme/shop",
                "argocd-image-updater.argoproj.io/write-back-method": "git",
            }
        },
        spec={"source": {"repoURL": "https://git.example.org/fleet.git", "path": "apps", "targetRevision": "main"}},
        status={"sourceType": "Kustomize", "summary": {"images": ["ghcr.io/acme/shop:1.0.0"]}},
    )
    async with opened(server, tmp_path, own) as (loaded, process):
        generation = await start_generation(loaded, process)
        async with asyncio.timeout(15):
            await generation.runner.gather()
        specs = {target.commit_spec for item in generation.subscriptions for target in item.targets}
        assert {(spec.name, spec.email) for spec in specs} == {expected}
        assert expected[1].lower() in process.ours


async def test_the_peers_default_author_does_not_commit_for_the_own_file(server, tmp_path):
    subscriptions = """
subscriptions:
  - {key: web, image: ghcr.io/acme/web, policy: {semver: {}},
     targets: [{git: {url: "https://git.example.org/own.git", branch: main}, marker: "fleet:web"}]}
"""
    async with opened(server, tmp_path, subscriptions) as (loaded, process):
        with pytest.raises(ConfigError) as caught:
            await start_generation(loaded, process)
    assert caught.value.code == "no-author"


@pytest.mark.parametrize(("own", "level"), [("", "debug"), ("log: {level: warning}\n", "warning")])
async def test_how_much_is_logged_is_the_peers_where_the_own_file_is_silent(server, tmp_path, own, level):
    await told(server, **{"log.level": "debug"})
    async with opened(server, tmp_path, own) as (loaded, process):
        assert (await start_generation(loaded, process)).loaded.settings.log.level == level


async def test_registries_that_cannot_be_read_refuse_the_whole(server, tmp_path):
    await told(server, **{"registries.conf": "registries: [", "git.usr": "bot"})
    async with opened(server, tmp_path) as (loaded, process):
        with pytest.raises(ConfigError) as caught:
            await argocd_components(loaded.settings, process)
    assert NAME in caught.value.message
    assert {problem.path for problem in caught.value.problems} == {f"ConfigMap argocd/{NAME} registries.conf"}


@asynccontextmanager
async def serving(server, folder, *, before=lambda _path: None, **options):
    """A daemon in this process that looks at the ConfigMap all the time; *before* it does so, its file may change."""
    async with opened(server, folder, **options) as (loaded, process):
        signals = Signals()
        first = await start_generation(loaded, process)
        before(folder / "updater.yaml")
        service = Service([str(folder / "updater.yaml")], process, first, signals, peer_every=0.2)
        running = asyncio.create_task(service.run())
        try:
            yield process
        finally:
            signals.ask_stop()
            async with asyncio.timeout(10):
                await running


def generation(process):
    return float(re.search(r"^updater_generation (\S+)", process.metrics.render().decode(), re.MULTILINE)[1])


def refusals(process):
    return float(re.search(r'^updater_reloads_total{result="refused"} (\S+)', process.metrics.render().decode(), re.MULTILINE)[1])


def served(process, line):
    return line in process.metrics.render().decode()


async def test_a_change_is_taken_up_by_itself_and_what_is_broken_leaves_the_old_in_force(server, tmp_path):
    async with serving(server, tmp_path) as process:
        await until(lambda: generation(process) == 1)
        await told(server, **{"git.user": "bot"})
        await until(lambda: generation(process) > 1)
        await asyncio.sleep(0.5)  # one more look may have begun before the swap
        before = generation(process)
        await told(server, **{"registries.conf": "registries: ["})
        await until(lambda: not served(process, 'updater_reloads_total{result="refused"} 0.0'))
        assert generation(process) == before
        await told(server, **{"git.user": "robot"})
        await until(lambda: generation(process) > before)
        assert served(process, "updater_leader 1.0")


async def test_a_reload_that_cannot_read_it_is_refused_and_tried_again_by_itself(server, tmp_path):
    async with serving(server, tmp_path) as process:
        await until(lambda: generation(process) == 1)
        path = tmp_path / "updater.yaml"
        server.faults.append(away)
        path.write_text(path.read_text() + "interval: 5m\n")
        await until(lambda: not served(process, 'updater_reloads_total{result="refused"} 0.0'))
        assert generation(process) == 1
        server.faults.clear()
        await until(lambda: generation(process) == 2)


async def test_reloads_that_are_refused_again_and_again_leave_one_retry(server, tmp_path, monkeypatch):
    monkeypatch.setattr(task_room, "LOOK_AT_FILES_EVERY", 0.02)
    async with serving(server, tmp_path) as process:
        await until(lambda: generation(process) == 1)
        path = tmp_path / "updater.yaml"
        server.faults.append(away)
        for count in range(1, 4):
            path.write_text(f"{path.read_text()}# {count}\n")
            await until(lambda at_least=count: refusals(process) >= at_least)
        server.faults.clear()
        await until(lambda: generation(process) == 2)
        await asyncio.sleep(0.5)  # longer than until another retry
        assert generation(process) == 2


async def test_what_is_written_while_the_first_generation_starts_is_taken_up(server, tmp_path, monkeypatch):
    """A start may wait for a cluster for minutes, in which somebody mends the file."""
    monkeypatch.setattr(task_room, "LOOK_AT_FILES_EVERY", 0.02)
    async with serving(server, tmp_path, before=lambda path: path.write_text(f"{path.read_text()}interval: 5m\n")) as process:
        await until(lambda: generation(process) == 2)


async def test_a_look_that_ends_by_a_bug_is_not_the_last(server, tmp_path, monkeypatch):
    monkeypatch.setattr(task_room, "LOOK_AT_FILES_EVERY", 0.02)
    async with serving(server, tmp_path) as process:
        await until(lambda: generation(process) == 1)
        path = tmp_path / "updater.yaml"
        with monkeypatch.context() as broken:
            broken.setattr(WatchedFiles, "changed", lambda _: 1 / 0)
            with structlog.testing.capture_logs() as lines:
                await until(lambda: any(line["event"] == "bug" for line in lines))
        path.write_text(f"{path.read_text()}interval: 5m\n")
        await until(lambda: generation(process) == 2)


async def test_a_kind_is_lost_while_it_is_in_one_of_its_namespaces(server, tmp_path):
    """The gauge says 1 until the last namespace is back, and a new generation begins without what the one before lost."""
    async with serving(server, tmp_path, namespaces="argocd, team-a") as process:
        await until(lambda: generation(process) == 1)
        everywhere = when(lambda _: refuse(403, "no right"), part="/applications")
        there = when(lambda _: refuse(403, "no right"), part="/namespaces/team-a/applications")
        lost = 'updater_watch_lost{kind="applications.argoproj.io"} '
        server.faults += [everywhere, there]
        await server.cut()
        await until(lambda: served(process, f"{lost}1.0"))
        server.faults.remove(everywhere)
        await asyncio.sleep(3)  # the other namespace is asked again
        assert served(process, f"{lost}1.0")
        server.faults.clear()
        (tmp_path / "updater.yaml").write_text((tmp_path / "updater.yaml").read_text() + "interval: 5m\n")
        await until(lambda: generation(process) == 2)
        assert not served(process, f"{lost}1.0")


async def test_what_cannot_be_written_to_the_objects_is_counted_and_said(server, tmp_path, capfd):
    """A right for Events, statuses and refreshes that is missing costs no landing: it is a count and a line of the log."""
    await server.put(APPLICATION, "web", "argocd", metadata={"annotations": {"argocd-image-updater.argoproj.io/image-lst": "a"}})
    server.faults.append(when(lambda _: refuse(403, "no right"), method="POST", part="/events"))
    async with serving(server, tmp_path) as process:
        await until(lambda: served(process, 'updater_kubernetes_writes_total{kind="event",result="kube-denied"}'))
    assert '"level":"warning","event":"event"' in capfd.readouterr().err


async def test_a_start_that_cannot_read_it_raises_what_is_wrong(server, tmp_path):
    server.faults.append(away)
    async with opened(server, tmp_path) as (loaded, process):
        with pytest.raises(KubeError):
            await start_generation(loaded, process)


async def test_a_cluster_that_does_not_answer_yet_is_waited_for(server, tmp_path):
    """Who starts before the API server does need not be started again."""
    async with opened(server, tmp_path) as (loaded, process):
        await server.stop()
        starting = asyncio.create_task(first_generation(loaded, process, pause=0.05))
        done, _ = await asyncio.wait({starting}, timeout=0.5)
        assert not done
        await server.start()
        async with asyncio.timeout(30):
            assert (await starting).peer is not None


async def test_a_right_that_is_missing_is_said_at_once_and_not_waited_for(server, tmp_path):
    server.faults.append(denied)
    async with opened(server, tmp_path) as (loaded, process):
        with pytest.raises(KubeDenied):
            await first_generation(loaded, process, pause=0.05)


async def denied(request):
    """A fault: no ConfigMap may be read."""
    return refuse(403, "no") if "configmaps" in request.path else None
