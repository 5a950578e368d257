"""`updater set --commit --push`: the commit holds the changed paths only, and a race is made again, not lost."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.real.parts import require
from updater.cli import set_commit
from updater.cli.main import run_cli

MARK = '# {"$imagepolicy": "ns:p"}'
pytestmark = pytest.mark.real


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Git's own program, with a home of its own."""
    require("git")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ada@example.org")

    def call(folder, *arguments):
        return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout.strip()

    return call


@pytest.fixture
def clone(tmp_path, git):
    """A clone of a bare repository, both with one commit."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(tmp_path, "clone", "-q", "origin.git", "clone")
    folder = tmp_path / "clone"
    (folder / "apps").mkdir()
    (folder / "apps/web.yaml").write_text(f"image: x:1 {MARK}\nreplicas: 1\n")
    (folder / "README").write_text("hello\n")
    git(folder, "checkout", "-q", "-B", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "start")
    git(folder, "push", "-q", "-u", "origin", "main")
    return folder


def run(capfd, *arguments):
    code = run_cli(["set", *map(str, arguments), "-o", "json"])
    out, err = capfd.readouterr()
    return code, json.loads(out), err


def test_only_the_changed_paths_are_committed(clone, git, capfd):
    (clone / "README").write_text("in the middle of something\n")
    code, said, _ = run(capfd, clone / "apps", "--marker", "ns:p=x:2", "--commit", "--exit-code")
    assert code == 10
    assert said["commit"] == git(clone, "rev-parse", "HEAD")
    assert git(clone, "show", "--name-only", "--format=%an <%ae>%n%s", "HEAD").split("\n") == [
        "Ada <ada@example.org>",
        "Set ns:p to x:2",
        "",
        "apps/web.yaml",
    ]
    assert git(clone, "status", "--short") == "M README"
    assert git(clone, "rev-parse", "origin/main") == git(clone, "rev-parse", "HEAD^")


def test_the_message_may_be_given(clone, git, capfd):
    run(capfd, clone, "--marker", "ns:p=x:2", "--commit", "--message", "chore: bump")
    assert git(clone, "log", "-1", "--format=%s") == "chore: bump"


def test_nothing_changed_is_no_commit(clone, git, capfd):
    before = git(clone, "rev-parse", "HEAD")
    assert run(capfd, clone, "--marker", "ns:p=x:1", "--commit")[:2] == (
        0,
        {"changes": [], "refused": [], "unmatched": [], "commit": None},
    )
    assert git(clone, "rev-parse", "HEAD") == before


def test_a_detached_head_as_in_ci_is_fine(clone, git, capfd):
    git(clone, "checkout", "-q", "--detach")
    code, said, _ = run(capfd, clone, "--marker", "ns:p=x:2", "--commit")
    assert (code, said["commit"]) == (0, git(clone, "rev-parse", "HEAD"))


def test_a_push_arrives(clone, git, capfd, tmp_path):
    code, said, _ = run(capfd, clone, "--marker", "ns:p=x:2", "--commit", "--push")
    assert code == 0
    assert git(tmp_path / "origin.git", "rev-parse", "main") == said["commit"]


def test_a_refused_push_is_made_again_on_the_new_head(clone, git, capfd, tmp_path, monkeypatch):
    async def at_once(_attempt):
        return None

    monkeypatch.setattr(set_commit, "_pause", at_once)
    git(tmp_path, "clone", "-q", "origin.git", "other")
    other = tmp_path / "other"
    (other / "apps/web.yaml").write_text(f"image: x:1 {MARK}\nreplicas: 3\n")
    (other / "apps/new.yaml").write_text(f"image: x:1 {MARK}\n")
    git(other, "add", ".")
    git(other, "commit", "-q", "-m", "a person was faster")
    git(other, "push", "-q")
    code, said, _ = run(capfd, clone, "--marker", "ns:p=x:2", "--commit", "--push")
    assert code == 0
    bare = tmp_path / "origin.git"
    assert git(bare, "rev-parse", "main") == said["commit"]
    assert git(bare, "log", "--format=%s", "main").split("\n") == ["Set ns:p to x:2", "a person was faster", "start"]
    assert git(bare, "show", "main:apps/web.yaml") == f"image: x:2 {MARK}\nreplicas: 3"
    assert git(bare, "show", "main:apps/new.yaml") == f"image: x:2 {MARK}"


def test_a_replayed_values_file_that_is_gone_is_no_change(clone, git, capfd, tmp_path, monkeypatch):
    async def at_once(_attempt):
        return None

    monkeypatch.setattr(set_commit, "_pause", at_once)
    git(tmp_path, "clone", "-q", "origin.git", "other")
    git(tmp_path / "other", "rm", "-q", "apps/web.yaml")
    git(tmp_path / "other", "commit", "-q", "-m", "gone")
    git(tmp_path / "other", "push", "-q")
    code, said, _ = run(capfd, clone / "apps/web.yaml", "--helm", "web.yaml:image=x:2", "--commit", "--push")
    assert code == 0
    assert git(tmp_path / "origin.git", "log", "-1", "--format=%s", "main") == "gone"
    assert said["commit"] == git(tmp_path / "origin.git", "rev-parse", "main")


def test_outside_of_a_checkout_the_edit_stands_and_the_error_says_why(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "a.yaml").write_text(f"image: x:1 {MARK}\n")
    code, said, err = run(capfd, folder, "--marker", "ns:p=x:2", "--commit")
    assert code == 1
    assert said["commit"] is None
    assert len(said["changes"]) == 1
    assert "not inside a Git checkout" in err


def test_without_names_in_the_environment_the_author_is_the_programs_own(monkeypatch):
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    assert str(set_commit._author()) == "updater <updater@example.org>"
