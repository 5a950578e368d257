"""A repository on this machine is reached by its path, with the git program or without."""

from contextlib import ExitStack

import pytest

from tests.fakes.git_server import BareRepository
from updater.errors import GitDenied, GitError, PushRefused
from updater.git import diagnosis, remote
from updater.git.access import GitAccess, parse_address
from updater.git.diagnosis import Diagnosis
from updater.git.limits import Bounds
from updater.git.remote import Haves

pytestmark = pytest.mark.real


@pytest.fixture(params=["with git", "without git"])
def program(request, monkeypatch):
    if request.param == "without git":
        monkeypatch.setattr(remote, "_git_program", lambda: None)
    return request.param


async def go(mirror, commit, branch="main", files=None):
    head = await mirror.look("main", branch)
    await mirror.fetch("main")
    await mirror.history(head.revision)
    return await mirror.land(
        base=head.revision, branch=branch, expected=head.heads.get(branch), commits=[commit(files or {"x": b"1"})]
    )


@pytest.mark.parametrize("prefix", ["", "file://"])
async def test_a_path_is_looked_at_fetched_and_pushed_to(program, mirrors, repository, commit, prefix):
    mirror = mirrors(f"{prefix}{repository.path}")
    await go(mirror, commit)
    repository.commit({"apps/b.yaml": b"moved\n"})
    await go(mirror, commit, files={"x": b"2"})
    await go(mirror, commit, branch="auto", files={"x": b"3"})
    repository.commit({"apps/b.yaml": b"moved again\n"})
    await go(mirror, commit, branch="auto", files={"x": b"4"})
    assert repository.show("x") == b"2"
    assert repository.show("x", "auto") == b"4"
    assert repository.show("apps/b.yaml", "auto") == b"moved again\n"
    head = await mirror.look("main")
    assert len(await mirror.history(head.revision)) == 2
    repository.git("fsck", "--strict")


async def test_a_branch_that_moved_is_refused(program, mirrors, repository, commit):
    mirror = mirrors(str(repository.path))
    head = await mirror.look("main")
    await mirror.fetch("main")
    theirs = repository.commit({"p": b"1"})
    with pytest.raises(PushRefused):
        await mirror.land(base=head.revision, branch="main", expected=head.revision, commits=[commit({"x": b"1"})])
    assert repository.head() == theirs


async def test_hooks_run_with_git_and_without_it_they_are_not_passed_by(program, mirrors, repository, commit):
    repository.decline_pushes("house rule")
    with pytest.raises(GitError) as caught:
        await go(mirrors(str(repository.path)), commit)
    assert caught.value.code == ("push-declined" if program == "with git" else "hooks")
    assert repository.git("rev-list", "--count", "main").strip() == "1"


async def test_a_path_without_a_repository_is_told(program, mirrors, tmp_path):
    for number, path in enumerate((tmp_path, tmp_path / "absent")):
        with pytest.raises(GitError) as caught:
            await mirrors(str(path), name=str(number)).look("main")
        assert caught.value.code == "git-not-found"


async def test_landing_on_an_empty_repository_by_path(program, mirrors, tmp_path, commit):
    empty = BareRepository.make(tmp_path / "empty.git")
    mirror = mirrors(str(empty.path))
    assert (await mirror.look("main")).revision is None
    await mirror.land(base=None, branch="main", expected=None, commits=[commit({"x": b"1"})])
    assert empty.show("x") == b"1"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({b"refs/heads/main": None}, None),
        ({}, None),
        (None, "push-unknown"),
        ({b"refs/heads/main": "non-fast-forward"}, True),
        ({b"refs/heads/main": "fetch first"}, True),
        ({b"refs/heads/main": "failed to update ref"}, True),
        ({b"refs/heads/main": "cannot lock ref 'refs/heads/main': is at a but expected b"}, True),
        ({b"refs/heads/main": "reference already exists"}, True),
        ({b"refs/heads/main": "unable to set b'refs/heads/main'"}, True),
        ({b"refs/heads/main": "pre-receive hook declined"}, False),
        ({b"refs/heads/main": "protected branch hook declined"}, False),
        ({b"refs/heads/main": "branch is currently checked out"}, False),
    ],
)
def test_what_a_server_reports_of_a_push_has_one_meaning(status, code):
    talker = Diagnosis(parse_address("https://host/a"), GitAccess())
    if status is None:
        with pytest.raises(GitError) as caught:
            talker.judge("main", status, ref=b"refs/heads/main", talk=b"")
        assert caught.value.code == code
        return
    refusal = talker.judge("main", status, ref=b"refs/heads/main", talk=b"remote: see\nhere")
    assert (None if refusal is None else refusal.may_be_race) == code
    assert refusal is None or "remote: see here" in refusal.said


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ("HangupException()", GitError, "git-interrupted"),
        ("HangupException([b'fatal: unable to access: Permission denied'])", GitDenied, "git-forbidden"),
        ("HangupException([b'ERROR: Repository not found.'])", GitError, "git-not-found"),
        ("HangupException([b'fatal: out of memory'])", GitError, "git-unavailable"),
        ("NotGitRepository('x')", GitError, "git-not-found"),
        ("SendPackError('unpack failed')", PushRefused, "push-declined"),
        ("GitProtocolError(b'upload-pack: not our ref 123')", PushRefused, "push-refused"),
        ("GitProtocolError('what')", GitError, "git-protocol"),
        ("ChecksumMismatch(b'1', b'2')", GitError, "git-protocol"),
        ("ApplyDeltaError('x')", GitError, "git-protocol"),
        ("UnresolvedDeltas([b'1' * 40])", GitError, "git-protocol"),
        ("AssertionError()", GitError, "git-protocol"),
        ("ValueError('x')", GitError, "git-protocol"),
        ("zlib.error('x')", GitError, "git-protocol"),
        ("TimeoutError()", GitError, "git-timeout"),
        ("ConnectionResetError()", GitError, "git-interrupted"),
    ],
)
def test_no_foreign_error_leaves_a_conversation(error, kind, code):
    talker = Diagnosis(parse_address("https://u:secret@host/a"), GitAccess())
    with pytest.raises(kind) as caught, talker.named():
        raise eval(error, vars(diagnosis))
    assert caught.value.code == code
    assert caught.value.hint
    assert "secret" not in caught.value.message


def test_an_empty_answer_holds_no_commits(tmp_path):
    with (tmp_path / "pack").open("w+b") as file, ExitStack() as held:
        assert list(remote._commits(file, Bounds(), held)) == []
    assert Haves.of() == Haves()


async def test_a_path_without_a_repository_is_named_once(program, mirrors, tmp_path):
    path = tmp_path / "nowhere.git"
    with pytest.raises(GitError) as caught:
        await mirrors(str(path)).look("main")
    assert (caught.value.code, caught.value.message) == ("git-not-found", f"there is no Git repository at {path}")
    assert caught.value.hint == "check the path; git init --bare makes a repository"
