"""A process lets go of what it holds open, whatever a server does."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys

import pytest

from tests.engine.making import git_branch
from tests.fakes.eventually import until
from tests.fakes.git_server import BareRepository, GitServer
from tests.flows.fleet import add_usual, fleet
from tests.real.parts import require
from updater.daemon.process import Process, process_for
from updater.errors import ConfigError
from updater.git.access import GitAccess
from updater.model.subscription import GitBranch
from updater.sources.file import load

pytestmark = pytest.mark.real


async def anonymous(_url, _credential):
    return GitAccess()


async def test_many_mirrors_of_servers_that_hang_are_let_go_together(tmp_path):
    require("git")
    require("git-http-backend")
    for number in range(8):
        BareRepository.make(tmp_path / "served" / f"r{number}.git", {"x": b"1"})
    with GitServer(tmp_path / "served") as server:
        server.fail("slow", times=8, seconds=60)
        async with asyncio.timeout(10):
            async with Process(tmp_path / "state") as process:
                process.access_for = anonymous
                branches = [GitBranch(url=server.url(f"r{number}.git"), branch="main") for number in range(8)]
                looks = [asyncio.create_task(process.mirror(branch).look("main")) for branch in branches]
                await until(lambda: server.count() == 8)
                for look in looks:
                    look.cancel()


async def test_a_repository_that_nobody_names_any_more_leaves_nothing_on_disk_and_may_come_back(tmp_path):
    require("git")
    kept, gone = (
        GitBranch(url=str(BareRepository.make(tmp_path / f"{name}.git", {"x": b"1"}).path), branch="main")
        for name in ("kept", "gone")
    )
    async with Process(tmp_path / "state") as process:
        process.access_for = anonymous
        for branch in (kept, gone):
            await process.mirror(branch).fetch("main")
        folders = [process.mirror(branch).folder for branch in (kept, gone)]
        await process.keep_mirrors([kept])
        assert [folder.exists() for folder in folders] == [True, False]
        assert process.mirror(kept).folder == folders[0]
        await process.mirror(gone).fetch("main")
        assert folders[1].exists()


async def test_sigterm_ends_it_while_a_push_hangs(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        made.server.fail("slow", service="POST git-receive-pack", seconds=60)
        made.registry.push("o/app", "1.1.0")
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "updater", "run", "-c", str(made.configure()))
        await until(lambda: any(item.service == "git-receive-pack" and item.method == "POST" for item in made.server.requests))
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.mark.parametrize("below", ["", "deeper/still"])
@pytest.mark.parametrize("kind", ["file", "pipe", "link to nothing"])
def test_a_state_that_cannot_be_a_folder_is_an_error_of_the_configuration_before_anything_starts(tmp_path, below, kind):
    in_way = tmp_path / "in-way"
    if kind == "file":
        in_way.write_text("mine")
    elif kind == "pipe":
        os.mkfifo(in_way)
    else:
        in_way.symlink_to(tmp_path / "nothing")
    config = tmp_path / "updater.yaml"
    config.write_text(f"state: {in_way / below}\nsubscriptions: []\n")
    with pytest.raises(ConfigError) as caught:
        process_for(load([config], {}))
    assert (caught.value.code, str(in_way) in caught.value.message) == ("state", True)
    assert os.path.lexists(in_way)


async def test_the_folder_of_a_mirror_is_named_as_before_by_url_and_credential(tmp_path):
    url = "https://git.test/fleet.git"
    async with Process(tmp_path / "state") as process:
        folders = [process.mirror(git_branch(url, credential=credential)).folder.name for credential in ("", "secret:team/git")]
    texts = (url, f"{url}\nsecret:team/git")
    assert folders == [hashlib.sha256(text.encode()).hexdigest()[:24] for text in texts]
