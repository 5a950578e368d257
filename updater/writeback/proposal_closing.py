"""How a pull request that is over is put away: its text says why, it is closed, its branch deleted, and none of it is a no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.errors import ForgeError
from updater.forge.base import ProposalState
from updater.writeback.proposal_opening import NOT_TAKEN
from updater.writeback.proposal_state import still_open
from updater.writeback.proposal_text import TELL, closing_text, closing_words, superseding_text, superseding_words, with_due

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from updater.forge.base import Forge, ProposalText
    from updater.model.subscription import Destination, GitBranch, Subscription
    from updater.model.view import View
    from updater.writeback.proposal_branch import ProposalBranches
    from updater.writeback.proposal_finding import ProposalFinder
    from updater.writeback.proposal_state import KnownProposals


class ProposalCloser:
    """*asked* returns the subscriptions of every destination."""

    def __init__(
        self,
        finder: ProposalFinder,
        branches: ProposalBranches,
        asked: Callable[[], Mapping[Destination, Sequence[Subscription]]],
    ) -> None:
        self._finder = finder
        self._branches = branches
        self._asked = asked

    async def put_away(self, branch: GitBranch, view: View, *, by: str = "") -> None:
        """Delete the branch of what was merged; close what has nothing left to change, unless others committed to it."""
        known = self._finder.known(branch)
        if known is None or known.last is None:
            return
        if known.state is ProposalState.MERGED:
            await self._branches.cleared(branch, known, view)
        elif known.open is not None and await self._branches.is_ours(branch, view.push_head):
            is_over = not by and _is_asked(branch, self._asked())
            text = closing_text(branch.branch) if is_over else superseding_text(by)
            words = closing_words(branch.branch) if is_over else superseding_words(by)
            await self._close(branch, known, view.push_head, (text, words))

    async def _close(self, branch: GitBranch, known: KnownProposals, head: str | None, last: tuple[ProposalText, str]) -> None:
        """Close it with its last text; the comment comes before that, and its text says so until then: it is not lost."""
        assert known.open is not None  # noqa: S101 - what is closed is open
        forge, number, (text, words) = self._finder.forge(branch), known.open.number, last
        if not known.is_said(text):
            # a forge closes what asks to merge a branch that is gone: from here on that rejects nothing
            told = await forge.update(number, with_due(text, TELL), is_draft=known.open.is_draft)
            still_open(self._finder.take(branch, known, told))
        if known.due == TELL:
            await _told(forge, number, words)
        if head is not None:
            await self._branches.remove(branch, known, head)
        self._finder.take(branch, known, await forge.close(number, text))
        self._finder.count("closed")


async def _told(forge: Forge, number: int, words: str) -> None:
    try:
        await forge.comment(number, words)
    except ForgeError as error:
        if error.code not in NOT_TAKEN:
            raise


def _is_asked(branch: GitBranch, asked: Iterable[Destination]) -> bool:
    return any(item.method == "git" and (item.url, item.push) == (branch.url, branch.push) for item in asked)
