"""What is kept of the open pull requests of a repository between two listings."""

from __future__ import annotations

from updater.forge.base import ForgeProposal, ProposalState
from updater.model.publishing import Proposal
from updater.model.subscription import GitBranch
from updater.writeback.proposal_listing import OpenProposals
from updater.writeback.proposal_text import has_marker, read_marker

MARKER = "<!-- updater:proposal v1 text=0123456789abcdef values=0123456789ab places=01234567 -->"
BRANCH = GitBranch(url="https://git.example.org/fleet.git", branch="main", publishing=Proposal("updater/main/app"))


def opened(number, body):
    return ForgeProposal(
        number=number, state=ProposalState.OPEN, link="", branch="updater/main/app", base="main", head="a" * 40, body=body
    )


class Listed:
    """Plays a forge with long texts: one of ours, one whose marker was cut, and one of a person."""

    bodies = (f"hello\n{MARKER}\n{'x' * 60_000}", f"{MARKER[:60]}\n", "y" * 60_000)

    async def list_open(self, *, is_look):
        return tuple(opened(number, body) for number, body in enumerate(self.bodies, 1))

    async def is_own(self, _):
        return True


async def test_of_long_texts_the_marker_alone_is_kept_and_says_the_same():
    listing = await OpenProposals().of(Listed(), BRANCH)
    kept = [item.body for item in listing.of(BRANCH)]
    assert [read_marker(body) for body in kept] == [read_marker(body) for body in Listed.bodies]
    assert [has_marker(body) for body in kept] == [True, True, False]
    listing.note(opened(4, Listed.bodies[0]))
    assert sum(len(item.body) for item in listing.proposals.values()) < 300
