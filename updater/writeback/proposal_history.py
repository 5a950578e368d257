"""Which pull request carried a commit, told by its head: what was pushed before it to the same branch went with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.forge.base import ProposalState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.forge.base import ForgeProposal
    from updater.model.view import PastCommit

#: a forge that returns fewer returned all; of what is beyond, nobody knows which one it was
FEWEST_READ: Final = 20


def carriers(commits: Sequence[PastCommit], found: Sequence[ForgeProposal], push: str) -> dict[str, str]:
    """Return the links by revision of those *commits*, newest first, that came by one of the pull requests from *push*."""
    heads = {item.head: item for item in sorted(found, key=lambda item: item.state is ProposalState.MERGED)}  # which wins
    told = [heads[commit.revision].number for commit in commits if commit.revision in heads]
    is_whole, oldest = len(found) < FEWEST_READ, min(told, default=0)
    links: dict[str, str] = {}
    carrier: ForgeProposal | None = None
    for commit in commits:
        if commit.revision in heads:
            carrier = heads[commit.revision]
            links[commit.revision] = carrier.link
        elif carrier is not None and push in commit.branches and (is_whole or carrier.number > oldest):
            links[commit.revision] = carrier.link
    return links
