"""What nobody asks for any more is closed, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from updater.daemon.left_proposals import LeftProposals
from updater.engine.landing import Landing
from updater.model.publishing import Proposal
from updater.model.subscription import GitBranch


def proposing(name):
    return GitBranch(url="https://git.example.org/fleet.git", branch="main", publishing=Proposal(f"updater/main/{name}"))


async def test_what_is_asked_for_again_while_others_are_closed_is_not_closed():
    first, second = proposing("first"), proposing("second")
    left, landed = LeftProposals(), []

    async def land(branch):
        landed.append(branch)
        left.follow([second], is_whole=True)
        return Landing(destination=branch, outcomes=(), choices={})

    left.follow([first, second], is_whole=True)
    left.follow([], is_whole=True)
    await left.close(land)
    assert landed == [first]


async def test_nothing_is_closed_or_swept_once_leading_ended_and_all_of_it_is_left_still():
    first, second = proposing("first"), proposing("second")
    left, landed, leading = LeftProposals(), [], [True]

    async def land(branch):
        landed.append(branch)
        leading[0] = False
        return Landing(destination=branch, outcomes=(), choices={}, view=object())

    async def sweep():
        raise AssertionError("another replica leads")

    left.follow([first, second], is_whole=True)
    left.follow([], is_whole=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await left.run(land, lambda: leading[0], sweep)
    assert (landed, list(left.branches)) == ([first], [first, second])
