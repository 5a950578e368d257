"""What the daemon proposed and nobody asks for any more: a landing without subscriptions closes its pull request.

It is known to the process that proposed it, over all of its generations. What was left while no process ran is swept once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from updater.model.publishing import Proposal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable

    from updater.engine.landing import Landing
    from updater.model.subscription import Destination, GitBranch

AGAIN_AFTER: Final = 60.0
_Name = tuple[str, str, str]


class LeftProposals:
    """Remembers by repository, base and push branch what is proposed, and what of it was left."""

    def __init__(self) -> None:
        self._proposing: dict[_Name, GitBranch] = {}
        self._left: dict[_Name, GitBranch] = {}
        self._has_some = asyncio.Event()
        self._is_swept: bool | None = None

    @property
    def branches(self) -> Collection[GitBranch]:
        """What was left and is not closed yet."""
        return self._left.values()

    def follow(self, destinations: Iterable[Destination], *, is_whole: bool) -> None:
        """Take what is asked for now. Unless *is_whole*, a source has not said yet what it asks for, and nothing is left."""
        now = {_name(item): item for item in destinations if item.method == "git" and isinstance(item.publishing, Proposal)}
        if is_whole:
            self._left.update({name: item for name, item in self._proposing.items() if name not in now})
            self._proposing = now
            if self._is_swept is None:
                self._is_swept = False
                self._has_some.set()
        else:
            self._proposing.update(now)
        for name in now:
            self._left.pop(name, None)
        if self._left:
            self._has_some.set()

    async def close(self, land: Callable[[GitBranch], Awaitable[Landing]], may_write: Callable[[], bool] = lambda: True) -> None:
        """Land once what was left; what could not be read or written is left still, as is all once leading ended."""
        for name, branch in list(self._left.items()):
            if name not in self._left:  # it is asked for again since
                continue
            if not may_write():
                return
            landing = await land(branch)
            if landing.view is not None and may_write():
                self._left.pop(name, None)

    async def run(
        self,
        land: Callable[[GitBranch], Awaitable[Landing]],
        may_write: Callable[[], bool],
        sweep: Callable[[], Awaitable[bool]],
    ) -> None:
        """Close what is left as soon as it is, and again after a while where that failed or another replica writes.

        *sweep* closes what was left before this process began, and returns whether every forge answered.
        """
        while True:
            await self._has_some.wait()
            self._has_some.clear()
            if may_write():
                await self.close(land, may_write)
            if not self._is_swept and may_write():  # closing may have taken long
                self._is_swept = await sweep()
            if self._left or not self._is_swept:
                await asyncio.sleep(AGAIN_AFTER)
                self._has_some.set()


def _name(branch: GitBranch) -> _Name:
    return branch.url, branch.branch, branch.push
