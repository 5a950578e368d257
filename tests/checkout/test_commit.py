"""`updater set --commit --push`: the commit holds the changed paths only, and a race is made again, not lost."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.real.parts import require
from updater.checkout import commit as set_commit
from updater.checkout.config import CI_BRANCHES
from updater.cli.main import run_cli

MARK = '# {"$imagepolicy": "ns:p"}'
pytestmark = pytest.mark.real


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Git's own program, with a home of its own."""
    require("git")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in CI_BRANCHES:
        monkeypatch.delenv(name, raising=False)
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


def test_a_detached_head_is_pushed_to_the_branch_that_the_ci_job_builds(clone, git, capfd, tmp_path, monkeypatch):
    git(clone, "checkout", "-q", "--detach")
    monkeypatch.setenv("CI_COMMIT_BRANCH", "main")
    code, said, _ = run(capfd, clone, "--marker", "ns:p=x:2", "--commit", "--push")
    assert (code, said["commit"]) == (0, git(tmp_path / "origin.git", "rev-parse", "main"))


def test_the_branch_to_push_to_may_be_named(clone, git, capfd, tmp_path):
    git(clone, "checkout", "-q", "--detach")
    code, said, _ = run(capfd, clone, "--marker", "ns:p=x:2", "--commit", "--push", "--branch", "main")
    assert (code, said["commit"]) == (0, git(tmp_path / "origin.git", "rev-parse", "main"))


def test_a_push_without_a_goal_leaves_no_commit_behind(clone, git, capfd):
    git(clone, "checkout", "-q", "--detach")
    before = git(clone, "rev-parse", "HEAD")
    code = run_cli(["set", str(clone), "--marker", "ns:p=x:2", "--commit", "--push"])
    assert code == 1
    assert "hint: name the branch to push to by --branch\n" in capfd.readouterr().err
    assert (git(clone, "rev-parse", "HEAD"), git(clone, "status", "--short")) == (before, "")


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
    assert [change["path"] for change in said["changes"]] == ["apps/new.yaml", "apps/web.yaml"]
    assert "apps/new.yaml: image x:1 → x:2" in git(bare, "log", "-1", "--format=%b", "main")


@pytest.fixture
def other(git, clone, tmp_path, monkeypatch):
    """A person's clone, and a function that commits and pushes from it before we push."""

    async def at_once(_attempt):
        return None

    monkeypatch.setattr(set_commit, "_pause", at_once)
    git(tmp_path, "clone", "-q", "origin.git", "other")

    def faster(subject):
        git(tmp_path / "other", "add", "-A")
        git(tmp_path / "other", "commit", "-q", "-m", subject)
        git(tmp_path / "other", "push", "-q")

    return tmp_path / "other", faster


def test_a_values_file_that_is_gone_at_the_replay_is_refused_and_no_commit(clone, other, git, capfd, tmp_path):
    folder, faster = other
    git(folder, "rm", "-q", "apps/web.yaml")
    faster("gone")
    code, said, err = run(capfd, clone / "apps/web.yaml", "--helm", "web.yaml:image=x:2", "--commit", "--push")
    assert code == 1
    assert git(tmp_path / "origin.git", "log", "-1", "--format=%s", "main") == "gone"
    assert (said["commit"], said["changes"]) == (None, [])
    assert [(item["path"], item["code"]) for item in said["refused"]] == [("web.yaml", "no-file")]
    assert "there is no such file" in err


def test_a_place_refused_at_the_replay_is_said_while_the_rest_lands(clone, other, git, capfd, tmp_path):
    folder, faster = other
    (folder / "apps/web.yaml").write_text(f"image: x:1 {MARK}\nother: {MARK}\n")
    (folder / "apps/new.yaml").write_text(f"image: x:0 {MARK}\n")
    faster("a marker without a value")
    code, said, _ = run(capfd, clone, "--marker", "ns:p=x:2", "--commit", "--push")
    assert code == 1
    assert said["commit"] == git(tmp_path / "origin.git", "rev-parse", "main")
    assert [(item["path"], item["line"], item["code"]) for item in said["refused"]] == [("apps/web.yaml", 2, "empty-value")]
    assert [(item["path"], item["old"]) for item in said["changes"]] == [("apps/new.yaml", "x:0"), ("apps/web.yaml", "x:1")]


