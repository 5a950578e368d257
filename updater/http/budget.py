"""The memory budget for large answers in the whole process, and the queue for it.

A large answer is read by one at a time of each host, so a slow host holds up itself and no other one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL: Final = 256 * 1024  # a list of thousands of tags: this much each is not counted
DEFAULT_BUDGET: Final = 32 * 1024 * 1024


class Budget:
    """*total* bytes for large answers. The longest waiter is next, unless another answer of the same host is being read."""

    def __init__(self, total: int = DEFAULT_BUDGET) -> None:
        self._total = total
        self._taken = 0
        self._owners: set[str] = set()
        self._waiting: dict[asyncio.Future[None], tuple[str, int]] = {}

    def resize(self, total: int) -> None:
        """Allow *total* bytes from now on; what is being read goes on."""
        self._total = total
        self._hand_out()

    async def take(self, owner: str, size: int) -> int:
        """Wait until *owner* may hold *size* bytes; returns what `give_back` wants. More than the whole is the whole."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = owner, size
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            self._waiting.pop(turn, None)
            if turn.done() and not turn.cancelled():
                self.give_back(owner, size)
            raise
        return size

    def give_back(self, owner: str, size: int) -> None:
        """End what `take` began."""
        self._owners.discard(owner)
        self._taken -= size
        self._hand_out()

    def _hand_out(self) -> None:
        for turn, (owner, size) in list(self._waiting.items()):
            if owner in self._owners:
                continue
            if self._taken and self._taken + size > self._total:
                return  # what comes later and is smaller would pass for ever
            del self._waiting[turn]
            if not turn.done():
                self._owners.add(owner)
                self._taken += size
                turn.set_result(None)


class Share:
    """The part of a budget that one answer uses, from its first large piece to its end. *waited* is called after a wait."""

    def __init__(self, budget: Budget, owner: str, waited: Callable[[], None]) -> None:
        self._budget = budget
        self._owner = owner
        self._waited = waited
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._size:
            self._budget.give_back(self._owner, self._size)

    async def want(self, size: int) -> None:
        """Take *size* bytes, unless some were taken before."""
        if not self._size and size > SMALL:
            self._size = await self._budget.take(self._owner, size)
            self._waited()
