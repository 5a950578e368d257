"""Who may scan now: a bounded number at one time, of each host no more than its share.

A scan holds its slot over all pages of a list, so without shares one slow registry of many images would hold them all.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCANS_AT_ONCE: Final = 64
SHARE: Final = 16


class Slots:
    """*total* slots, of which one host holds at most *share*. A free slot goes to the waiting host that holds the fewest.

    The last quarter of them is for hosts that hold none, so several slow hosts together do not hold them all either.

    A host that is `slow` has a share of one until it is `well` again: its next scan tells.
    """

    def __init__(self, total: int = SCANS_AT_ONCE, share: int = SHARE) -> None:
        self._free = total
        self._reserve = total // 4
        self._share = share
        self._held: dict[str, int] = {}
        self._waiting: dict[str, dict[asyncio.Future[None], None]] = {}
        self._slow: set[str] = set()

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        """Hold a slot for *host*."""
        await self._enter(host)
        try:
            yield
        finally:
            self._leave(host)

    def slow(self, host: str) -> None:
        """Note that a scan of *host* took longer than it may."""
        self._slow.add(host)

    def well(self, host: str) -> None:
        """Note that a scan of *host* ended in time."""
        self._slow.discard(host)

    async def _enter(self, host: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(host, {})[turn] = None
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(host)
            else:
                self._forget(host, turn)
            raise

    def _leave(self, host: str) -> None:
        self._free += 1
        self._held[host] -= 1
        if not self._held[host]:
            del self._held[host]
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free:
            hosts = [host for host in self._waiting if self._held.get(host, 0) < self._share_of(host)]
            if not hosts:
                return
            host = min(hosts, key=lambda host: self._held.get(host, 0))  # of equals, who waits longest
            turn = next(iter(self._waiting[host]))
            self._forget(host, turn)
            if turn.done():  # cancelled, and its task has not run since
                continue
            self._free -= 1
            self._held[host] = self._held.get(host, 0) + 1
            turn.set_result(None)

    def _share_of(self, host: str) -> int:
        return 1 if host in self._slow or self._free <= self._reserve else self._share

    def _forget(self, host: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.pop(host, {})
        queue.pop(turn, None)
        if queue:
            self._waiting[host] = queue  # last again: the others take their turns first
