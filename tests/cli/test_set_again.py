"""`updater set` run again finishes what an earlier run began, and is never silent while the commit or the remote lacks it."""

from __future__ import annotations

import pytest

from tests.checkout.test_commit import MARK, clone, git, other, run
from updater.cli.main import run_cli

__all__ = ["clone", "git", "other"]  # fixtures
pytestmark = pytest.mark.real
NOTHING = {"changes": [], "refused": [], "unmatched": [], "commit": None}
SET = ("--marker", "ns:p=x:2", "--commit")
PUSH = (*SET, "--push")


@pytest.fixture
def failed(clone, git, capfd, tmp_path):
    """The clone after a run that committed, and whose push found nobody; the remote is healthy again."""
    git(clone, "remote", "set-url", "origin", "http://127.0.0.1:1/origin.git")
    assert run(capfd, clone, *PUSH)[0] == 1
    git(clone, "remote", "set-url", "origin", str(tmp_path / "origin.git"))
    assert git(clone, "log", "-1", "--format=%s") == "Set ns:p to x:2"
    return clone


def at_remote(git, tmp_path, what="main"):
    return git(tmp_path / "origin.git", "rev-parse", what)


def subjects(git, folder, revision="main"):
    return git(folder, "log", "--format=%s", revision).split("\n")


def test_the_commit_of_a_run_whose_push_failed_is_pushed_by_the_same_command(failed, git, capfd, tmp_path):
    head = git(failed, "rev-parse", "HEAD")
    code, said, _ = run(capfd, failed, *PUSH)
    assert (code, said["commit"], at_remote(git, tmp_path)) == (0, head, head)
    assert [(change["old"], change["new"]) for change in said["changes"]] == [("x:1", "x:2")]
    assert run(capfd, failed, *PUSH)[:2] == (0, NOTHING)


def test_a_run_whose_push_failed_says_that_the_commit_stands_and_how_to_go_on(clone, git, capfd):
    git(clone, "remote", "set-url", "origin", "http://127.0.0.1:1/origin.git")
    assert run_cli(["set", str(clone), *PUSH]) == 1
    assert "run the same command again" in capfd.readouterr().err


def test_the_commit_of_an_earlier_run_goes_on_top_of_what_others_pushed_since(failed, other, git, capfd, tmp_path):
    folder, faster = other
    (folder / "README").write_text("theirs\n")
    faster("theirs")
    code, said, _ = run(capfd, failed, *PUSH)
    assert (code, said["commit"]) == (0, at_remote(git, tmp_path))
    assert subjects(git, tmp_path / "origin.git") == ["Set ns:p to x:2", "theirs", "start"]
    assert (failed / "README").read_text() == "theirs\n"


def test_two_runs_whose_pushes_failed_arrive_together(failed, git, capfd, tmp_path):
    code, said, _ = run(capfd, failed, "--marker", "ns:p=x:3", "--commit", "--push")
    assert (code, said["commit"]) == (0, at_remote(git, tmp_path))
    assert subjects(git, tmp_path / "origin.git") == ["Set ns:p to x:3", "Set ns:p to x:2", "start"]
    git(tmp_path / "origin.git", "fsck", "--strict")


@pytest.mark.parametrize("is_before", [True, False])
def test_commits_of_a_person_below_or_above_go_along_as_a_fast_forward(clone, git, capfd, tmp_path, is_before):
    def person():
        (clone / "deep").mkdir()
        (clone / "deep/file").write_text("work\n")
        git(clone, "add", "deep")
        git(clone, "commit", "-q", "-m", "work")

    if is_before:
        person()
        assert run(capfd, clone, *PUSH)[0] == 0
    else:
        run(capfd, clone, *SET)
        person()
        assert run(capfd, clone, *PUSH)[0] == 0
    assert at_remote(git, tmp_path) == git(clone, "rev-parse", "HEAD")
    assert sorted(subjects(git, tmp_path / "origin.git")) == ["Set ns:p to x:2", "start", "work"]
    git(tmp_path / "origin.git", "fsck", "--strict")


@pytest.mark.parametrize("is_set_before", [True, False])
def test_commits_of_a_person_are_never_dropped_where_the_remote_went_another_way(
    clone, other, git, capfd, tmp_path, is_set_before
):
    if is_set_before:
        run(capfd, clone, *SET)
    (clone / "work").write_text("work\n")
    git(clone, "add", "work")
    git(clone, "commit", "-q", "-m", "work")
    folder, faster = other
    (folder / "README").write_text("theirs\n")
    faster("theirs")
    code, said, err = run(capfd, clone, *PUSH)
    assert (code, said["commit"], subjects(git, tmp_path / "origin.git")[0]) == (1, None, "theirs")
    assert "git pull --rebase origin main, then run the same command again" in err
    assert "work" in subjects(git, clone)
    assert (clone / "work").exists()


def test_a_single_commit_of_a_person_is_not_taken_for_ours(clone, other, git, capfd, tmp_path):
    (clone / "apps/web.yaml").write_text(f"image: x:2 {MARK}\nreplicas: 9\n")
    git(clone, "commit", "-q", "-a", "-m", "work")
    folder, faster = other
    (folder / "README").write_text("theirs\n")
    faster("theirs")
    assert run(capfd, clone, *PUSH)[0] == 1
    assert subjects(git, clone)[0] == "work"


def test_work_of_a_person_is_left_alone_where_the_remote_holds_the_values(clone, git, capfd, tmp_path):
    (clone / "work").write_text("work\n")
    git(clone, "add", "work")
    git(clone, "commit", "-q", "-m", "work")
    assert run(capfd, clone, "--marker", "ns:p=x:1", "--commit", "--push")[:2] == (0, NOTHING)
    assert (subjects(git, clone)[0], subjects(git, tmp_path / "origin.git")) == ("work", ["start"])


