"""`updater set --commit` commits what Git would: what it does not track stays out, what it stores otherwise is refused."""

from __future__ import annotations

import pytest

from tests.checkout.test_commit import MARK, clone, git, run

__all__ = ["clone", "git"]  # fixtures
pytestmark = pytest.mark.real

SET = ("--marker", "ns:p=x:2", "--commit")
LINE = f"image: x:1 {MARK}\n"


def committed(git, folder):
    return git(folder, "show", "--format=", "--name-only", "HEAD").split("\n")


def codes(said):
    return [(item["path"], item["code"]) for item in said["refused"]]


def test_ignored_and_untracked_files_and_those_of_nested_clones_stay_as_they_are(clone, git, capfd):
    (clone / ".gitignore").write_text("out/\n")
    git(clone, "add", ".gitignore")
    git(clone, "commit", "-q", "-m", "ignore")
    git(clone, "init", "-q", "nested")
    for folder in ("out", "new", "nested"):
        (clone / folder).mkdir(exist_ok=True)
        (clone / folder / "a.yaml").write_text(LINE)
    git(clone / "nested", "add", ".")
    code, said, _ = run(capfd, clone, *SET)
    assert (code, codes(said), committed(git, clone)) == (0, [], ["apps/web.yaml"])
    assert {(clone / folder / "a.yaml").read_text() for folder in ("out", "new", "nested")} == {LINE}


def test_a_file_that_is_named_and_not_tracked_is_refused(clone, git, capfd):
    (clone / "values.yaml").write_text("tag: v1\n")
    code, said, _ = run(capfd, clone, "--helm", "values.yaml:tag=v2", "--commit")
    assert (code, codes(said), said["commit"]) == (1, [("values.yaml", "untracked")], None)
    assert (clone / "values.yaml").read_text() == "tag: v1\n"


@pytest.mark.parametrize("more", [[], ["--push"]])
def test_files_of_a_submodule_are_refused_each_time_and_the_rest_is_committed(clone, git, capfd, tmp_path, more):
    git(tmp_path, "init", "-q", "-b", "main", "lib")
    (tmp_path / "lib/v.yaml").write_text(LINE)
    git(tmp_path / "lib", "add", ".")
    git(tmp_path / "lib", "commit", "-q", "-m", "lib")
    git(clone, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "lib"), "shared")
    git(clone, "commit", "-q", "-m", "shared")
    for changed in (1, 0):
        code, said, _ = run(capfd, clone, *SET, *more)
        assert (code, codes(said), len(said["changes"])) == (1, [("shared/v.yaml", "submodule")], changed)
    assert committed(git, clone) == ["apps/web.yaml"]
    assert (clone / "shared/v.yaml").read_text() == LINE
    assert git(clone, "status", "--short") == ""


@pytest.mark.parametrize("more", [[], ["--push"]])
@pytest.mark.parametrize(
    ("where", "line", "code"),
    [
        (".gitattributes", "other/*.yaml filter=lfs diff=lfs merge=lfs -text\n", "lfs"),
        ("other/.gitattributes", "*.yaml ident\n", "attributes"),
        (".gitattributes", "*.yaml filter=crypt\napps/* -filter\n", "attributes"),
        (".git/info/attributes", "other/a.yaml working-tree-encoding=UTF-16\n", "attributes"),
    ],
)
def test_a_file_that_git_stores_in_another_form_is_refused_and_the_rest_lands(
    clone,
    git,
    capfd,
    tmp_path,
    where,
    line,
    code,
    more,
):
    (clone / "other").mkdir()
    (clone / "other/a.yaml").write_text(LINE)
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "other")
    git(clone, "push", "-q")
    (clone / where).write_text(line)
    status, said, _ = run(capfd, clone, *SET, *more)
    assert (status, codes(said)) == (1, [("other/a.yaml", code)])
    assert [change["path"] for change in said["changes"]] == ["apps/web.yaml"]
    assert (clone / "other/a.yaml").read_text() == LINE
    assert git(tmp_path / "origin.git", "show", "main:other/a.yaml") == LINE.strip()
    assert git(tmp_path / "origin.git", "show", "main:apps/web.yaml").startswith("image: x:2" if more else "image: x:1")


def test_a_sparse_index_is_refused_before_a_file_is_written(clone, git, capfd):
    for folder in ("d1", "d2"):
        (clone / folder).mkdir()
        (clone / folder / "f").write_text("x\n")
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "more")
    git(clone, "sparse-checkout", "set", "--cone", "--sparse-index", "apps")
    code, _, err = run(capfd, clone, *SET)
    assert code == 1
    assert "the index is sparse\nhint: run git sparse-checkout reapply --no-sparse-index" in err
    assert git(clone, "status", "--short") == ""


@pytest.mark.parametrize("damage", [b"", b"DIRC\0\0\0\x09\0\0\0\0" + b"\0" * 20, b"DIRC\0\0\0\x02\0\0\xff\xff" + b"x" * 80])
def test_an_index_that_cannot_be_read_is_refused_before_a_file_is_written(clone, capfd, damage):
    (clone / ".git/index").write_bytes(damage or b"nonsense")
    code, _, err = run(capfd, clone, *SET)
    assert code == 1
    assert "the index of the checkout cannot be read" in err
    assert (clone / "apps/web.yaml").read_text().startswith(LINE)


def test_objects_named_by_sha256_are_refused_before_a_file_is_written(git, capfd, tmp_path):
    git(tmp_path, "init", "-q", "--object-format=sha256", "new")
    (tmp_path / "new/a.yaml").write_text(LINE)
    git(tmp_path / "new", "add", ".")
    git(tmp_path / "new", "commit", "-q", "-m", "one")
    code, _, err = run(capfd, tmp_path / "new", *SET)
    assert code == 1
    assert "SHA256" in err
    assert git(tmp_path / "new", "status", "--short") == ""


def test_a_branch_that_is_named_and_new_is_made(clone, git, capfd, tmp_path):
    git(clone, "checkout", "-q", "-b", "bump")
    code, said, _ = run(capfd, clone, *SET, "--push", "--branch", "bump")
    bare = tmp_path / "origin.git"
    assert (code, said["commit"]) == (0, git(bare, "rev-parse", "bump"))
    assert git(bare, "log", "--format=%s", "bump").split("\n") == ["Set ns:p to x:2", "start"]
    assert git(bare, "log", "--format=%s", "main") == "start"


def test_a_branch_that_would_hold_nothing_new_is_not_made(clone, git, capfd, tmp_path):
    code, said, _ = run(capfd, clone, "--marker", "ns:p=x:1", "--commit", "--push", "--branch", "bump")
    assert (code, said["commit"]) == (0, None)
    assert git(tmp_path / "origin.git", "branch", "--list", "bump") == ""


def test_a_commit_that_stands_here_alone_makes_the_branch_too(clone, git, capfd, tmp_path):
    assert run(capfd, clone, *SET)[0] == 0
    assert run(capfd, clone, *SET, "--push", "--branch", "bump")[0] == 0
    assert git(tmp_path / "origin.git", "rev-parse", "bump") == git(clone, "rev-parse", "HEAD")
