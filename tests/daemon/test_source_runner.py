"""Each snapshot of a source is told and taken up, a source that fails is asked again, answers go to everybody."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from tests.argocd.request.making import landed
from tests.engine.making import git_branch
from tests.fakes.eventually import until
from tests.inventory.asking import LIVE, MAIN, SourceByHand, asked, outcome, problem, snapshot
from updater.daemon import source_runner as hearing_room
from updater.daemon.process import Process
from updater.daemon.source_runner import SourceRunner
from updater.errors import ConfigError, KubeError
from updater.inventory.inventory import Inventory
from updater.model.outcome import Status
from updater.model.report import InventoryChanged
from updater.model.scan_key import scan_key_for
from updater.model.snapshot import ScanRequest


@asynccontextmanager
async def heard(tmp_path, source, first=None):
    changes = []
    async with Process(tmp_path) as process:
        asked_for = Inventory(first or snapshot(asked("filed", MAIN)), [source.name])
        yield SourceRunner(asked_for, [source], process, changed=changes.append), process, changes


def served(process, line):
    return line in process.metrics.render().decode()


async def test_a_single_pass_takes_up_what_the_source_says_and_tells_it(tmp_path):
    source = SourceByHand(snapshot(asked("live", LIVE), problems=[problem(), problem()]))
    async with heard(tmp_path, source) as (runner, process, changes):
        assert not served(process, "updater_snapshot_timestamp_seconds{"), "the generation before may still be at work"
        runner.tell()
        assert served(process, 'updater_snapshot_timestamp_seconds{source="applications"} 0.0')
        await runner.gather()
        assert not served(process, 'updater_snapshot_timestamp_seconds{source="applications"} 0.0')
        assert [item.key for item in runner.asked.snapshot.subscriptions] == ["filed", "live"]
        assert [change.destinations for change in changes] == [{MAIN, LIVE}]
        assert served(process, 'updater_subscriptions{source="applications"} 1.0')
        assert served(process, 'updater_problems{code="unknown-key",source="applications"} 2.0')
        assert "updater@example.org" in process.ours


async def test_a_single_pass_never_works_with_half_of_what_is_asked_for(tmp_path):
    source = SourceByHand(snapshot(problems=[problem("kube-denied")], complete=False))
    async with heard(tmp_path, source) as (runner, _, changes):
        with pytest.raises(KubeError) as caught:
            await runner.gather()
        assert (caught.value.code, caught.value.hint, changes) == ("kube-denied", "mend it", [])


async def test_a_source_whose_way_is_wrong_is_asked_again_and_what_it_said_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(hearing_room, "TRIED_AGAIN", 0.0)
    source = SourceByHand()
    async with heard(tmp_path, source) as (runner, _, changes), asyncio.TaskGroup() as group:
        following = group.create_task(runner.follow(source))
        source.said.put_nowait(snapshot(asked("live", LIVE)))
        source.said.put_nowait(ConfigError("the kubeconfig is gone", hint="put it back", code="kubeconfig"))
        await until(lambda: source.runs == 2)
        assert [item.key for item in runner.asked.snapshot.subscriptions] == ["filed", "live"]
        source.said.put_nowait(snapshot())
        await until(lambda: len(changes) == 2)
        assert changes[1].destinations == frozenset()
        assert LIVE not in runner.asked.by_destination
        following.cancel()


async def test_series_of_subscriptions_and_problems_that_are_gone_are_served_no_more(tmp_path):
    source = SourceByHand(snapshot(asked("live", LIVE), problems=[problem()]))
    async with heard(tmp_path, source) as (runner, process, _):
        await runner.gather()
        process.metrics.set("updater_subscription_pending_since_timestamp_seconds", "live", to=5)
        source.first = snapshot()
        await runner.gather()
        assert served(process, 'updater_subscriptions{source="applications"} 0.0')
        assert not served(process, "updater_problems{")
        assert not served(process, 'subscription="live"')


async def test_answers_turns_and_ends_reach_every_source(tmp_path):
    source = SourceByHand(refused=(outcome("refused"),))
    async with heard(tmp_path, source) as (runner, process, _):
        runner.tell()
        process.reports.publish(landed([outcome("landed")]))
        runner.lead()
        await runner.finish()
        assert source.heard == [outcome("refused"), outcome("landed"), "lead", "finish"]
        assert [item.key for item in runner.refused] == ["refused"]


async def test_what_is_scanned_for_its_own_sake_is_told_with_what_is_asked_for(tmp_path):
    listed = scan_key_for(asked("other", MAIN, image="r.test/other"))
    first = replace(snapshot(asked("filed", MAIN)), scans=(ScanRequest(listed=listed, interval=60.0),))
    async with heard(tmp_path, SourceByHand(), first) as (runner, process, _):
        told = []
        process.reports.join(SimpleNamespace(name="test", hear=told.append))
        runner.tell()
        assert [report.scans for report in told if isinstance(report, InventoryChanged)] == [{listed}]


async def test_what_another_source_forbids_is_answered_and_counted(tmp_path):
    away = git_branch(MAIN.url, push="update")
    back = git_branch(MAIN.url, "update", "main")
    source = SourceByHand(snapshot(asked("back", back)))
    async with heard(tmp_path, source, snapshot(asked("filed", away))) as (runner, process, _):
        await runner.gather()
        assert [(item.key, item.code) for item in source.heard] == [("back", "push-branch")]
        assert served(process, 'updater_problems{code="push-branch",source="applications"} 1.0')


async def test_what_became_of_a_subscription_that_is_gone_is_forgotten_and_not_before_all_was_heard(tmp_path):
    source = SourceByHand(snapshot(asked("live", LIVE)))
    async with heard(tmp_path, source) as (runner, process, _):
        await process.cache.remember_outcomes([outcome("filed"), outcome("live"), outcome("old")])
        await runner._take(source, snapshot(problems=[problem("kube-denied")], complete=False))
        assert {item.key for item in await process.cache.outcomes()} == {"filed", "live", "old"}
        await runner.gather()
        assert {item.key for item in await process.cache.outcomes()} == {"filed", "live"}
        await runner._take(source, snapshot())
        assert {item.key for item in await process.cache.outcomes()} == {"filed"}


async def test_an_image_that_is_left_out_is_logged_when_that_begins_and_not_with_each_snapshot(tmp_path):
    source = SourceByHand(refused=(outcome("argocd/web/db", status=Status.HELD, code="not-live"),))
    with capture_logs() as lines:
        async with heard(tmp_path, source) as (runner, _, _):
            await runner._take(source, snapshot())
            await runner._take(source, snapshot(asked("live", LIVE)))
            source.refused = ()
            await runner._take(source, snapshot())
            source.refused = (outcome("argocd/web/db", status=Status.HELD, code="not-live"),)
            await runner._take(source, snapshot())
    told = [(line["key"], line["code"]) for line in lines if line["event"] == "left out"]
    assert told == [("argocd/web/db", "not-live")] * 2
