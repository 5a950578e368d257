"""An empty bare repository is made that git itself takes for one."""

import pytest

from tests.fakes.git_server import run_git
from updater.git.bare import make_bare


@pytest.mark.real
@pytest.mark.parametrize("branch", ["main", "trunk/fleet"])
def test_git_finds_an_empty_bare_repository_whose_head_names_the_branch(git_program, tmp_path, branch):
    folder = tmp_path / "made" / "with its parents.git"
    make_bare(folder, branch=branch)
    git = ["--git-dir", folder]
    assert run_git(*git, "rev-parse", "--is-bare-repository").strip() == "true"
    assert run_git(*git, "symbolic-ref", "HEAD").strip() == f"refs/heads/{branch}"
    assert run_git(*git, "for-each-ref") == ""
    run_git(*git, "fsck", "--strict")


async def test_the_first_landing_makes_the_branch_that_head_names(mirrors, commit, tmp_path):
    folder = tmp_path / "fleet.git"
    make_bare(folder)
    mirror = mirrors(str(folder))
    assert (await mirror.look("main")).revision is None
    landed = await mirror.land(base=None, branch="main", expected=None, commits=[commit({"apps/a.yaml": b"1\n"})])
    head = await mirror.look()
    assert (head.branch, head.revision) == ("main", landed.revision)
    await mirror.fetch("main")
    assert await mirror.tree(landed.revision, lambda tree: tree.read("apps/a.yaml")) == b"1\n"


def test_what_stands_at_the_folder_is_never_written_over(tmp_path):
    (tmp_path / "note").write_text("mine")
    with pytest.raises(FileExistsError):
        make_bare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
