"""What the stream promises: each listener hears everything in order, and none of them can harm a landing or another one."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
import structlog
from structlog.testing import capture_logs

from tests.reporting.making import ended, inventory, landed
from updater.model.report import TargetsRefused
from updater.reporting.feedback import SourceFeedback
from updater.reporting.metrics import Metrics
from updater.reporting.stream import ReportStream


class Ear:
    def __init__(self, name="ear", trouble=None):
        self.name, self.trouble, self.heard = name, trouble, []

    def hear(self, report):
        self.heard.append(report)
        if self.trouble:
            raise self.trouble


class SlowEar:
    name = "slow"

    def __init__(self):
        self.heard, self.may_go, self.trouble = [], asyncio.Event(), None

    async def hear(self, reports):
        await self.may_go.wait()
        if self.trouble:
            trouble, self.trouble = self.trouble, None
            raise trouble
        self.heard += reports


@pytest.fixture
def stream():
    return ReportStream(Metrics(), structlog.get_logger(), most=3)


def served(stream, line):
    return line in stream._metrics.render().decode()


def test_every_listener_hears_everything_in_order_and_one_of_the_same_name_takes_the_place(stream):
    first, second, other = Ear("a"), Ear("a"), Ear("b")
    stream.join(first)
    stream.join(other)
    stream.publish(inventory())
    stream.join(second)
    reports = [landed(ended(detail=str(number))) for number in range(3)]
    for report in reports:
        stream.publish(report)
    assert (first.heard, second.heard, other.heard[1:]) == ([inventory()], reports, reports)


def test_what_a_listener_publishes_comes_after_what_it_hears_for_all(stream):
    class Echo(Ear):
        def hear(self, report):
            super().hear(report)
            if report == inventory():
                stream.publish(landed())

    echo, other = Echo("echo"), Ear("other")
    stream.join(echo)
    stream.join(other)
    stream.publish(inventory())
    assert echo.heard == other.heard == [inventory(), landed()]


def test_a_bug_in_one_listener_is_logged_and_counted_and_costs_nobody_else_anything(stream):
    stream.join(Ear("broken", ZeroDivisionError("ours")))
    stream.join(sound := Ear("sound"))
    with capture_logs() as lines:
        stream.publish(landed())
    assert sound.heard == [landed()]
    assert [(line["event"], line["listener"], line["exc_info"]) for line in lines] == [("bug", "broken", True)]
    assert served(stream, 'updater_listener_failures_total{listener="broken"} 1.0')


def test_a_bug_in_the_feedback_of_one_source_costs_no_other_one(stream):
    broken, sound = Ear(trouble=ZeroDivisionError("ours")), Ear()
    stream.join(SourceFeedback([broken, sound]))
    refused = TargetsRefused(outcomes=(ended(),), at=landed().at)
    for report in (inventory(), landed(), refused):
        stream.publish(report)
    assert sound.heard == [inventory(), landed(), refused]
    assert served(stream, 'updater_listener_failures_total{listener="feedback"} 3.0')


async def test_a_listener_that_waits_holds_up_nobody_and_gets_the_rest_together(stream):
    stream.join_queued(slow := SlowEar())
    stream.join(quick := Ear("quick"))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stream.run())
        for number in range(2):
            stream.publish(landed(ended(str(number))))
            await asyncio.sleep(0)
        assert len(quick.heard) == 2
        assert slow.heard == []
        slow.may_go.set()
        await stream.drain()
        running.cancel()
    assert slow.heard == quick.heard


async def test_the_queue_of_a_listener_that_hangs_is_bounded_and_what_is_lost_is_counted(stream):
    stream.join_queued(slow := SlowEar())
    for number in range(5):
        stream.publish(landed(ended(str(number))))
    slow.may_go.set()
    await stream.drain()
    assert [report.outcomes[0].key for report in slow.heard] == ["2", "3", "4"]
    assert served(stream, 'updater_reports_dropped_total{listener="slow"} 2.0')


async def test_a_listener_that_is_cut_hears_the_same_again_and_one_that_fails_goes_on(stream):
    stream.join_queued(slow := SlowEar())
    stream.publish(landed(ended("a")))
    with suppress(TimeoutError):
        await asyncio.wait_for(stream.drain(), 0.01)
    stream.publish(landed(ended("b")))
    slow.may_go.set()
    await stream.drain()
    assert [report.outcomes[0].key for report in slow.heard] == ["a", "b"]
    slow.trouble = OSError("no space")
    stream.publish(landed(ended("c")))
    await stream.drain()
    stream.publish(landed(ended("d")))
    await stream.drain()
    assert slow.heard[-1].outcomes[0].key == "d"
    assert served(stream, 'updater_listener_failures_total{listener="slow"} 1.0')


def test_a_listener_has_failed_no_time_from_the_start(stream):
    """Prometheus sees no increase where a series begins with 1."""
    stream.join(Ear("sound"))
    assert served(stream, 'updater_listener_failures_total{listener="sound"} 0.0')
