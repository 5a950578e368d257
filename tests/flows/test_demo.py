"""What the demo promises: the main job on this machine, with commits that git itself finds sound."""

from __future__ import annotations

from tests.fakes.git_server import run_git
from tests.flows.test_commands import updater


async def test_the_demo_ends_with_real_commits_and_a_refused_downgrade(tmp_path):
    folder = tmp_path / "kept"
    code, output, errors = await updater("demo", "--keep", folder)
    assert (code, errors) == (0, "")
    assert "[incomplete-list]" in output
    assert "[downgrade]" in output
    assert "the push was refused 1 time" in output
    bare = ("--git-dir", folder / "fleet.git")
    run_git(*bare, "fsck", "--strict")
    authors = run_git(*bare, "log", "--format=%an", "main").split()
    assert authors == ["updater", "Grace", "updater", "Grace"]
    assert "replicas: 12" in run_git(*bare, "show", "main:apps/shop/deployment.yaml")
    assert ":1.4.2  #" in run_git(*bare, "show", "main:apps/shop/deployment.yaml")


async def test_the_log_of_the_demo_is_what_git_prints(tmp_path):
    folder = tmp_path / "kept"
    _, output, _ = await updater("demo", "--keep", folder)
    printed = output.partition("git log -p -1\n")[2].partition("\n\nkept in")[0].strip()
    assert printed == run_git("--git-dir", folder / "fleet.git", "log", "-p", "-1", "main").strip()
    assert printed.count("commit ") == 1


async def test_the_demo_ends_with_commands_to_go_on_with():
    code, output, _ = await updater("demo")
    assert code == 0
    last = output.partition("\nnext\n")[2].splitlines()
    assert [line.split()[1:3] for line in last] == [
        ["demo", "--keep"],
        ["demo", "--serve"],
        ["init", "PATH"],
        ["check", "IMAGE:TAG"],
    ]


async def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    code, _, errors = await updater("demo", "--keep", tmp_path)
    assert code == 2
    assert "is not empty" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


async def test_a_folder_that_cannot_be_created_is_an_error_of_the_command_line(tmp_path):
    (tmp_path / "mine").write_text("mine")
    for folder in (tmp_path / "mine", tmp_path / "mine" / "below"):
        code, _, errors = await updater("demo", "--keep", folder)
        assert (code, "cannot be created" in errors, "bug" in errors) == (2, True, False)
