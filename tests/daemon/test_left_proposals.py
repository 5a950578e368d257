"""What nobody asks for any more is closed, and nothing else."""

from __future__ import annotations

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
