"""What taking part in an election promises the rest of the program: one word when it changes, in metrics and in the log."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import structlog

from tests.fakes.eventually import until
from tests.fakes.kube import FakeKube, kubeconfig
from updater.daemon import leader_election as leading_room
from updater.daemon.leader_election import LeaderElection, identity
from updater.daemon.process import Process
from updater.kube.kinds import LEASE
from updater.kube.lease import LeaderElector, LeaseDurations
from updater.settings.cluster import KubernetesSettings


@asynccontextmanager
async def candidate(server, folder):
    folder.mkdir()
    path = folder / "kubeconfig"
    path.write_text(kubeconfig(server.url, {}))
    said = []
    async with Process(folder, kubernetes=KubernetesSettings(kubeconfig=str(path), namespace="argocd")) as process:
        process.leading = one = LeaderElection(process, changed=lambda: said.append(process.may_write()))
        yield one, process, said


@asynccontextmanager
async def taking_part(one, **options):
    running = asyncio.create_task(one.run())
    yield
    one.leave(**options)
    running.cancel()
    await asyncio.wait({running})


def leads(process):
    return "updater_leader 1.0" in process.metrics.render().decode()


async def test_who_takes_the_lease_says_so_once_and_gives_it_back_without_a_word(tmp_path):
    async with FakeKube() as server:
        server.install(LEASE)
        async with candidate(server, tmp_path / "one") as (one, process, said):
            assert not process.may_write()
            async with taking_part(one):
                assert not leads(process)
                await until(lambda: said)
                assert (said, leads(process), one.is_leader) == ([True], True, True)
            assert (said, leads(process), one.is_leader) == ([True], False, False)
        assert server.read(LEASE, "updater", "argocd")["spec"]["holderIdentity"] == ""


async def test_who_loses_the_lease_to_another_says_so_and_writes_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(leading_room, "LeaderElector", quick)
    async with FakeKube() as server:
        server.install(LEASE)
        async with candidate(server, tmp_path / "one") as (one, process, said), taking_part(one):
            await until(lambda: said)
            spec = {"holderIdentity": "somebody", "leaseDurationSeconds": 15}
            await server.put(LEASE, "updater", "argocd", spec=spec)
            await until(lambda: len(said) == 2)
            assert (said, leads(process), process.may_write()) == ([True, False], False, False)


def quick(*arguments, **options):
    """Give a part in an election that looks all the time."""
    return LeaderElector(*arguments, **options, term=LeaseDurations(duration=3.0, sure=2.0, every=0.05))


async def test_a_failure_is_said_when_it_begins_not_at_every_look(tmp_path, monkeypatch):
    monkeypatch.setattr(leading_room, "LeaderElector", quick)
    async with FakeKube() as server:  # no kind Lease is served
        with structlog.testing.capture_logs() as lines:
            async with candidate(server, tmp_path / "one") as (one, _, said), taking_part(one):
                await until(lambda: len(server.asked) >= 4)
        warnings = [line for line in lines if line["log_level"] == "warning"]
        assert len(warnings) == 1
        assert warnings[0]["code"].startswith("kube-")
        assert said == []


async def test_a_way_to_the_cluster_that_is_wrong_is_tried_again_and_so_is_what_ended_by_a_bug(tmp_path, monkeypatch):
    monkeypatch.setattr(leading_room, "TRIED_AGAIN", 0.01)
    async with FakeKube() as server:
        server.install(LEASE)
        async with candidate(server, tmp_path / "one") as (one, process, said):
            broken = one.leadership.run
            calls = []

            async def run():
                calls.append(1)
                if len(calls) == 1:
                    raise leading_room.ConfigError("the token file is gone", hint="put it back", code="kubeconfig")
                if len(calls) == 2:
                    raise ZeroDivisionError
                await broken()

            one.leadership.run = run
            async with taking_part(one):
                await until(lambda: said)
            assert len(calls) == 3
            assert not leads(process)


async def test_who_was_cut_leaves_the_lease_to_end_by_itself(tmp_path):
    """A push that was cut may still travel: the next leader must not begin before the Lease has ended."""
    async with FakeKube() as server:
        server.install(LEASE)
        async with candidate(server, tmp_path / "one") as (one, process, said):
            async with taking_part(one, gives_back=False):
                await until(lambda: said)
            assert not process.may_write()
        assert server.read(LEASE, "updater", "argocd")["spec"]["holderIdentity"] == one._identity


def test_each_replica_has_a_name_of_its_own_that_begins_with_its_pods(monkeypatch):
    monkeypatch.setenv("POD_NAME", "updater-7d9f")
    assert identity().startswith("updater-7d9f_")
    assert identity() != identity()
    monkeypatch.delenv("POD_NAME")
    assert identity().partition("_")[0]
