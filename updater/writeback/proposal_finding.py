"""How our pull requests are found: by one listing of what is open for all destinations of a repository, else one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.errors import ForgeError
from updater.writeback.proposal_listing import OpenProposals, told_apart
from updater.writeback.proposal_state import KnownProposals
from updater.writeback.proposal_text import has_marker, read_marker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from updater.forge.base import Forge, ForgeProposal
    from updater.model.subscription import GitBranch
    from updater.writeback.proposal_listing import OpenListing


class ProposalFinder:
    """What is known of each destination's pull requests. Nothing of it needs to be kept.

    *forge* returns who is asked; *count* is told of each change of ours: opened, updated, merged or closed.
    """

    def __init__(self, forge: Callable[[GitBranch], Forge], count: Callable[[str], None] = lambda _event: None) -> None:
        self.forge = forge
        self.count = count
        self._open = OpenProposals()
        self._known: dict[GitBranch, KnownProposals] = {}

    def known(self, branch: GitBranch) -> KnownProposals | None:
        """Return what is known without asking."""
        return self._known.get(branch)

    def keep(self, branches: Collection[GitBranch]) -> Collection[Forge]:
        """Let go of what is known of every branch but *branches*, and of its listings; return the forges that are left."""
        self._known = {branch: known for branch, known in self._known.items() if branch in branches}
        forges = {self.forge(branch) for branch in self._known}
        self._open.keep(forges)
        return forges

    def take(self, branch: GitBranch, known: KnownProposals, proposal: ForgeProposal) -> ForgeProposal:
        """Take what the forge answered to a change of ours, for this destination and for the round; return it."""
        known.take(proposal)
        self._open.note(self.forge(branch), proposal)
        return proposal

    async def listing(self, branch: GitBranch) -> OpenListing:
        """Return the listing of this round: the one that *branch* was shown, else the one that it is to be shown."""
        forge = self.forge(branch)
        last = self._open.last(forge)
        return last if last is not None and branch in last.served else await self._open.of(forge, branch)

    async def new_listing(self, branch: GitBranch) -> OpenListing:
        """Return a listing that *branch* was not shown yet."""
        return await self._open.of(self.forge(branch), branch)

    async def refreshed(self, branch: GitBranch) -> KnownProposals:
        """Return what the listing of a new round says; ask for one pull request where it was open and is not listed any more.

        Where nothing is known and nothing listed, all of the branch are asked for: one may be merged or closed.
        """
        forge = self.forge(branch)
        listed = (await self._open.of(forge, branch)).of(branch)
        known = self._known.setdefault(branch, KnownProposals())
        known.stranger = None
        for item in listed:
            is_cut = has_marker(item.body) and read_marker(item.body) is None
            known.sort_in(await forge.get(item.number) if is_cut else item)
        was = known.open
        if was is not None and all(item.number != was.number for item in listed):
            return await self._again(branch, known, was)
        return known if known.last or known.stranger else await self.find(branch)

    async def find(self, branch: GitBranch) -> KnownProposals:
        """Ask for all pull requests of *branch*, open and closed."""
        before = self._known.get(branch)
        known = KnownProposals(is_whole=True)
        if before is not None:
            known.kept, known.is_automatic = before.kept, before.is_automatic
            known.refused, known.dressed, known.undone = before.refused, before.dressed, before.undone
        for proposal in await self.forge(branch).find(branch.push, branch.branch):
            known.sort_in(await told_apart(self.forge(branch), proposal))
        self._known[branch] = known
        return known

    async def _again(self, branch: GitBranch, known: KnownProposals, was: ForgeProposal) -> KnownProposals:
        try:
            proposal = await self.forge(branch).get(was.number)
        except ForgeError as error:
            if error.code != "forge-not-found":
                raise
            return await self.find(branch)  # a forge may delete one; where the repository is gone, this says so
        if proposal.base != branch.branch:
            return await self.find(branch)  # somebody asks to merge it elsewhere: it is no longer about this branch
        self.take(branch, known, proposal)
        return known
