"""What the daemon promises, as a process of its own: it lands by the schedule, reloads, and stops in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

import aiohttp
import pytest

from tests.flows.fleet import add_usual, fleet
from tests.real.parts import free_port

PATIENCE = 120.0


async def until(question, seconds: float = PATIENCE):
    """Ask until the answer is true; gives it."""
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                answer = question()
                answer = await answer if asyncio.iscoroutine(answer) else answer
                if answer:
                    return answer
            await asyncio.sleep(0.1)


class Daemon:
    """`updater run` on a configuration."""

    def __init__(self, made, port):
        self.made, self.port = made, port
        self.lines: list[str] = []

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "updater", "run", "-c", str(self.configure()), stderr=asyncio.subprocess.PIPE
        )
        self.reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self.reader

    def configure(self):
        path = self.made.configure()
        text = path.read_text().replace("listen: {metrics: null}", f'listen: {{metrics: "127.0.0.1:{self.port}"}}')
        path.write_text(text)
        return path

    async def _read(self):
        async for line in self.process.stderr:
            self.lines.append(line.decode())

    async def get(self, path):
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.text()

    async def says(self, word):
        await until(lambda: any(word in line for line in self.lines))

    async def metric(self, line):
        await until(lambda: self._has(line))

    async def _has(self, line):
        return line in (await self.get("/metrics"))[1]


@pytest.fixture
async def daemon(tmp_path):
    async with fleet(tmp_path) as made:
        add_usual(made)
        async with Daemon(made, free_port()) as running:
            await until(lambda: running.get("/readyz"))
            yield running


async def test_a_tag_pushed_while_it_runs_becomes_a_commit(daemon):
    daemon.made.registry.push("o/app", "1.1.0")
    await until(lambda: "1.1.0" in daemon.made.file("apps/app.yaml"))
    daemon.made.registry.push("o/app", "1.2.0")
    await until(lambda: "1.2.0" in daemon.made.file("apps/app.yaml"))
    await daemon.metric('updater_outcomes_total{method="git",status="updated"} 2.0')
    assert (await daemon.get("/healthz"))[0] == 200


async def test_sigterm_ends_it_with_code_0(daemon):
    daemon.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        assert await daemon.process.wait() == 0


async def test_a_changed_file_becomes_the_next_generation_without_a_restart(daemon):
    daemon.made.subscriptions.pop()
    daemon.configure()
    await daemon.metric("updater_generation 2.0")
    await daemon.metric('updater_subscriptions{source="file"} 2.0')
    daemon.made.registry.push("o/app", "1.1.0")
    await until(lambda: "1.1.0" in daemon.made.file("apps/app.yaml"))


async def test_what_counts_only_at_the_start_is_said_on_a_reload_and_everything_else_is_taken_up(daemon):
    path = daemon.configure()
    text = path.read_text()
    path.write_text(text.replace(f"127.0.0.1:{daemon.port}", "127.0.0.1:1") + "credential_helpers: true\n")
    await daemon.metric("updater_generation 2.0")
    await daemon.says("listen, credential_helpers: a change counts after a restart")


async def test_an_invalid_file_is_said_and_the_old_generation_works_on(daemon):
    path = daemon.configure()
    path.write_text(path.read_text().replace("semver", "semvre"))
    daemon.process.send_signal(signal.SIGHUP)
    await daemon.says("configuration refused")
    await daemon.metric('updater_reloads_total{result="refused"}')
    daemon.made.registry.push("o/app", "1.1.0")
    await until(lambda: "1.1.0" in daemon.made.file("apps/app.yaml"))


async def test_a_file_that_is_empty_while_it_is_written_takes_no_subscription_away(daemon):
    path = daemon.configure()
    path.write_text("")
    daemon.process.send_signal(signal.SIGHUP)
    await daemon.says("there is nothing in the file")
    daemon.made.registry.push("o/app", "1.1.0")
    await until(lambda: "1.1.0" in daemon.made.file("apps/app.yaml"))


async def test_a_git_server_that_is_down_for_a_while_loses_nothing(daemon):
    daemon.made.server.fail("status", times=20, status=503)
    daemon.made.registry.push("o/app", "1.1.0")
    await until(lambda: "1.1.0" in daemon.made.file("apps/app.yaml"))


async def test_no_subscription_at_all_is_fine(tmp_path):
    async with fleet(tmp_path) as made, Daemon(made, free_port()) as running:
        await until(lambda: running.get("/readyz"))
        assert (await running.get("/readyz"))[0] == 200
        (loaded,) = (line for line in running.lines if "configuration loaded" in line)
        assert "updater.yaml" in loaded
        ready = (await running.get("/readyz?verbose"))[1]
        assert ready == "[+]configuration ok\n[+]schedule ok\nreadyz check passed\n"


async def test_a_reload_whose_signing_key_is_gone_keeps_the_old_generation(daemon):
    daemon.made.extra = '  signing: {method: ssh, key: "file:/nowhere/key"}\n'
    daemon.configure()
    await daemon.says("configuration refused")
    daemon.made.registry.push("o/app", "1.1.0")
    await until(lambda: "1.1.0" in daemon.made.file("apps/app.yaml"))


async def test_a_start_whose_signing_key_is_gone_ends_with_a_clear_error(tmp_path):
    async with fleet(tmp_path) as made:
        made.extra = '  signing: {method: ssh, key: "file:/nowhere/key"}\n'
        async with Daemon(made, free_port()) as running:
            assert await asyncio.wait_for(running.process.wait(), 20) == 2
            await running.reader
        assert running.lines[-2].startswith("error: ")
        assert "Traceback" not in "".join(running.lines)


async def test_a_hold_counts_for_a_tag_that_is_pushed_right_after_it(daemon):
    (daemon.made.folder / "holds.yaml").write_text("app: {hold: {author: Jane, reason: freeze}}\n")
    daemon.made.registry.push("o/app", "1.1.0")
    await daemon.metric('updater_outcomes_total{method="git",status="held"} 1.0')
    assert "1.1.0" not in daemon.made.file("apps/app.yaml")
