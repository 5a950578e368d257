"""A queue sends in order, tries again with growing pauses, is bounded, and says what it lost."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.eventually import until
from tests.reporting.notifications.making import ReceiverByHand, Surroundings, down, line, notice
from updater.errors import UpdaterError
from updater.reporting.notifications.queue import ATTEMPTS, MOST_MERGED, MOST_WAITING, NotificationQueue


class Bench:
    def __init__(self, *script, **options):
        self.around = Surroundings(**options)
        self.receiver = ReceiverByHand(*script)
        self.sent, self.lost = [], []
        self.queue = NotificationQueue("chat", self.around.parts, sent=self._sent, given_up=self.lost.append)
        self.queue.receiver = self.receiver

    async def _sent(self, taken):
        self.sent.append(taken)

    def total(self, result):
        return self.around.metric("updater_notifications_total", "chat", result)


async def test_messages_go_out_in_order():
    bench = Bench()
    messages = [notice(line(key=str(number))) for number in range(3)]
    for message in messages:
        bench.queue.add(message)
    await bench.queue.work()
    assert bench.receiver.taken == bench.sent == messages
    assert (bench.total("sent"), bench.around.metric("updater_notifications_waiting", "chat")) == (3.0, 0.0)


async def test_a_failure_is_tried_again_with_growing_pauses_and_said_once():
    bench = Bench(down(), down(), down())
    bench.queue.add(notice())
    await bench.queue.work()
    assert bench.around.slept == [2.0, 4.0, 8.0]
    assert [item["detail"] for item in bench.around.said] == ["the receiver is down", "messages are delivered again"]
    assert bench.around.metric("updater_notification_retries_total", "chat") == 3.0
    assert len(bench.receiver.taken) == 1


async def test_what_the_receiver_asks_for_is_waited_for_within_bounds():
    bench = Bench(down(retry_after=40.0), down(retry_after=86_400.0), down(retry_after=0.0))
    bench.queue.add(notice())
    await bench.queue.work()
    assert bench.around.slept == [40.0, 900.0, 8.0]


async def test_what_cannot_pass_is_not_tried_again():
    bench = Bench(down(code="notify-refused", is_lasting=True))
    bench.queue.add(notice())
    await bench.queue.work()
    assert (bench.around.slept, bench.receiver.taken, len(bench.lost)) == ([], [], 1)
    assert bench.queue.trouble.code == "notify-refused"


async def test_attempts_end_and_the_next_message_says_how_many_were_lost():
    bench = Bench(*(down() for _ in range(ATTEMPTS)), down())
    first, second = notice(line(key="a")), notice(line(key="b"))
    bench.queue.add(first)
    bench.queue.add(second)
    await bench.queue.work()
    assert bench.lost == [first]
    assert [taken.lost for taken in bench.receiver.taken] == [1]
    assert (bench.total("failed"), bench.total("sent")) == (1.0, 1.0)
    bench.queue.add(notice())
    await bench.queue.work()
    assert bench.receiver.taken[-1].lost == 0


async def test_the_oldest_give_way_and_that_is_said_once():
    bench = Bench()
    for number in range(MOST_WAITING + 7):
        bench.queue.add(notice(line(key=str(number))))
    assert (len(bench.queue), bench.total("dropped")) == (MOST_WAITING, 7.0)
    assert [item.lines[0].key for item in bench.lost] == [str(number) for number in range(7)]
    assert len(bench.around.said) == 1
    await bench.queue.work()
    assert bench.receiver.taken[0].lost == 7


async def test_many_that_wait_become_one_and_none_is_lost():
    bench = Bench()
    for number in range(MOST_MERGED + 3):
        bench.queue.add(notice(line(key=str(number)), minutes=number))
    await bench.queue.work()
    assert [len(taken.lines) for taken in bench.receiver.taken] == [MOST_MERGED, 1, 1, 1]
    assert [item.key for taken in bench.receiver.taken for item in taken.lines] == [str(n) for n in range(MOST_MERGED + 3)]


async def test_an_attempt_has_a_deadline():
    bench = Bench(within=0.01)
    bench.receiver.gate = asyncio.Event()
    bench.queue.add(notice())
    working = asyncio.create_task(bench.queue.work())
    async with asyncio.timeout(30):
        await until(lambda: bench.around.slept, every=0)
        bench.receiver.gate.set()
        await working
    assert bench.around.said[0]["detail"] == "the receiver did not take the message within 0.01 s"
    assert len(bench.receiver.taken) == 1


async def test_a_bug_costs_one_message_and_its_traceback_is_in_the_log():
    bench = Bench(ZeroDivisionError("ours"))
    bench.queue.add(notice(line(key="a")))
    bench.queue.add(notice(line(key="b")))
    await bench.queue.work()
    assert [item.lines[0].key for item in bench.receiver.taken] == ["b"]
    assert bench.around.log.calls[0].method_name == "exception"


async def test_cancelled_work_keeps_what_it_had_in_hand():
    bench = Bench()
    bench.receiver.gate = asyncio.Event()
    bench.queue.add(notice(line(key="a")))
    working = asyncio.create_task(bench.queue.work())
    async with asyncio.timeout(30):
        await until(lambda: bench.receiver.attempts, every=0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    bench.receiver.gate.set()
    assert len(bench.queue) == 1
    await bench.queue.work()
    assert [item.lines[0].key for item in bench.receiver.taken] == ["a"]


async def test_any_expected_error_is_tried_again():
    bench = Bench(UpdaterError("the cluster does not answer", code="kube-unavailable"))
    bench.queue.add(notice())
    await bench.queue.work()
    assert (bench.around.slept, len(bench.receiver.taken)) == ([2.0], 1)
