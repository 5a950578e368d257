"""A conversation has a deadline over every carrier, and the next one works."""

import asyncio

import pytest

from tests.fakes.ssh_server import SshServer, make_key
from tests.real.parts import require
from updater.errors import GitUnavailable
from updater.git.access import GitAccess

pytestmark = pytest.mark.real


async def test_a_command_over_ssh_that_never_answers_is_ended(mirrors, repository, tmp_path):
    require("ssh-keygen")
    key = make_key(tmp_path / "me")
    with SshServer(tmp_path, require("sshd"), [tmp_path / "me.pub"], more="ForceCommand sleep 120\n") as server:
        access = GitAccess(private_key=key, known_hosts=server.known_hosts)
        with pytest.raises(GitUnavailable) as caught:
            async with asyncio.timeout(60):
                await mirrors(server.url(repository.path), access, deadline=2.0).look("main")
    assert caught.value.code == "git-deadline"


async def test_an_access_may_have_a_shorter_deadline_than_the_settings(mirrors, repository, tmp_path):
    """The timeout of a GitRepository ends its conversations, and the hint says where it stands."""
    require("ssh-keygen")
    key = make_key(tmp_path / "me")
    with SshServer(tmp_path, require("sshd"), [tmp_path / "me.pub"], more="ForceCommand sleep 120\n") as server:
        access = GitAccess(private_key=key, known_hosts=server.known_hosts, deadline=1.5)
        with pytest.raises(GitUnavailable, match=r"within 1\.5 s") as caught:
            async with asyncio.timeout(60):
                await mirrors(server.url(repository.path), access, deadline=100.0).look("main")
    assert (caught.value.code, "timeout of the GitRepository" in caught.value.hint) == ("git-deadline", True)


async def test_an_access_raises_no_limit_of_the_settings(mirrors, repository, tmp_path):
    require("ssh-keygen")
    key = make_key(tmp_path / "me")
    with SshServer(tmp_path, require("sshd"), [tmp_path / "me.pub"], more="ForceCommand sleep 120\n") as server:
        access = GitAccess(private_key=key, known_hosts=server.known_hosts, deadline=1000.0)
        with pytest.raises(GitUnavailable, match=r"within 1\.5 s") as caught:
            async with asyncio.timeout(60):
                await mirrors(server.url(repository.path), access, deadline=1.5).look("main")
    assert "git.limits.deadline" in caught.value.hint


async def test_a_hook_of_a_local_repository_that_never_ends_is_left(mirrors, repository, commit):
    hook = repository.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexec sleep 120\n")
    hook.chmod(0o755)
    mirror = mirrors(str(repository.path), deadline=2.0)
    head = await mirror.look("main")
    await mirror.fetch("main")
    with pytest.raises(GitUnavailable) as caught:
        async with asyncio.timeout(60):
            await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"1"})])
    assert caught.value.code == "push-unknown"
    assert "did not finish within 2 s" in caught.value.message
    hook.unlink()
    assert (await mirror.look("main")).revision == head.revision
