"""What people took back is named where people look: in the log, in the metrics, and in `updater history`."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from tests.flows.fleet import fleet

pytestmark = pytest.mark.real
REJECTED = "updater_subscription_rejected_images"


async def test_a_rejection_is_one_log_line_a_metric_and_a_mark_in_the_history(tmp_path, capsys):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        old = made.file("apps/app.yaml").encode()
        made.registry.push("o/app", "1.1.0")
        await made.once()
        first = made.repository.head()
        by = made.repository.commit({"apps/app.yaml": old}, message=f"Revert\n\nThis reverts commit {first}.\n")
        capsys.readouterr()
        async with made.opened() as generation:
            for _ in range(3):
                await generation.once(generation.subscriptions, is_dry=False)
            shown = generation._process.metrics.render().decode()
        lines = [line for line in capsys.readouterr().out.splitlines() if "] rejected " in line]
        assert len(lines) == 1
        assert f"1.1.0 was reverted by commit {by[:9]}" in lines[0]
        assert f'{REJECTED}{{subscription="app"}} 1.0' in shown
        assert f"reverted by {by[:9]}" in await history(made)
        (row,) = json.loads(await history(made, "-o", "json"))
        assert (row["revision"], row["reverted_by"]) == (first, by)


async def history(made, *arguments):
    command = (sys.executable, "-m", "updater", "history", "-c", str(made.configure()), *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    return (await process.communicate())[0].decode()


async def test_a_commit_names_the_file_that_asked_without_the_folder_of_this_machine(tmp_path):
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app")
        made.registry.push("o/app", "1.1.0")
        await made.once()
        body = made.repository.git("log", "-1", "--format=%B", "main")
        assert "file updater.yaml:" in body
        assert str(tmp_path) not in body
