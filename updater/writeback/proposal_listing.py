"""The open pull requests of a repository, listed once for all of its destinations and a round of looks.

A listing serves each destination once: who asks for the second time is in the next round, and gets a new one. What we change
ourselves is noted in it, so that those who come later in the round see it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from updater.errors import ForgeError
from updater.forge.base import ForgeProposal, ProposalState
from updater.writeback.proposal_text import has_marker, marker_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from updater.forge.base import Forge
    from updater.model.subscription import GitBranch

#: seconds; a destination that is due less often than others must not be told what was long ago
OLDEST: Final = 120.0


@dataclass(slots=True)
class OpenListing:
    """What is open by number, of each text the marker alone: a listing is kept until the next, and people write long texts.

    *served* are the destinations that were shown it, *is_swept* whether what is over was put away.
    """

    proposals: dict[int, ForgeProposal]
    made_at: float
    served: set[GitBranch] = field(default_factory=set)
    is_swept: bool = False

    def of(self, branch: GitBranch) -> list[ForgeProposal]:
        """Return those from the push branch of *branch* to the branch that it reads."""
        wanted = (branch.push, branch.branch)
        return [item for item in self.proposals.values() if (item.branch, item.base) == wanted]

    def ours(self, base: str) -> list[ForgeProposal]:
        """Return those to *base* that have our marker."""
        return [item for item in self.proposals.values() if item.base == base and has_marker(item.body)]

    def note(self, proposal: ForgeProposal) -> None:
        """Take what the forge said of one meanwhile."""
        if proposal.state is ProposalState.OPEN:
            self.proposals[proposal.number] = replace(proposal, body=marker_line(proposal.body))
        else:
            self.proposals.pop(proposal.number, None)


async def told_apart(forge: Forge, proposal: ForgeProposal) -> ForgeProposal:
    """Return *proposal*, without its text where that has our marker and another account opened it: then it is not ours."""
    if not has_marker(proposal.body) or await forge.is_own(proposal):
        return proposal
    return replace(proposal, body="")


class OpenProposals:
    """The last listing of each forge. *clock* counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._listings: dict[Forge, OpenListing] = {}
        self._turns: dict[Forge, asyncio.Lock] = {}

    async def of(self, forge: Forge, branch: GitBranch) -> OpenListing:
        """Return a listing that *branch* was not shown yet; raise `ForgeError`."""
        async with self._turns.setdefault(forge, asyncio.Lock()):
            found = self._listings.get(forge)
            if found is None or branch in found.served or self._clock() - found.made_at > OLDEST:
                made_at = self._clock()
                try:
                    # without a listing before, nothing new could be proposed: it is asked for whatever remains
                    listed = await forge.list_open(is_look=found is not None)
                except ForgeError as error:
                    if found is None or error.code != "forge-reserve":
                        raise
                    found.served.add(branch)
                    return found  # the few requests that remain are kept for what is new
                found = OpenListing({}, made_at)
                for item in listed:
                    found.note(await told_apart(forge, item))
                self._listings[forge] = found
            found.served.add(branch)
            return found

    def keep(self, forges: Collection[Forge]) -> None:
        """Let go of the listings of all but *forges*; whoever asks for one now gets it."""
        self._listings = {forge: found for forge, found in self._listings.items() if forge in forges}
        self._turns = {forge: turn for forge, turn in self._turns.items() if forge in forges or turn.locked()}

    def last(self, forge: Forge) -> OpenListing | None:
        """Return the last listing of *forge*, whoever asked for it."""
        return self._listings.get(forge)

    def note(self, forge: Forge, proposal: ForgeProposal) -> None:
        """Take what the forge said of a pull request."""
        if (found := self._listings.get(forge)) is not None:
            found.note(proposal)
