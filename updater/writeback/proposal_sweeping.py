"""What is proposed from branches that the configuration does not name any more: closed with a word why, once a round.

Ours is what has our marker and proposes, from another branch to the same base, places that the configuration proposes by now: who
shares the repository and writes other places is left alone, whatever the branches are called.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from updater.errors import UpdaterError
from updater.model.publishing import Proposal
from updater.writeback.proposal_text import place_fingerprint, read_marker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from updater.forge.base import ForgeProposal
    from updater.model.subscription import Destination, GitBranch, Subscription
    from updater.writeback.proposal_finding import ProposalFinder


class ProposalSweeper:
    """*asked* returns the subscriptions of every destination, *put_away* closes what is over of one, told what replaces it."""

    def __init__(
        self,
        finder: ProposalFinder,
        asked: Callable[[], Mapping[Destination, Sequence[Subscription]]],
        put_away: Callable[[GitBranch, str], Awaitable[None]],
    ) -> None:
        self._finder = finder
        self._asked = asked
        self._put_away = put_away

    async def sweep(self, branch: GitBranch) -> None:
        """Close what other branches than those of the configuration propose, of the repository of *branch*; raise `ForgeError`.

        What cannot be closed now stops nothing, and is tried again in the next round.
        """
        listing = await self._finder.listing(branch)
        if listing.is_swept:
            return
        listing.is_swept = True
        present, places = set(), {}
        for destination, mark in _proposed_places(self._asked(), branch):
            present.add(destination.push)
            places[destination.branch, mark] = destination.push
        for item in list(listing.proposals.values()):
            by = _replaced_by(item, places) if item.branch not in present else ""
            if by:
                with suppress(UpdaterError):
                    await self._put_away(replace(branch, branch=item.base, publishing=Proposal(item.branch)), by)


def _proposed_places(asked: Mapping[Destination, Sequence[Subscription]], branch: GitBranch) -> Iterator[tuple[GitBranch, str]]:
    for destination, subscriptions in asked.items():
        if destination.method != "git" or destination.url != branch.url or not isinstance(destination.publishing, Proposal):
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
