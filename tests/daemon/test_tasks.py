"""What the list of long-lived tasks promises: they live as long as their work, and a bug in one is no half-dead daemon."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest

from updater.daemon.process import Process
from updater.daemon.tasks import LongTask, Looks, process_tasks, run_beside

ROOT = Path(__file__).resolve().parents[2]


async def forever():
    await asyncio.Event().wait()


async def never():
    pytest.fail("nobody looks here")


async def test_tasks_run_while_the_work_does_and_end_with_it():
    ended = []

    async def task():
        try:
            await forever()
        finally:
            ended.append("task")

    async def work():
        await asyncio.sleep(0)
        assert "beside" in {running.get_name() for running in asyncio.all_tasks()}
        ended.append("work")
        return 7

    assert await run_beside(work(), [LongTask(name="beside", run=task)]) == 7
    assert ended == ["work", "task"]


async def test_what_the_work_raises_comes_out_as_it_is():
    async def work():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_beside(work(), [LongTask(name="beside", run=forever)])


async def test_a_bug_in_a_task_ends_the_work_with_its_traceback():
    async def broken():
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        await run_beside(forever(), [LongTask(name="beside", run=broken)])
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]


async def test_every_task_of_the_process_has_a_name_of_its_own(tmp_path):
    async with Process(tmp_path) as process:
        tasks = process_tasks(process, Looks(files=never, peer=never, peer_every=60.0), never)
        assert len({task.name for task in tasks}) == len(tasks)


def test_nobody_else_in_the_daemon_starts_a_task_that_outlives_its_call():
    """`asyncio.create_task` stands only where the task is awaited in the same function, or ends with one read of a Secret."""
    allowed = {"tasks.py": 0, "service.py": 2, "signals.py": 2, "watching.py": 1, "renewed_value.py": 1}
    for path in (ROOT / "updater/daemon").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [
            node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.create_task"
        ]
        assert len(calls) == allowed.get(path.name, 0), path.name
