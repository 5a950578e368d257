"""What waits, and what people decided, where the daemon is killed at its worst moments: while it holds, and in a push.

A push is killed before the server took it, or after it and before anything is noted. The next daemon writes what is due: once,
whole, and never early.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from tests.flows.fleet import fleet
from tests.flows.test_groups import PLACES, written
from tests.flows.test_people_commands import rows
from tests.flows.test_run import PATIENCE, Daemon, until
from tests.flows.test_two_writers import ALWAYS, put_back
from tests.real.parts import free_port

pytestmark = pytest.mark.real

PUSH = "POST git-receive-pack"
REJECT = (sys.executable, "-m", "updater", "reject")
killed_where = pytest.mark.parametrize("is_taken", [False, True], ids=["before the server took it", "after it"])


@asynccontextmanager
async def single(tmp_path, *, gates="", **more):
    """A fleet with one subscription, whose file says 1.0.0."""
    async with fleet(tmp_path) as made:
        made.add("app", "marker: ns:app", **{"more": f"gates: {gates}" if gates else "", **more})
        yield made


def said(made):
    """What Git says for app."""
    return made.file("apps/app.yaml").partition("o/app:")[2].split()[0]


def ours(made):
    """The commits of updater on the branch, the newest first."""
    return made.repository.git("log", "--author=updater", "--format=%H", "main").split()


def committed_at(made):
    return int(made.repository.git("log", "-1", "--format=%ct", "main"))


async def dies_in_push(made, *, is_taken, first=lambda: None):
    """Run a daemon that is killed in its first push, which the server takes or not; *first* happens before, in that push."""

    def in_push():
        first()
        os.kill(running.process.pid, signal.SIGKILL)

    before = made.repository.head()
    async with Daemon(made, free_port()) as running:
        made.server.fail("none" if is_taken else "refuse", service=PUSH, before=in_push)
        async with asyncio.timeout(PATIENCE):
            assert await running.process.wait() == -signal.SIGKILL
        if is_taken:
            await until(lambda: made.repository.head() != before)
    assert (made.repository.head() != before) is is_taken


async def dies_holding(made, code):
    """Let a daemon run until it says that it holds, and kill it; return what it said."""
    async with Daemon(made, free_port()) as running:
        await running.says(f'"code":"{code}"')
        running.process.kill()
    return json.loads(next(line for line in running.lines if f'"code":"{code}"' in line))


async def passes(running, *, count=2):
    """Let a daemon that has nothing to do land *count* times more."""
    for _ in range(count):
        before = len(running.lines)
        await until(lambda before=before: any('"checked for updates"' in line for line in running.lines[before:]))


async def settles(made, code, *, commits):
    """Let a daemon without any state come to the same end: it holds, and makes no more commits."""
    made.forget()
    async with Daemon(made, free_port()) as running:
        await running.says(f'"code":"{code}"')
        await passes(running)
    assert len(ours(made)) == commits


@killed_where
async def test_a_pin_is_written_once_and_stays(tmp_path, is_taken):
    async with single(tmp_path) as made:
        for tag in ("1.1.0", "1.2.0"):
            made.registry.push("o/app", tag)
        async with Daemon(made, free_port()):
            await until(lambda: said(made) == "1.2.0")
        await rows("pin", "app", "1.1.0", "-c", tmp_path / "updater.yaml")
        await dies_in_push(made, is_taken=is_taken)
        async with Daemon(made, free_port()) as running:
            await running.says('"code":"pinned"')
            assert said(made) == "1.1.0"
        await settles(made, "pinned", commits=2)


@killed_where
async def test_what_is_rejected_is_passed_over_and_the_next_best_is_written_once(tmp_path, is_taken):
    async with single(tmp_path) as made:
        for tag in ("1.1.0", "1.2.0"):
            made.registry.push("o/app", tag)
        await rows("reject", "app", "1.2.0", "-c", made.configure())
        await dies_in_push(made, is_taken=is_taken)
        async with Daemon(made, free_port()):
            await until(lambda: said(made) == "1.1.0")
        await settles(made, "rejected", commits=1)
        assert said(made) == "1.1.0"


@killed_where
async def test_what_is_rejected_while_it_is_pushed_is_not_pushed_again(tmp_path, is_taken):
    """What Git has by then stays, as everything that was written before it was rejected."""
    async with single(tmp_path) as made:
        made.registry.push("o/app", "1.1.0")
        rejects = (*REJECT, "app", "1.1.0", "-c", str(made.configure()))
        await dies_in_push(made, is_taken=is_taken, first=lambda: subprocess.run(rejects, check=True))
        await settles(made, "rejected", commits=1 if is_taken else 0)
        assert said(made) == ("1.1.0" if is_taken else "1.0.0")


@killed_where
async def test_a_group_moves_whole_and_by_one_commit(tmp_path, is_taken):
    async with fleet(tmp_path) as made:
        for key, place in PLACES.items():
            made.add(key, place, more="gates: {group: shop}")
        for name in ("app", "web"):
            made.registry.push(f"o/{name}", "1.1.0")
        await dies_holding(made, "group")
        assert written(made) == ("1.0.0", "1.0.0", "1.0.0")
        made.registry.push("o/api", "1.1.0")
        await dies_in_push(made, is_taken=is_taken)
        assert written(made) == (("1.1.0",) * 3 if is_taken else ("1.0.0",) * 3)
        made.registry.push("o/app", "1.2.0", labels={"build": "2"})
        async with Daemon(made, free_port()) as running:
            await until(lambda: written(made) == ("1.1.0", "1.1.0", "1.1.0"))
            await running.says('"code":"group"')
        await settles(made, "group", commits=1)
        assert written(made) == ("1.1.0", "1.1.0", "1.1.0")


def frozen(until_):
    """Deny everything since an hour, until a moment."""
    begin = datetime.fromtimestamp(int(until_) - 3600, UTC).replace(second=0)
    return f'{{windows: [{{kind: deny, schedule: "{begin:%M %H %d %m *}", duration: {int(until_ - begin.timestamp())}s}}]}}'


@killed_where
async def test_a_freeze_holds_over_restarts_and_what_waited_is_written_once_and_after_it(tmp_path, is_taken):
    always = '{windows: [{kind: deny, schedule: "* * * * *", duration: 1h}]}'
    async with single(tmp_path, gates=always) as made:
        made.registry.push("o/app", "1.1.0")
        held = await dies_holding(made, "window")
        assert "1.0.0 → 1.1.0" in held["detail"]
        assert not ours(made)
        ends = int(time.time()) + 6
        made.subscriptions[0] = made.subscriptions[0].replace(always, frozen(ends))
        await dies_in_push(made, is_taken=is_taken)
        assert time.time() >= ends
        async with Daemon(made, free_port()) as running:
            await until(lambda: said(made) == "1.1.0")
            await passes(running)
        assert committed_at(made) >= ends
        assert len(ours(made)) == 1


@killed_where
async def test_an_age_goes_on_over_restarts_and_is_never_shorter(tmp_path, is_taken):
    async with single(tmp_path, gates="{min_age: 1h}") as made:
        made.registry.push("o/app", "1.1.0")
        held = [await dies_holding(made, "min-age") for _ in range(2)]
        assert held[0]["opens_at"] == held[1]["opens_at"]
        seen = int(datetime.fromisoformat(held[0]["opens_at"]).timestamp()) - 3600
        opens = int(time.time()) + 6
        made.subscriptions[0] = made.subscriptions[0].replace("min_age: 1h", f"min_age: {opens - seen}s")
        await dies_in_push(made, is_taken=is_taken)
        assert time.time() >= opens
        async with Daemon(made, free_port()) as running:
            await until(lambda: said(made) == "1.1.0")
            await passes(running)
        assert committed_at(made) >= opens
        assert len(ours(made)) == 1


async def test_a_loop_of_two_writers_is_stopped_after_what_git_counts(tmp_path):
    """What no server took is no change that was made; what one took is, however the daemon ended."""
    async with single(tmp_path, policy='{semver: {range: "<2"}}', more=ALWAYS) as made:
        for tag in ("1.1.0", "2.0.0"):
            made.registry.push("o/app", tag)
        await dies_in_push(made, is_taken=True)
        for is_taken in (False, True, True, True):
            if said(made) == "1.1.0":
                put_back(made, "app:1.1.0", "app:2.0.0")
            await dies_in_push(made, is_taken=is_taken)
        put_back(made, "app:1.1.0", "app:2.0.0")
        held = await dies_holding(made, "flapping")
        assert "robot@other.example" in held["detail"]
        await settles(made, "flapping", commits=4)
        assert said(made) == "2.0.0"