def test_values_that_somebody_pushed_first_are_no_change_of_ours(clone, other, git, capfd, tmp_path):
    folder, faster = other
    (folder / "apps/web.yaml").write_text(f"image: x:2 {MARK}\nreplicas: 1\n")
    faster("the same by hand")
    code, said, _ = run(capfd, clone, "--marker", "ns:p=x:2", "--commit", "--push")
    assert (code, said["commit"], said["changes"]) == (0, None, [])
    assert git(tmp_path / "origin.git", "log", "-1", "--format=%s", "main") == "the same by hand"


@pytest.mark.parametrize("arguments", [["--commit"], ["--commit", "--push", "--branch", "main"]])
def test_outside_of_a_checkout_nothing_is_written(tmp_path, capfd, monkeypatch, arguments):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "a.yaml").write_text(f"image: x:1 {MARK}\n")
    code, said, err = run(capfd, folder, "--marker", "ns:p=x:2", *arguments)
    assert (code, said) == (1, {"changes": [], "refused": [], "unmatched": [], "commit": None})
    assert "not inside a Git checkout" in err
    assert (folder / "a.yaml").read_text() == f"image: x:1 {MARK}\n"


@pytest.fixture
def nameless(clone, monkeypatch):
    """The clone, in an environment that names nobody."""
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return clone


def committed(git, clone, capfd, *before):
    code = run_cli([*map(str, before), "set", str(clone), "--marker", "ns:p=x:2", "--commit", "-o", "json"])
    assert (code, json.loads(capfd.readouterr().out)["commit"]) == (0, git(clone, "rev-parse", "HEAD"))
    return git(clone, "log", "-1", "--format=%an <%ae> / %cn <%ce>")


def test_where_nobody_is_named_the_author_is_the_programs_own(nameless, git, capfd):
    own = "updater <updater@example.org>"
    assert committed(git, nameless, capfd) == f"{own} / {own}"


def test_the_configurations_author_counts_where_git_knows_of_none(nameless, git, capfd, tmp_path):
    (tmp_path / "updater.yaml").write_text("git:\n  author: {name: Robot, email: robot@example.org}\n")
    own = "Robot <robot@example.org>"
    assert committed(git, nameless, capfd, "-c", tmp_path / "updater.yaml") == f"{own} / {own}"


def test_the_user_of_the_checkout_wins_over_the_one_of_the_home(nameless, git, capfd, tmp_path):
    (tmp_path / ".config/git").mkdir(parents=True)
    (tmp_path / ".config/git/config").write_text("[user]\n\tname = Xenia\n\temail = xenia@example.org\n")
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Holger\n")
    git(nameless, "config", "user.email", "checkout@example.org")
    said = git(nameless, "var", "GIT_AUTHOR_IDENT").rpartition(">")[0] + ">"
    assert said == "Holger <checkout@example.org>"
    assert committed(git, nameless, capfd) == f"{said} / {said}"


def test_the_environment_wins_and_names_author_and_committer_apart(nameless, git, capfd, monkeypatch):
    git(nameless, "config", "user.name", "Holger")
    git(nameless, "config", "user.email", "holger@example.org")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Zoë")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "ci@example.org")
    assert committed(git, nameless, capfd) == "Zoë <holger@example.org> / Holger <ci@example.org>"


def test_an_author_given_alone_commits_too(nameless, git, capfd, monkeypatch):
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Zoë")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "zoe@example.org")
    assert committed(git, nameless, capfd) == "Zoë <zoe@example.org> / Zoë <zoe@example.org>"


def test_configuration_of_the_environment_counts_first(nameless, git, capfd, monkeypatch):
    git(nameless, "config", "user.name", "Holger")
    git(nameless, "config", "user.email", "holger@example.org")
    for name, value in {"COUNT": "1", "KEY_0": "user.name", "VALUE_0": "Step"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert committed(git, nameless, capfd) == "Step <holger@example.org> / Step <holger@example.org>"


def test_author_and_committer_of_the_configuration_have_sections_of_their_own(nameless, git, capfd):
    for key, value in {
        "user.name": "U",
        "user.email": "u@example.org",
        "author.name": "A",
        "committer.email": "c@example.org",
    }.items():
        git(nameless, "config", key, value)
    assert committed(git, nameless, capfd) == "A <u@example.org> / U <c@example.org>"
