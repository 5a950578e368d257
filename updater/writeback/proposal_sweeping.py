"""What is proposed from branches that the configuration does not name any more: closed with a word why, once a round.

Ours is what has our marker and proposes, from another branch to the same base, places that the configuration proposes by now: who
shares the repository and writes other places is left alone, whatever the branches are called. Ours is also what carries the name
of this installation: of that, everything is over that the configuration does not propose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from updater.errors import UpdaterError
from updater.inventory.branch_writers import repository
from updater.model.publishing import Proposal
from updater.writeback.proposal_text import has_marker, place_fingerprint, read_marker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence

    from updater.forge.base import ForgeProposal
    from updater.model.subscription import Destination, GitBranch, Subscription
    from updater.writeback.proposal_finding import ProposalFinder
    from updater.writeback.proposal_listing import OpenListing


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalOwner:
    """Whose pull requests those of this configuration are.

    *name* returns the name of the installation, "" where it has none. *branches* returns the name of every branch that something
    is proposed from, in whatever repository, or that is put away elsewhere; None before every source said what it asks for.
    """

    name: Callable[[], str] = str
    branches: Callable[[], Collection[str] | None] = lambda: None


NOBODY: Final = ProposalOwner()


class ProposalSweeper:
    """*asked* returns the subscriptions of every destination, *put_away* closes what is over of one, told what replaces it."""

    def __init__(
        self,
        finder: ProposalFinder,
        asked: Callable[[], Mapping[Destination, Sequence[Subscription]]],
        put_away: Callable[[GitBranch, str], Awaitable[None]],
        owner: ProposalOwner = NOBODY,
    ) -> None:
        self._finder = finder
        self._asked = asked
        self._put_away = put_away
        self._owner = owner

    async def sweep(self, branch: GitBranch) -> None:
        """Close what other branches than those of the configuration propose, of the repository of *branch*; raise `ForgeError`.

        What cannot be closed now stops nothing, and is tried again in the next round.
        """
        await self._sweep(branch, await self._finder.listing(branch))

    async def sweep_afresh(self, branch: GitBranch) -> bool:
        """Do so by a new listing; return whether everything could be closed. Raises `ForgeError`."""
        return await self._sweep(branch, await self._finder.new_listing(branch))

    async def _sweep(self, branch: GitBranch, listing: OpenListing) -> bool:
        if listing.is_swept:
            return True
        listing.is_swept = is_done = True
        present, places = set(), {}
        for destination, mark in _proposed_places(self._asked(), branch):
            present.add(destination.push)
            places[destination.branch, mark] = destination.push
        for item in list(listing.proposals.values()):
            if item.branch in present:
                continue
            try:
                by = _replaced_by(item, places)
                if by or await self._is_left(branch, item):
                    await self._put_away(replace(branch, branch=item.base, publishing=Proposal(item.branch)), by)
            except UpdaterError:
                is_done = False
        return is_done

    async def _is_left(self, branch: GitBranch, item: ForgeProposal) -> bool:
        """Return whether this installation opened it and nothing is proposed from its branch any more, in any repository."""
        name, branches = self._owner.name(), self._owner.branches()
        if not name or branches is None or item.branch in branches or not has_marker(item.body):
            return False
        if not item.body.rstrip().endswith("-->"):  # the listing cut it
            item = await self._finder.forge(branch).get(item.number)
        marker = read_marker(item.body)
        return marker is not None and marker.owner == name


def _proposed_places(asked: Mapping[Destination, Sequence[Subscription]], branch: GitBranch) -> Iterator[tuple[GitBranch, str]]:
    place = repository(branch.url)[0]
    for destination, subscriptions in asked.items():
        if (
            destination.method != "git"
            or repository(destination.url)[0] != place
            or not isinstance(destination.publishing, Proposal)
        ):
            continue
        for item in subscriptions:
            for target in item.targets:
                if target.destination == destination:
                    yield destination, place_fingerprint(item.key, target)


def _replaced_by(item: ForgeProposal, places: Mapping[tuple[str, str], str]) -> str:
    """Return the branch from which all places of *item* are proposed by now, "" where some are not, or it is somebody else's."""
    marker = read_marker(item.body)
    if marker is None or not marker.places:
        return ""
    found = [places.get((item.base, mark), "") for mark in sorted(marker.places)]
    return found[0] if all(found) else ""
