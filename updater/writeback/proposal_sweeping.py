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
        places = self._places(branch)
        for item in list(listing.proposals.values()):
            by = _replaced_by(item, places)
            if by:
                with suppress(UpdaterError):
                    await self._put_away(replace(branch, branch=item.base, publishing=Proposal(item.branch)), by)

    def _places(self, branch: GitBranch) -> dict[tuple[str, str], dict[str, str]]:
        """Return from which branch each place is proposed, by base and fingerprint; and the same by the name of each branch."""
        found: dict[tuple[str, str], dict[str, str]] = {}
        for destination, key, mark in _proposed_places(self._asked(), branch):
            found.setdefault(("", destination.branch), {})[mark] = destination.push
            found.setdefault((destination.push, destination.branch), {})[mark] = key
        return found


def _proposed_places(
    asked: Mapping[Destination, Sequence[Subscription]], branch: GitBranch
) -> Iterator[tuple[GitBranch, str, str]]:
    for destination, subscriptions in asked.items():
        if destination.method != "git" or destination.url != branch.url or not isinstance(destination.publishing, Proposal):
            continue
        for item in subscriptions:
            for target in item.targets:
                if target.destination == destination:
                    yield destination, item.key, place_fingerprint(item.key, target)


def _replaced_by(item: ForgeProposal, places: Mapping[tuple[str, str], Mapping[str, str]]) -> str:
    """Return the branch from which all of *item* is proposed by now, "" where it is present itself, or somebody else's."""
    marker = read_marker(item.body)
    if marker is None or not marker.places or (item.branch, item.base) in places:
        return ""
    here = places.get(("", item.base), {})
    return here[min(marker.places)] if marker.places <= here.keys() else ""
