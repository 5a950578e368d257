"""Promises about turns: how many at once, how fast, and fair between lanes."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import pytest

from updater.http.exchange import FailureKind, HttpFailure, Pace
from updater.http.limits import Patience
from updater.http.pacing import Host, RequestSlots


async def test_no_more_than_the_pace_allows_are_inside():
    gate, inside, most = RequestSlots(Pace(concurrency=3)), 0, 0

    async def visit(lane: str) -> None:
        nonlocal inside, most
        await gate.enter(lane)
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        gate.leave()

    await asyncio.gather(*(visit(f"image-{number % 4}") for number in range(40)))
    assert (inside, most) == (0, 3)


async def test_an_image_with_many_requests_does_not_keep_others_waiting():
    gate, order = RequestSlots(Pace(concurrency=1)), []

    async def visit(lane: str) -> None:
        await gate.enter(lane)
        order.append(lane)
        await asyncio.sleep(0)
        gate.leave()

    await asyncio.gather(*(visit("big") for _ in range(20)), visit("small"))
    assert order.index("small") <= 2


async def test_who_gives_up_waiting_costs_nobody_a_turn():
    gate = RequestSlots(Pace(concurrency=1))
    await gate.enter("a")
    waiting = [asyncio.create_task(gate.enter(lane)) for lane in ("b", "c", "d")]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    gate.leave()  # c has the turn now, and is cancelled before it runs
    waiting[1].cancel()
    await asyncio.gather(*waiting[:2], return_exceptions=True)
    await asyncio.wait_for(waiting[2], 5)
    gate.leave()
    await asyncio.wait_for(gate.enter("e"), 5)


def test_a_rate_spaces_requests_evenly():
    gate = RequestSlots(Pace(concurrency=9, rate=50.0))
    assert [round(gate.book(10.0), 3) for _ in range(4)] == [0.0, 0.02, 0.04, 0.06]
    assert gate.book(11.0) == 0.0
    assert RequestSlots(Pace()).book(10.0) == 0.0


def test_a_pause_in_force_is_never_shortened():
    host = Host("r.example.com:443", Patience(bearable=20.0))
    host.pause(110.0)
    host.pause(105.0)
    assert host.wait(100.0) == 10.0
    assert host.wait(111.0) == 0.0


def test_a_pause_that_is_too_long_is_said_at_once_with_its_end():
    host = Host("r.example.com:443", Patience(bearable=20.0))
    host.pause(400.0)
    with pytest.raises(HttpFailure) as paused:
        host.wait(100.0)
    assert (paused.value.trouble, paused.value.retry_after) == (FailureKind.PAUSED, 300.0)


def test_a_host_that_never_answers_is_left_alone_for_a_growing_while():
    host = Host("r.example.com:443", Patience(broken_in_a_row=3))
    waits, told = [], set()
    for number in range(1, 6):
        host.failed(100.0, lambda: 1.0)
        with pytest.raises(HttpFailure) if number >= 3 else nullcontext() as down:
            host.wait(100.0)
        if down:
            assert down.value.trouble is FailureKind.DOWN
            waits.append(down.value.retry_after)
            told.add(down.value.message)
    assert waits == [1.0, 2.0, 4.0]
    assert len(told) == 1, "the same failure is told in the same words"
    host.succeeded()
    host.failed(200.0, lambda: 1.0)
    assert host.wait(200.0) == 0.0


def test_a_burst_waits_for_nothing_and_is_earned_again():
    """Twenty at once, then twenty a second; what was not used comes back, and never more than the burst."""
    gate = RequestSlots(Pace(concurrency=100, rate=20.0, burst=20))
    assert [gate.book(100.0) for _ in range(20)] == pytest.approx([0.0] * 20)
    assert [gate.book(100.0) for _ in range(3)] == pytest.approx([0.05, 0.10, 0.15])
    assert [gate.book(1000.0) for _ in range(21)] == pytest.approx([0.0] * 20 + [0.05])


def test_without_a_burst_each_waits_for_the_one_before():
    gate = RequestSlots(Pace(concurrency=100, rate=2.0))
    assert [gate.book(0.0) for _ in range(3)] == [0.0, 0.5, 1.0]
    assert gate.book(100.0) == 0.0
