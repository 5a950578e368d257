"""A path is bytes: one that is no UTF-8, or that may not be written, stops nothing beside it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from tests.fakes.git_server import run_git
from tests.flows.fleet import MARKED, Status, fleet

pytestmark = pytest.mark.real


async def updater(*arguments) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "updater", *map(str, arguments), stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_a_marker_in_a_file_whose_name_is_no_utf8_is_kept_current_like_any_other(tmp_path):
    async with fleet(tmp_path) as made:
        text = MARKED.format(host=made.registry.host).encode()
        folders = {f'"d\\377{number}/x.yaml"': b"kind: Nothing\n" for number in range(600)}
        made.repository.commit({'"caf\\351.yaml"': text, **folders})
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        code, diff = await updater("once", "-c", made.configure(), "--dry-run", "-o", "diff")
        assert code == 0
        run_git("clone", "-q", made.repository.path, tmp_path / "clone")
        run_git("apply", "--check", "-", cwd=tmp_path / "clone", data=diff.encode())
        code, out = await updater("once", "-c", made.configure(), "-o", "json")
        [outcome] = json.loads(out)["outcomes"]
        assert (code, outcome["status"]) == (0, "updated")
        assert [change["path"] for change in outcome["changes"]] == ["apps/app.yaml", r"caf\xe9.yaml"]
        names = made.repository.git("-c", "core.quotePath=true", "show", "--name-only", "--format=", "main").splitlines()
        assert names == ["apps/app.yaml", '"caf\\351.yaml"']
        made.repository.git("fsck", "--strict")
        for options in (("once", "-o", "text"), ("explain", "app"), ("explain", "app", "-o", "json"), ("history",)):
            assert (await updater(options[0], "-c", made.configure(), *options[1:]))[0] == 0


async def test_a_place_at_a_path_that_may_not_be_written_does_not_stop_the_others(tmp_path):
    async with fleet(tmp_path) as made:
        blob = made.repository.git("rev-parse", "main:apps/app.yaml").strip()
        inner = made.repository.git("mktree", data=b"100644 blob %s\tx.yaml\n" % blob.encode()).strip()
        rows = made.repository.git("ls-tree", "main").encode() + b"040000 tree %s\t..\n" % inner.encode()
        tree = made.repository.git("mktree", data=rows).strip()
        commit = made.repository.git("commit-tree", tree, "-p", "main", "-m", "odd").strip()
        made.repository.git("update-ref", "refs/heads/main", commit)
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        outcome = (await made.once())["app"]
        assert (outcome.status, outcome.code) == (Status.FAILED, "path")
        assert ":1.1.0 " in made.file("apps/app.yaml")
