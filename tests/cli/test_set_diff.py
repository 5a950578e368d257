"""`updater set --diff` prints what `git apply` takes at the root of the repository, wherever PATH lies."""

from __future__ import annotations

import subprocess

import pytest

from tests.checkout.test_commit import MARK, clone, git
from updater.cli.main import run_cli

__all__ = ["clone", "git"]  # fixtures
pytestmark = pytest.mark.real


@pytest.mark.parametrize("name", ["web.yaml", "a b.yaml", "blüte.yaml", 'quo"te.yaml', "back\\slash.yaml", "tab\tname.yaml"])
@pytest.mark.parametrize("folder", ["", "deep/er", "with blank"])
@pytest.mark.parametrize("is_file", [True, False])
def test_the_diff_applies_at_the_root(clone, git, capfd, name, folder, is_file):
    path = clone / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"a: 1\nimage: y:1 {MARK.replace('ns:p', 'ns:q')}\nlast: line")
    code = run_cli(["set", str(path if is_file else path.parent), "--marker", "ns:q=y:2", "--diff"])
    out, _ = capfd.readouterr()
    assert code == 0
    subprocess.run(["git", "-C", str(clone), "apply"], input=out, text=True, check=True)
    assert path.read_text().split("\n")[1].startswith("image: y:2 ")
