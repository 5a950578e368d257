"""Our log looks as `git log -p` does."""

import subprocess

import pytest

from tests.fakes.git_server import IDENTITY, BareRepository
from updater.errors import GitError
from updater.git.log import log_patch, unified

pytestmark = pytest.mark.real
LONG = "".join(f"key{number}: value\n" if number % 7 == 0 else f"  line{number}: 1\n" for number in range(60))


def theirs(repository, *arguments):
    done = subprocess.run(
        ["git", "--git-dir", repository.path, "log", "-p", "--no-renames", *arguments],
        capture_output=True,
        env=IDENTITY,
        check=True,
    )
    return done.stdout.decode("utf-8", "replace")


def ours(repository, *arguments, **options):
    return "".join(line + "\n" for line in log_patch(repository.path, *arguments, **options))


@pytest.fixture
def busy(git_program, tmp_path):
    repository = BareRepository.make(tmp_path / "fleet.git", {"a.yaml": LONG.encode(), "empty": b"", "bin": b"\0\1"})
    repository.commit({"a.yaml": LONG.replace("line10: 1", "line10: 2").replace("line40: 1", "line40: 2").encode()})
    repository.commit({"a.yaml": LONG.encode()[:-1]}, message="no end of line\n\nbody\n  indented\n\nlast")
    repository.commit({"a.yaml": LONG.encode() + b"more", "bin": b"\0\2"})
    repository.commit({"empty": None, "run": ("100755", b"x\n"), "link": ("120000", b"a.yaml"), "mod": ("160000", b"1" * 40)})
    repository.commit({"run": ("100644", b"x\n"), "mod": ("160000", b"2" * 40), "spa ce/ä\t.txt": b"1\n"})
    repository.commit({"run": ("100755", b"y\n"), "a.yaml": b"0\n" + LONG.encode(), "nothing": b""})
    return repository


def test_every_kind_of_change_is_shown_as_git_shows_it(busy):
    assert ours(busy, "main") == theirs(busy, "main")


def test_merges_and_branches_are_shown_as_git_shows_them(busy):
    base = busy.head()
    side = busy.commit({"side": b"1\n"}, branch="side", parent=base)
    busy.commit({"a.yaml": b"main\n"})
    tree = busy.git("rev-parse", "main^{tree}").strip()
    merge = busy.git(
        "commit-tree",
        tree,
        "-p",
        "main",
        "-p",
        side,
        "-m",
        "Merge side",
        GIT_COMMITTER_DATE=f"{busy.clock + 60} +0000",
        GIT_AUTHOR_DATE=f"{busy.clock + 60} -0230",
    ).strip()
    busy.git("update-ref", "refs/heads/main", merge)
    assert ours(busy, "main") == theirs(busy, "main")
    assert ours(busy) == theirs(busy, "main")
    assert ours(busy, merge, limit=2) == theirs(busy, "-2", "main")
    assert ours(busy, "main", until=base) == theirs(busy, f"{base}..main")


def test_a_shallow_repository_ends_at_its_cut(busy, tmp_path):
    subprocess.run(
        ["git", "clone", "-q", "--bare", "--depth", "2", f"file://{busy.path}", tmp_path / "cut"], env=IDENTITY, check=True
    )
    text = "".join(line + "\n" for line in log_patch(tmp_path / "cut", "main"))
    assert text.count("commit ") == 2


@pytest.mark.parametrize("revision", ["nowhere", "1" * 40])
def test_an_unknown_revision_or_place_is_told(busy, tmp_path, revision):
    with pytest.raises(GitError) as caught:
        ours(busy, revision)
    assert caught.value.code == "checkout"
    with pytest.raises(GitError):
        list(log_patch(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("old", "new"), [(b"", b""), (b"a\n", b"a\n"), (b"", b"a"), (b"a", b""), (b"a\nb", b"a\nb\n"), (b"\n\nx\n", b"\ny\n")]
)
def test_small_differences_are_shown_as_git_shows_them(git_program, tmp_path, old, new):
    (tmp_path / "a").write_bytes(old)
    (tmp_path / "b").write_bytes(new)
    done = subprocess.run(
        ["git", "diff", "--no-index", "--no-color", tmp_path / "a", tmp_path / "b"],
        capture_output=True,
        env=IDENTITY,
        check=False,
    )
    hunks = done.stdout.decode().partition("@@ ")
    assert "".join(line + "\n" for line in unified(old, new)) == hunks[1] + hunks[2]
