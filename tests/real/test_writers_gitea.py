"""Ten people with the git program write to the branch of the daemon, on a real Gitea."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from tests.fakes.git_server import IDENTITY, run_git
from tests.real.daemon_process import Daemon, until
from tests.real.gitea_flows import FILE
from tests.real.parts import free_port

pytestmark = [pytest.mark.real, pytest.mark.gitea, pytest.mark.xdist_group("gitea")]
PEOPLE, EACH, TAGS = 10, 2, 4
OUR_ADDRESS = "updater@example.org"


def writes(on_gitea, number):
    """Let a person commit to a file of their own, and push until Git takes it; give the subjects of the commits."""
    clone = on_gitea.folder / f"person-{number}"
    run_git("clone", "-q", on_gitea.repository.remote(), clone)
    subjects = []
    for turn in range(EACH):
        (clone / f"person-{number}.txt").write_text(f"{turn}\n")
        subjects.append(f"person {number}, change {turn}")
        run_git("add", ".", cwd=clone)
        run_git("commit", "-q", "-m", subjects[-1], cwd=clone)
        until(lambda: is_pushed(clone), 120.0)
    return subjects


def is_pushed(clone):
    run_git("pull", "-q", "--rebase", cwd=clone)
    done = subprocess.run(["git", "push", "-q"], cwd=clone, env=IDENTITY, capture_output=True, check=False)
    return done.returncode == 0


async def test_no_commit_of_ten_writers_is_lost_beside_the_daemon(on_gitea, tmp_path):
    on_gitea.add("app", "marker: ns:app")
    on_gitea.push("1.1.0")
    config = on_gitea.configure()
    daemon = await asyncio.to_thread(Daemon, config, free_port(), tmp_path / "daemon.log")
    with daemon:
        people = [asyncio.create_task(asyncio.to_thread(writes, on_gitea, number)) for number in range(PEOPLE)]
        for tag in range(1, TAGS + 1):
            on_gitea.push(f"1.{tag}.0")
            await asyncio.to_thread(daemon.until, lambda tag=tag: on_gitea.written() == f"1.{tag}.0", 120.0)
        wanted = [subject for person in await asyncio.gather(*people) for subject in person]
        await asyncio.to_thread(daemon.stop)
    rows = [row.split("\t") for row in on_gitea.repository.git("log", "--format=%ae%x09%s", "main").splitlines()]
    theirs = [subject for address, subject in rows if subject.startswith("person ")]
    ours = [subject for address, subject in rows if address == OUR_ADDRESS]
    assert sorted(theirs) == sorted(wanted)
    assert len(wanted) == PEOPLE * EACH
    assert len(ours) == TAGS
    assert on_gitea.written() == f"1.{TAGS}.0"
    for number in range(PEOPLE):
        assert on_gitea.file(f"person-{number}.txt") == f"{EACH - 1}\n"
    changed = on_gitea.repository.git("log", f"--author={OUR_ADDRESS}", "--name-only", "--format=", "main").split()
    assert set(changed) == {FILE}
    on_gitea.repository.git("fsck", "--strict")