def test_values_that_stand_here_and_were_taken_back_at_the_remote_are_written_there(failed, other, git, capfd, tmp_path):
    run(capfd, failed, *PUSH)
    folder, faster = other
    git(folder, "pull", "-q")
    (folder / "apps/web.yaml").write_text(f"image: x:1 {MARK}\nreplicas: 1\n")
    faster("back")
    code, said, _ = run(capfd, failed, *PUSH)
    assert (code, said["commit"]) == (0, at_remote(git, tmp_path))
    assert git(tmp_path / "origin.git", "show", "main:apps/web.yaml").startswith("image: x:2")


def test_a_remote_that_cannot_be_asked_is_no_success(failed, git, capfd):
    git(failed, "remote", "set-url", "origin", "http://127.0.0.1:1/origin.git")
    assert run(capfd, failed, *PUSH)[0] == 1


def test_values_on_disk_that_no_commit_holds_are_committed(clone, git, capfd):
    assert run(capfd, clone, *SET[:2])[0] == 0
    code, said, _ = run(capfd, clone, *SET, "--exit-code")
    assert (code, said["commit"]) == (10, git(clone, "rev-parse", "HEAD"))
    assert [(change["path"], change["old"], change["new"]) for change in said["changes"]] == [("apps/web.yaml", "x:1", "x:2")]
    assert git(clone, "status", "--short") == ""
    assert git(clone, "log", "-1", "--format=%s") == "Set ns:p to x:2"
    assert run(capfd, clone, *SET)[:2] == (0, NOTHING)


def test_a_detached_head_that_had_no_branch_is_finished_by_the_command_with_one(clone, git, capfd, tmp_path):
    git(clone, "checkout", "-q", "--detach")
    assert run(capfd, clone, *PUSH)[0] == 1
    run(capfd, clone, *SET[:2])
    code, said, _ = run(capfd, clone, *PUSH, "--branch", "main")
    assert (code, said["commit"]) == (0, at_remote(git, tmp_path))


def test_files_of_a_person_that_hold_none_of_the_values_stay_uncommitted(clone, git, capfd):
    run(capfd, clone, *SET)
    (clone / "apps/web.yaml").write_text(f"image: x:2 {MARK}\nreplicas: 5\n")
    (clone / "apps/new.yaml").write_text(f"image: x:2 {MARK}\n")
    assert run(capfd, clone, *SET)[:2] == (0, NOTHING)
    assert git(clone, "status", "--short") == "M apps/web.yaml\n?? apps/new.yaml"


def test_a_removed_marker_is_no_value_that_stands(clone, git, capfd):
    (clone / "apps/web.yaml").write_text("image: x:1\n")
    code, said, _ = run(capfd, clone, *SET)
    assert (code, said["commit"]) == (1, None)
    assert git(clone, "status", "--short") == "M apps/web.yaml"


@pytest.mark.parametrize(
    ("name", "text", "asked"),
    [
        ("apps/new.yaml", 'image: y:2 # {"$imagepolicy": "ns:q"}\n', ["--marker", "ns:q=y:2"]),
        ("values.yaml", "tag: v2\n", ["--helm", "values.yaml:tag=v2"]),
        ("kustomization.yaml", "images:\n- name: y\n  newTag: v2\n", ["--kustomize", "y=y:v2"]),
    ],
)
def test_a_new_file_that_alone_holds_a_value_is_committed(clone, git, capfd, name, text, asked):
    (clone / name).write_text(text)
    assert run(capfd, clone, *asked, "--commit")[1]["commit"] is None
    git(clone, "add", name)
    code, said, _ = run(capfd, clone, *asked, "--commit")
    assert (code, said["commit"]) == (0, git(clone, "rev-parse", "HEAD"))
    assert git(clone, "show", f"HEAD:{name}") == text.strip()
    assert git(clone, "log", "-1", "--format=%s") == "Set " + asked[1].removeprefix("values.yaml:").replace("=", " to ")


def test_the_message_counts_what_was_written_and_names_paths_from_the_root(clone, git, capfd):
    code, _, _ = run(capfd, clone / "apps", *SET, "--marker", "ns:gone=y:2", "--helm", "web.yaml:no.such=1")
    assert code == 1
    assert git(clone, "log", "-1", "--format=%B").split("\n") == ["Set ns:p to x:2", "", "apps/web.yaml: image x:1 → x:2"]


def test_the_first_commit_of_a_checkout_holds_the_files_that_were_written(git, capfd, tmp_path):
    git(tmp_path, "init", "-q", "-b", "main", "fresh")
    (tmp_path / "fresh/a.yaml").write_text(f"image: x:1 {MARK}\n")
    git(tmp_path / "fresh", "add", ".")
    code, said, _ = run(capfd, tmp_path / "fresh", *SET)
    assert (code, said["commit"]) == (0, git(tmp_path / "fresh", "rev-parse", "HEAD"))


@pytest.mark.parametrize("asked", ["values.yaml:tag=v2", "link.yaml:tag=v2", "../out.yaml:tag=v2"])
def test_a_values_file_written_before_is_committed_and_what_may_not_be_read_is_not(clone, git, capfd, tmp_path, asked):
    (clone / "values.yaml").write_text("tag: v1\n")
    (clone / "link.yaml").symlink_to("values.yaml")
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "values")
    (clone / "values.yaml").write_text("tag: v2\n")
    (tmp_path / "out.yaml").write_text("tag: v2\n")
    code, said, _ = run(capfd, clone, "--helm", asked, "--commit")
    is_fine = asked.startswith("values")
    assert (code, said["commit"] is not None, len(said["changes"])) == ((0, True, 1) if is_fine else (1, False, 0))
