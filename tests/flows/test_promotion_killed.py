"""Promotion by a daemon that is killed at its worst moments: nothing is written early, nothing twice, and nothing is lost."""

from __future__ import annotations

import time

import pytest

from tests.flows.promotion_flows import stages
from tests.flows.test_run import Daemon
from tests.real.parts import free_port

pytestmark = pytest.mark.real

HEALTHY_FOR = 3


def subjects(line):
    return [text for text in line.made.commits() if text.startswith("updater:")]


async def test_a_daemon_that_is_killed_between_commit_and_note_promotes_once_and_never_early(tmp_path):
    async with stages(tmp_path, "staging", "prod") as line:
        line.add("staging")
        line.add("prod", gates=f"{{follows: {{subscription: staging, healthy_for: {HEALTHY_FOR}s}}}}", delivery="")
        line.push("1.1.0")
        async with Daemon(line.made, free_port()):
            await line.written("staging", "1.1.0")
        assert line.says("prod") == "1.0.0"
        healthy_at = time.time()
        await line.deploys("staging")
        async with Daemon(line.made, free_port()) as running:
            await running.says("follows")  # held: its time has begun, or is about to
        async with Daemon(line.made, free_port()):
            await line.written("prod", "1.1.0")
        assert int(line.made.repository.git("log", "-1", "--format=%ct", "main")) >= int(healthy_at + HEALTHY_FOR)
        async with Daemon(line.made, free_port()) as running:
            await running.metric('updater_outcomes_total{method="git",status="unchanged"} 2.0')
        assert len(subjects(line)) == 2


async def test_a_bad_release_is_held_after_a_kill_although_nothing_was_noted(tmp_path):
    async with stages(tmp_path, "web") as line:
        line.add("web", delivery="settle: 50ms, on_bad: hold")
        line.push("1.1.0")
        async with Daemon(line.made, free_port()):
            await line.written("web", "1.1.0")
        await line.fails("web", "1.1.0")
        async with Daemon(line.made, free_port()) as running:
            await running.says("bad-release")
        line.made.forget()
        async with Daemon(line.made, free_port()) as running:
            await running.says("bad-release")
        assert len(subjects(line)) == 1
