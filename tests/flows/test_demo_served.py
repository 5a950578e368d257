"""What `updater demo --serve` promises: one command, one address, a fleet that moves, and a clean end."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from tests.fakes.git_server import run_git
from tests.flows.test_commands import updater

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENCE = 120.0


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run the demo, and return it with the address that it prints; it is ended as a person ends it."""
    command = (sys.executable, "-m", "updater", "demo", "--serve", "--listen", "127.0.0.1:0", "--keep", str(folder))
    with (folder.parent / "errors").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=errors)
    try:
        async with asyncio.timeout(PATIENCE):
            yield process, await _address(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        if found := re.match(rb"page +(\S+)", line):
            return found[1].decode()
    raise AssertionError("the demo ended before it named an address")


async def _serves(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until the daemon listens: the address is named before it does."""
    while True:
        try:
            async with session.get(url) as answer:
                assert answer.status == 200
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.05)


async def _written_to(repository: Path) -> None:
    """Wait until the daemon wrote a new version of its own."""
    while "Update 127" not in run_git("--git-dir", repository, "log", "-1", "--format=%s", "main"):  # noqa: ASYNC110 - of others
        await asyncio.sleep(0.1)


async def test_the_served_demo_names_its_address_writes_new_versions_and_ends_cleanly(tmp_path):
    folder = tmp_path / "kept"
    async with served(folder) as (process, address):
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
            await _serves(session, f"{address}healthz")
        async with asyncio.timeout(PATIENCE):
            await _written_to(folder / "fleet.git")
        process.send_signal(signal.SIGINT)
        await process.communicate()
        assert process.returncode == 0
    run_git("--git-dir", folder / "fleet.git", "fsck", "--strict")


async def test_an_address_that_is_not_of_this_machine_is_refused():
    code, _, errors = await updater("demo", "--serve", "--listen", "0.0.0.0:0")
    assert code == 2
    assert "127.0.0.1" in errors
