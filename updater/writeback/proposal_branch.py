"""The branch of a pull request as Git has it: whether it is ours alone, and its deletion by lease."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.errors import PushRefused
from updater.forge.base import ProposalState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from updater.git.mirror import Mirror
    from updater.model.subscription import GitBranch
    from updater.model.update import WriteResult
    from updater.model.view import View
    from updater.writeback.proposal_state import KnownProposals

FOREIGN: Final = "foreign-commits"
_NOT_OURS: Final = "branch-not-ours"
#: after so many seconds every forge has heard of a deletion
_HEARD: Final = 60.0


class ProposalBranches:
    """*mirror* returns the mirror of the repository of a branch."""

    def __init__(self, mirror: Callable[[GitBranch], Mirror]) -> None:
        self._mirror = mirror
        self._removed: dict[tuple[str, str], float] = {}

    async def has_waited(self, branch: GitBranch, within: float) -> bool:
        """Wait until a forge that hears *within* so many seconds has heard that we deleted a branch of this name, if we did."""
        removed = self._removed.pop((branch.url, branch.push), None)
        if removed is None or (left := removed + within - time.monotonic()) <= 0:
            return False
        await asyncio.sleep(left)
        return True

    async def is_ours(self, branch: GitBranch, head: str | None) -> bool:
        """Return whether the branch ends in a commit of ours: we build on the base alone, so nothing of others is below that."""
        if head is None:
            return True
        past = next(iter(await self._mirror(branch).history(head, 1)), None)
        if past is None or past.revision != head:
            return False
        return not past.branches or branch.push in past.branches  # a copy of our branch is somebody else's

    async def cleared(self, branch: GitBranch, known: KnownProposals, view: View) -> View:
        """Delete the branch of what was merged, where it stands as it was merged; return the view without it."""
        last = known.last
        if last is None or last.state is not ProposalState.MERGED or view.push_head is None or view.push_head != last.head:
            return view
        return replace(view, push_head=None) if await self.remove(branch, known, view.push_head) else view

    async def written(
        self, branch: GitBranch, known: KnownProposals, view: View, write: Callable[[View], Awaitable[WriteResult]]
    ) -> WriteResult:
        """Return what *write* makes of *view*; where people committed to what was merged, of one without the branch.

        Else the branch of what was merged is built anew in place: a forge notices late that a branch was deleted, and then
        closes what is open from a new one of that name, which would read as a no.
        """
        try:
            return await write(view)
        except PushRefused as refused:
            cleared = await self.cleared(branch, known, view) if refused.code in {FOREIGN, _NOT_OURS} else view
            if cleared is view:
                raise
        return await write(cleared)

    async def remove(self, branch: GitBranch, known: KnownProposals, head: str) -> bool:
        """Delete the branch where it still stands at *head*; return False where the server keeps it, which is asked once.

        Raises `PushRefused` ``push-refused`` where somebody was faster: look and decide again.
        """
        if known.kept == head:
            return False
        try:
            await self._mirror(branch).remove(branch.push, head)
        except PushRefused as refused:
            if refused.code == PushRefused.default_code:
                raise
            known.kept = head
            return False
        now = time.monotonic()
        self._removed = {place: at for place, at in self._removed.items() if now - at < _HEARD}
        self._removed[branch.url, branch.push] = now
        return True
