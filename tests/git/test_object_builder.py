"""A commit changes the named files and nothing beside them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from updater.errors import EditError
from updater.git.object_builder import Identity, NewCommit

pytestmark = pytest.mark.real
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
SPECIAL = {
    "run.sh": ("100755", b"#!/bin/sh\n"),
    "link": ("120000", b"apps"),
    "module": ("160000", b"1" * 40),
    "large.yaml": POINTER,
    "crlf.yaml": b"a: 1\r\n",
}


@pytest.fixture
async def land(repository, mirror, commit):
    repository.commit(SPECIAL)

    async def do(files, **options):
        head = await mirror.look("main")
        await mirror.fetch("main")
        return await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit(files, **options)])

    return do


async def test_everything_beside_the_files_stays_as_it_was(repository, land):
    before = repository.git("ls-tree", "-r", "main").splitlines()
    await land({"run.sh": b"#!/bin/bash\n", "crlf.yaml": b"a: 2\r\n", "new/deep/file": b"n"})
    after = repository.git("ls-tree", "-r", "main").splitlines()
    changed = {line.split("\t")[1]: line.split()[0] for line in after if line not in before}
    assert changed == {"run.sh": "100755", "crlf.yaml": "100644", "new/deep/file": "100644"}
    assert len(after) == len(before) + 1
    assert repository.show("crlf.yaml") == b"a: 2\r\n"
    repository.git("fsck", "--strict")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("link", "symlink"),
        ("link/a.yaml", "symlink"),
        ("module", "submodule"),
        ("module/x", "submodule"),
        ("large.yaml", "lfs"),
        ("apps", "no-file"),
        ("apps/a.yaml/x", "no-file"),
        ("../x", "path"),
        (".git/hooks/x", "path"),
        (".GIT/x", "path"),
    ],
)
async def test_what_may_not_be_written_stops_the_whole_landing(repository, land, path, code):
    head = repository.head()
    with pytest.raises(EditError) as caught:
        await land({"README.md": b"changed\n", path: b"evil"})
    assert (caught.value.code, caught.value.path.split("/")[0]) == (code, path.split("/")[0])
    assert caught.value.hint
    assert repository.head() == head


async def test_a_file_cannot_be_a_folder_too(land):
    with pytest.raises(EditError):
        await land({"new": b"1", "new/x": b"2"})


async def test_nothing_new_is_no_commit(repository, land):
    head = repository.head()
    landed = await land({"README.md": b"fleet\n"})
    assert (landed.revision, landed.is_unchanged) == (head, True)


async def test_two_commit_specs_are_two_commits_in_one_push(repository, mirror, commit):
    repository.log_pushes()
    head = await mirror.look("main")
    await mirror.fetch("main")
    alice = Identity(name="Alice\n<x>", email="alice@example.org")
    commits = [
        commit({"apps/a.yaml": b"1"}),
        commit({"README.md": b"fleet\n"}),
        commit({"apps/a.yaml": b"2", "y": b"3"}, author=alice),
    ]
    landed = await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=commits)
    assert len(repository.pushes) == 1
    assert repository.git("log", "--format=%an <%ae> %cn", "-2").splitlines() == [
        "Alice x <alice@example.org> Alice x",
        "updater <updater@example.org> updater",
    ]
    assert repository.show("apps/a.yaml") == b"2"
    assert len(await mirror.history(landed.revision)) == 2


async def test_message_time_and_zone_stand_in_the_commit(repository, mirror):
    when = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    head = await mirror.look("main")
    await mirror.fetch("main")
    new = NewCommit(
        message="\nSübject\n\nbody\0\n\n",
        author=Identity(name="Ü", email="u@x"),
        files={"x": b"1"},
        when=when,
        committer=Identity(name="c", email="c@x"),
    )
    await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[new])
    assert (
        repository.git("log", "-1", "--format=%an|%cn|%ai|%ct|%B")
        == f"Ü|c|2026-03-01 12:00:00 -0330|{int(when.astimezone(UTC).timestamp())}|Sübject\n\nbody\n\n"
    )
