"""Nine writers on one branch: what is refused is decided again, and nothing of anybody is lost."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import pytest

from tests.fakes.git_server import IDENTITY, BareRepository, GitServer, run_git
from tests.real.parts import require
from updater.errors import GitUnavailable, PushRefused
from updater.git.access import GitAccess
from updater.git.mirror import Mirror, Shared
from updater.git.object_builder import Identity, NewCommit
from updater.git.trailers import add_trailers

pytestmark = pytest.mark.real
PERSONS, EACH, BATCH, OURS = 8, 22, 3, 24
ME = Identity(name="updater", email="updater@example.org")


async def git(*arguments, cwd):
    process = await asyncio.create_subprocess_exec(
        "git",
        *map(str, arguments),
        cwd=cwd,
        env=IDENTITY,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait() == 0


async def person(url, folder, number, chance):
    """Commit EACH lines to a file of one's own, pushing a few at a time and pulling until they are accepted, as people do."""
    run_git("clone", "-q", url, folder)
    for line in range(EACH):
        with (folder / f"person-{number}.yaml").open("a") as file:
            file.write(f"line-{line}: person-{number}\n")
        assert await git("add", "-A", cwd=folder)
        assert await git("commit", "-q", "-m", f"person {number} line {line}", cwd=folder)
        if (line + 1) % BATCH and line + 1 < EACH:
            continue
        while not await git("push", "-q", "origin", "HEAD:main", cwd=folder):
            await asyncio.sleep(chance.uniform(0, 0.15))
            assert await git("pull", "-q", "--rebase", "origin", "main", cwd=folder)


async def updater(mirror, folder_of_targets, chance):
    """Look, decide and land OURS times; a refusal is answered by looking and deciding again."""
    refused = 0
    for number in range(OURS):
        while True:
            head = await mirror.look("main")
            await mirror.fetch("main")
            written = await mirror.tree(
                head.revision, lambda tree: tree.read(folder_of_targets)
            )  # the decision sees what is written at this head
            change = NewCommit(
                message=add_trailers(f"Move to {number}", subscriptions=["app"], images=[f"app:{number}"]),
                author=ME,
                files={folder_of_targets: written + b"tag-%d\n" % number},
                when=datetime.now(UTC),
            )
            try:
                await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[change])
                break
            except PushRefused as error:
                assert error.code == "push-refused"  # noqa: PT017 - every refusal must be this one
                refused += 1
            except GitUnavailable as error:
                assert error.code in {"git-unavailable", "git-interrupted"}  # noqa: PT017 - a busy server may stumble
            await asyncio.sleep(chance.uniform(0, 0.02))
    return refused


async def test_of_two_hundred_commits_by_nine_writers_none_is_lost_and_none_forced(tmp_path):
    require("git")
    require("git-http-backend")
    (tmp_path / "served").mkdir()
    repository = BareRepository.make(tmp_path / "served" / "fleet.git", {"apps/target.yaml": b"start\n"})
    repository.log_pushes()
    with GitServer(tmp_path / "served") as server:
        url = server.url("fleet.git")
        mirror = Mirror(url, tmp_path / "mirror", GitAccess(), Shared(ours={ME.email}))
        writers = [
            person(repository.path, tmp_path / f"person-{number}", number, random.Random(number)) for number in range(PERSONS)
        ]
        refused, *_ = await asyncio.gather(updater(mirror, "apps/target.yaml", random.Random(1)), *writers)
        history = await mirror.history((await mirror.look("main")).revision, 300)
        await mirror.close()
    print(f"refused and decided again: {refused} times")
    assert repository.git("rev-list", "--count", "--no-merges", "main").strip() == str(PERSONS * EACH + OURS + 1)
    assert repository.show("apps/target.yaml") == b"start\n" + b"".join(b"tag-%d\n" % number for number in range(OURS))
    for number in range(PERSONS):
        lines = "".join(f"line-{line}: person-{number}\n" for line in range(EACH))
        assert repository.show(f"person-{number}.yaml").decode() == lines
    assert {kind for kind, *_ in repository.pushes} == {"fast"}
    assert [past.images for past in history] == [(f"app:{number}",) for number in reversed(range(OURS))]
    repository.git("fsck", "--strict")
