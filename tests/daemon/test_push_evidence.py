"""What asking the servers promises: who may push, and who wrote before, from the mouth of a real Git server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.engine.making import git_branch
from tests.fakes.git_server import BareRepository, GitServer
from tests.inventory.asking import SourceByHand, asked, snapshot
from updater.daemon.process import Process
from updater.daemon.push_evidence import ask_servers
from updater.daemon.source_runner import SourceRunner
from updater.errors import ConfigError
from updater.git.access import GitAccess
from updater.inventory.inventory import Inventory
from updater.inventory.precedence import Evidence, Precedence
from updater.model.credential import Credential

pytestmark = pytest.mark.real
OURS = "updater <updater@example.org>"


def branch(url, push="main", base="main", credential=""):
    return git_branch(url, base, push, credential=f"secret:team/{credential}" if credential else "")


def said(*keys):
    return "update\n\n" + "".join(f"Updater-Subscription: {key}\n" for key in keys)


@asynccontextmanager
async def asking(tmp_path):
    repository = BareRepository.make(tmp_path / "fleet.git", {"a.yaml": b"a: 1\n"})
    with GitServer(tmp_path) as server:
        server.basic = ("u", "right")
        async with Process(tmp_path / "state") as process:
            process.ours.add("updater@example.org")

            async def access(_url, credential):
                if credential and credential.value == "team/gone":
                    raise ConfigError("the Secret is not there", code="credential-secret")
                return GitAccess(
                    credential=Credential(
                        username="u", password=credential.value.removeprefix("team/") if credential else "right"
                    )
                )

            process.access_for = access
            yield repository, server, process


async def evidence(process, *branches):
    precedence = Precedence()
    precedence.contest("places", branches)
    await ask_servers(precedence, process.mirror, branches, patience=30)
    return [precedence._evidence[item] for item in branches]


async def test_a_wrong_password_a_missing_secret_and_a_branch_that_is_not_there_are_no_right(tmp_path):
    async with asking(tmp_path) as (_, server, process):
        url = server.url("fleet.git")
        asked_for = [branch(url, credential="wrong"), branch(url, credential="gone"), branch(url, base="nowhere", push="x")]
        assert await evidence(process, *asked_for) == [Evidence(may_push=False)] * 3


async def test_who_may_read_and_not_push_has_no_right(tmp_path):
    async with asking(tmp_path) as (repository, server, process):
        repository.config("http.receivepack", "false")
        assert await evidence(process, branch(server.url("fleet.git"))) == [Evidence(may_push=False)]
        server.fail("status", service="git-upload-pack", status=503, times=9)
        assert await evidence(process, branch(server.url("fleet.git"), push="other")) == [Evidence(may_push=None)]


async def test_the_trailers_say_who_wrote_a_branch_and_the_last_commit_whose_a_push_branch_is(tmp_path):
    async with asking(tmp_path) as (repository, server, process):
        url = server.url("fleet.git")
        for keys in (("team-a/shop/web",), ("team-b/x/y",)):
            repository.commit({"a.yaml": keys[0].encode()}, message=said(*keys), committer=OURS)
        repository.git("update-ref", "refs/heads/updates", "refs/heads/main")
        repository.commit({"a.yaml": b"person"})
        (straight, rebuilt, new) = await evidence(process, branch(url), branch(url, "updates"), branch(url, "new"))
        assert straight == Evidence(may_push=True, writers=frozenset({"team-a/shop/web", "team-b/x/y"}))
        assert rebuilt == Evidence(may_push=True, writers=frozenset({"team-b/x/y"}))
        assert new == Evidence(may_push=True)
        assert not repository.pushes


async def test_who_loses_a_push_branch_is_told_before_anybody_is_told_something_else(tmp_path):
    """The keeper never hears that he lost it, the newcomer does, and every subscription has its end."""
    async with asking(tmp_path) as (_, server, process):
        url = server.url("fleet.git")
        keeper, newcomer = asked("a", branch(url, "updates")), asked("b", branch(url, "updates", "main", "wrong"))
        source = SourceByHand(snapshot(keeper, newcomer))
        changes = []
        asked_for = Inventory(snapshot(), [source.name], process.precedence)
        runner = SourceRunner(asked_for, [source], process, changed=changes.append)
        await runner.gather()
        assert [item.key for item in asked_for.snapshot.subscriptions] == ["a"]
        assert {(item.key, item.code) for item in source.heard} == {("b", "push-branch")}
        assert [item.key for item in runner.refused] == ["b"]
        assert [change.destinations for change in changes] == [{branch(url, "updates")}]


async def test_rights_are_asked_for_again_while_a_branch_is_contested(tmp_path, monkeypatch):
    monkeypatch.setattr("updater.daemon.source_runner.ASKED_AGAIN", 0.01)
    async with asking(tmp_path) as (_, server, process):
        url = server.url("fleet.git")
        source = SourceByHand(snapshot(asked("a", branch(url, "updates")), asked("b", branch(url, "updates", "main", "other"))))
        asked_for = Inventory(snapshot(), [source.name], process.precedence)
        runner = SourceRunner(asked_for, [source], process, changed=lambda _: None)
        await runner.gather()
        server.basic = ("u", "other")  # the password was changed, and only one of the two knows it
        settling = asyncio.create_task(runner.settle())
        async with asyncio.timeout(60):
            while [item.key for item in asked_for.snapshot.subscriptions] != ["b"]:  # noqa: ASYNC110 - a state, not an event
                await asyncio.sleep(0.02)
        settling.cancel()
