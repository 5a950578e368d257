"""A silent server is named and given up; one that goes on answering never is."""

from __future__ import annotations

import asyncio

import pytest

from updater.http.waiting import ServerWatch, SilentServer


class Hand:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def watch(hand):
    return ServerWatch(30, clock=hand)


async def waiting(watch, host, what, **options):
    async with watch.asked(host, what, **options):
        await asyncio.Event().wait()


async def test_a_silent_host_is_named_once_after_5_seconds_with_what_it_was_asked(watch, hand):
    asked = [asyncio.create_task(waiting(watch, "ghcr.io", f"tags of ghcr.io/o/{name}")) for name in "abc"]
    await asyncio.sleep(0)
    hand.now = 4.9
    assert watch.look() == []
    hand.now = 5.0
    assert watch.look() == ["still waiting for ghcr.io (tags of ghcr.io/o/a and 2 more), 5 s"]
    hand.now = 6.0
    assert watch.look() == []
    for task in asked:
        task.cancel()


async def test_a_host_is_given_up_with_all_that_waits_for_it_and_is_not_asked_again(watch, hand):
    silent = [asyncio.create_task(waiting(watch, "a.example", "tags")) for _ in range(3)]
    other = asyncio.create_task(waiting(watch, "b.example", "tags"))
    await asyncio.sleep(0)
    hand.now = 29
    watch.answered("b.example")
    hand.now = 30
    watch.look()
    ends = await asyncio.gather(*silent, return_exceptions=True)
    assert [str(end) for end in ends] == ["a.example did not answer within 30 s"] * 3
    with pytest.raises(SilentServer):
        await waiting(watch, "a.example", "tags")
    assert not other.done()
    other.cancel()


async def test_a_host_that_goes_on_answering_is_never_given_up(watch, hand):
    asked = asyncio.create_task(waiting(watch, "ghcr.io", "tags"))
    await asyncio.sleep(0)
    for second in range(300):
        hand.now = second
        watch.answered("ghcr.io")
        assert watch.look() == []
    await asyncio.sleep(0)
    assert not asked.done()
    asked.cancel()


async def test_silences_add_up(watch, hand):
    asked = asyncio.create_task(waiting(watch, "ghcr.io", "tags"))
    await asyncio.sleep(0)
    for second in range(0, 50, 4):
        hand.now = second
        watch.look()
        watch.answered("ghcr.io")
    with pytest.raises(SilentServer):
        await asked


async def test_a_push_is_named_and_never_given_up(watch, hand):
    pushed = asyncio.create_task(waiting(watch, "git.example", "a push", may_give_up=False))
    await asyncio.sleep(0)
    hand.now = 6
    assert len(watch.look()) == 1
    hand.now = 600
    watch.look()
    await asyncio.sleep(0)
    assert not pushed.done()
    pushed.cancel()
