"""`updater set --proposal` and the daemon on one repository: they know each other, and lose nothing."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.fakes.forge import TOKEN
from tests.fakes.git_server import run_git
from tests.flows.fleet import Status
from tests.flows.test_proposals import proposing
from updater.cli.main import run_cli

BRANCH = "updater/main/app"
OTHER = "apps/other.yaml"


@pytest.fixture(params=["github", "gitlab"])
async def life(request, tmp_path, monkeypatch):
    async with proposing(tmp_path, request.param, "lost", more="{}") as made:
        made.push("1.1.0")
        made.fleet.repository.commit({OTHER: b'tag: "1" # {"$imagepolicy": "ns:other:tag"}\n'})
        run_git("clone", "-q", made.fleet.url, tmp_path / "clone")
        for name, value in {"KIND": made.forge.kind, "API": made.forge.api, "TOKEN": TOKEN}.items():
            monkeypatch.setenv(f"UPDATER_FORGE_{name}", value)
        yield made


async def propose(life, capfd, *arguments):
    """Run `set`; give exit code and what it says of the pull request."""
    command = ["set", str(life.fleet.folder / "clone"), *arguments, "--commit", "--push", "--proposal", "-o", "json"]
    capfd.readouterr()
    code = await asyncio.to_thread(run_cli, command)
    out, err = capfd.readouterr()
    return code, json.loads(out).get("proposal"), err


def app(life, tag):
    return f"ns:app={life.fleet.registry.host}/o/app:{tag}"


async def test_the_daemon_takes_over_a_pull_request_that_set_opened_from_its_branch(life, capfd):
    code, said, _ = await propose(life, capfd, "--marker", app(life, "1.0.5"), "--branch", BRANCH)
    assert (code, said["status"], life.written(BRANCH)) == (0, "opened", "1.0.5")
    end = await life.land()
    assert (end.status, end.link, life.written(BRANCH)) == (Status.PROPOSED, said["link"], "1.1.0")
    assert len(life.forge.pulls) == 1
    assert life.fleet.repository.git("rev-list", "--count", f"main..{BRANCH}").strip() == "1"


async def test_set_leaves_a_branch_of_the_daemon_alone(life, capfd):
    await life.land()
    head = life.head(BRANCH)
    code, _, err = await propose(life, capfd, "--marker", "ns:other=x:2", "--branch", BRANCH)
    assert (code, f"the branch {BRANCH} holds changes of app" in err, life.head(BRANCH)) == (1, True, head)


async def test_both_have_their_own_pull_requests_and_leave_those_of_the_other_open(life, capfd):
    await life.land()
    _, said, _ = await propose(life, capfd, "--marker", "ns:other=x:2")
    assert said["status"] == "opened"
    assert (await life.land()).status is Status.PROPOSED
    _, again, _ = await propose(life, capfd, "--marker", "ns:other=x:2")
    assert (again["status"], len(life.forge.opened())) == ("unchanged", 2)


async def test_what_people_merged_for_one_is_built_upon_by_the_other(life, capfd):
    await life.land()
    await propose(life, capfd, "--marker", "ns:other=x:2")
    life.forge.merge(2)
    assert (await life.land()).status is Status.PROPOSED
    assert life.fleet.repository.git("merge-base", "main", BRANCH).strip() == life.fleet.repository.head("main")
    life.forge.merge(1)
    _, said, _ = await propose(life, capfd, "--marker", "ns:other=x:2")
    assert (said["status"], life.written("main"), b'"2"' in life.fleet.repository.show(OTHER)) == ("none", "1.1.0", True)
