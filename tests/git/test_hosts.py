"""Servers that lack what a Git server usually has: the way is longer there, and the end the same."""

from __future__ import annotations

import pytest

from tests.fakes.git_hosts import LackingServer, azure, codecommit
from updater.git.access import GitAccess
from updater.git.mirror import Mirror, Shared

FILE = "apps/a.yaml"


@pytest.fixture(params=["azure", "codecommit", "no-shallow", "no-shallow-2", "refused-shallow", "refused-shallow-2"])
def host(request, repository):
    root = repository.path.parent
    if request.param in {"azure", "codecommit"}:
        made = {"azure": azure, "codecommit": codecommit}[request.param](root)
    else:
        lacks, is_honest = frozenset({"shallow", "filter"}), request.param.startswith("no")
        made = LackingServer(root, speaks_v2=request.param.endswith("-2"), lacks=lacks, is_honest=is_honest)
    with made as running:
        yield running


@pytest.fixture
async def told(tmp_path, host):
    """A mirror, and what is told of its server."""
    said = []
    shared = Shared(ours={"updater@example.org"}, warn=said.append)
    mirror = Mirror(host.url("fleet.git"), tmp_path / "mirror", GitAccess(), shared)
    yield mirror, said
    await mirror.close()


async def landed(mirror, commit, content, key="app"):
    head = await mirror.look("main")
    await mirror.fetch("main")
    made = commit({FILE: content}, key=key)
    return await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[made])


async def test_a_host_that_lacks_much_is_read_and_written_and_what_it_lacks_is_told_once(host, told, repository, commit):
    mirror, said = told
    for number in range(12):  # enough for deltas in the pack
        repository.commit({FILE: b"image: app:1.0\n" + b"# a line that stays\n" * 200 + b"%d\n" % number})
    first = await landed(mirror, commit, b"image: app:1.1\n")
    assert (repository.head(), repository.show(FILE)) == (first.revision, b"image: app:1.1\n")
    theirs = repository.commit({"apps/other.yaml": b"kind: Other\n"})
    second = await landed(mirror, commit, b"image: app:1.2\n")
    assert (repository.head(), repository.git("rev-parse", "main^").strip()) == (second.revision, theirs)
    past = await mirror.history(second.revision)
    assert [item.revision for item in past] == [second.revision, first.revision]
    assert [item.revision for item in await mirror.recall("main", second.revision)] == [second.revision, first.revision]
    is_whole = "shallow" in host.lacks
    assert [line.partition(" gives ")[2] for line in said] == ["no part of a history: all of it is fetched, once"] * is_whole
    assert [fault for fault in host.refused if "shallow" not in fault] == []


async def test_what_is_back_from_long_ago_is_read_where_a_host_cuts_no_history(host, told, repository, commit):
    mirror, _ = told
    old = repository.show("apps/b.yaml")
    repository.commit({"apps/b.yaml": b"kind: Newer\n"})
    await landed(mirror, commit, b"image: app:1.1\n")
    repository.commit({"apps/b.yaml": old, "apps/c.yaml": b"tag: 1\n"})
    head = await mirror.look("main")
    await mirror.fetch("main")
    assert await mirror.tree(head.revision, lambda tree: tree.read("apps/b.yaml")) == old


async def test_a_push_branch_is_built_and_rebuilt_on_such_a_host(host, told, repository, commit):
    mirror, _ = told
    for tag in ("1.1", "1.2"):
        head = await mirror.look("main", "updates")
        await mirror.fetch("main")
        old = head.heads.get("updates")
        made = [commit({FILE: tag.encode()})]
        await mirror.land(base=head.revision, branch="updates", expected=old, commits=made, over=head.revision)
        assert repository.show(FILE, "updates") == tag.encode()
