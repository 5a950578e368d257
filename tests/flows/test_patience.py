"""A person who waits is told for whom, and no server keeps a command for ever."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys

import pytest

from tests.fakes.registry import always, times
from tests.flows.fleet import add_usual, fleet
from tests.flows.test_commands import updater

AT_MOST = 50  # far above the timeouts below and far below what a server that never answers would take


@pytest.fixture
async def made(tmp_path):
    async with fleet(tmp_path) as running:
        add_usual(running)
        yield running


def hangs(part: str):
    async def never(_request):
        await asyncio.sleep(600)

    return always(part, never)


async def test_a_silent_registry_and_a_silent_git_server_end_in_failures_that_name_them(made):
    made.registry.faults.append(hangs("o/web"))
    async with asyncio.timeout(AT_MOST):
        code, output, _ = await updater("once", "--timeout", "2s", "-o", "json", "-c", made.configure())
    ends = {outcome["key"]: outcome for outcome in json.loads(output)["outcomes"]}
    assert code == 1
    assert (ends["web"]["status"], ends["web"]["code"]) == ("failed", "registry-unavailable")
    assert f"{made.registry.host} did not answer within 2 s" in ends["web"]["detail"]
    made.server.fail("slow", times=99, seconds=600)
    async with asyncio.timeout(AT_MOST):
        code, output, _ = await updater("once", "--timeout", "2s", "-o", "json", "-c", made.configure())
    done = json.loads(output)
    assert code == 1
    assert {outcome["code"] for outcome in done["outcomes"]} == {"git-timeout"}
    assert all("did not answer within 2 s" in outcome["detail"] for outcome in done["outcomes"])
    assert len(done["outcomes"]) == 3
    assert {problem["code"] for problem in done["problems"]} == {"registry-unavailable"}


async def test_status_gives_a_silent_registry_up_and_names_it(made):
    made.registry.faults.append(hangs("o/web"))
    async with asyncio.timeout(AT_MOST):
        _, output, _ = await updater("status", "--timeout", "2s", "-o", "json", "-c", made.configure())
    ends = {row["key"]: row for row in json.loads(output)}
    assert ends["web"]["state"] == "failed"
    assert f"{made.registry.host} did not answer within 2 s" in ends["web"]["reason"]


async def test_after_5_seconds_a_silent_server_is_named_on_standard_error(made):
    made.registry.faults.append(hangs("o/web"))
    async with asyncio.timeout(AT_MOST):
        _, output, errors = await updater("check", f"{made.registry.host}/o/web", "--timeout", "7s", "-c", made.configure())
    assert f"still waiting for {made.registry.host} (tags of {made.registry.host}/o/web), 5 s\n" in errors
    assert f"{made.registry.host} did not answer within 7 s" in errors
    assert output == ""


async def test_verbose_says_each_request_with_status_and_time_and_no_secret(made):
    made.registry.faults.append(times(1, 500, part="o/web"))
    (made.folder / "login").write_text("someone:s3cret-word")
    made.extra = f'  repositories: [{{prefix: "{made.url}", credentials: "file:{made.folder}/login"}}]'
    path = made.configure()
    _, _, errors = await updater("once", "-v", "-c", path)
    lines = errors.splitlines()
    assert any(line.startswith(f"GET {made.registry.url}/v2/o/web/tags/list") and " 500 " in line for line in lines)
    assert any("/info/refs" in line and " 200 " in line for line in lines)
    assert all(line.endswith(" ms") for line in lines if line.startswith(("GET", "POST", "HEAD")))
    assert "s3cret-word" not in errors


@pytest.mark.parametrize("is_terminal", [True, False])
async def test_progress_is_shown_on_a_terminal_alone(made, is_terminal):
    made.registry.faults.append(hangs("o/web"))
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "updater", "once", "--timeout", "2s", "-c", str(made.configure()),
        stdout=subprocess.DEVNULL, stderr=slave if is_terminal else subprocess.PIPE,
    )  # fmt: skip
    _, errors = await process.communicate()
    os.close(slave)
    shown = os.read(master, 65536).decode() if is_terminal else errors.decode()
    os.close(master)
    assert ("scanned 2 of 3 images, landed 0 of 1" in shown) is is_terminal
    assert shown.endswith("\x1b[K") is is_terminal


async def test_a_timeout_that_is_no_duration_is_a_wrong_option(made):
    code, _, errors = await updater("once", "--timeout", "soon", "-c", made.configure())
    assert code == 2
    assert "'soon' is not a duration" in errors
