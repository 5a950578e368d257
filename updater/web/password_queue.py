"""Passwords are checked one after the other beside the loop, and who guesses waits or is refused.

Of tries that are put off, one waits for a name at a time: else guesses from many addresses would wait side by side.
"""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from updater.web.answers import ApiRefusal
from updater.web.passwords import is_password
from updater.web.people import LONGEST_NAME
from updater.web.throttle import LONGEST_DELAY, Throttle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from updater.web.passwords import UserTable

MOST_CHECKS: Final = 16
#: of these, how many are kept for people who signed in from their address lately
KEPT_CHECKS: Final = 4
MOST_DELAYED: Final = 256
BUSY: Final = "busy"


class PasswordQueue:
    """Checks passwords of *users*. *clock* gives seconds."""

    def __init__(self, users: Callable[[], Awaitable[UserTable]], clock: Callable[[], float]) -> None:
        self._users = users
        self._throttle = Throttle(clock)
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
        self._checking = 0
        self._delayed: set[tuple[str, str]] = set()

    def close(self) -> None:
        """Let go of the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def check(self, address: str, name: str, password: str) -> None:
        """Raise `ApiRefusal` unless *password* is that of *name*, who asks from *address*, and not too many were wrong."""
        tried = address, name[:LONGEST_NAME]
        if (wait := self._throttle.wait(*tried)) > 0:
            raise _throttled(wait)
        delay = self._throttle.delay(*tried)
        turn = self._take_turn(tried) if delay else None
        self._throttle.failed(*tried)  # until it is known: tries side by side count too
        if turn is not None:
            try:
                await asyncio.sleep(delay)
            finally:
                self._delayed.discard(turn)
        users = await self._users()
        if self._checking >= MOST_CHECKS - (0 if self._throttle.is_known(*tried) else KEPT_CHECKS):
            raise _busy()
        self._checking += 1
        try:
            is_right = await asyncio.get_running_loop().run_in_executor(self._pool, is_password, users, name, password)
        finally:
            self._checking -= 1
        if not is_right:
            raise ApiRefusal(401, "password", "the name or the password is wrong")
        self._throttle.passed(*tried)

    def _take_turn(self, tried: tuple[str, str]) -> tuple[str, str]:
        """Return the turn that a try takes before its place among those that are checked; raise `ApiRefusal` where it cannot."""
        turn = self._throttle.turn(*tried)
        if turn in self._delayed:
            raise _throttled(LONGEST_DELAY)
        if len(self._delayed) >= MOST_DELAYED:
            raise _busy()
        self._delayed.add(turn)
        return turn


def _throttled(seconds: float) -> ApiRefusal:
    return ApiRefusal(429, "throttled", "too many wrong passwords", headers={"Retry-After": str(math.ceil(seconds))})


def _busy() -> ApiRefusal:
    return ApiRefusal(503, BUSY, "too many people sign in at one time", headers={"Retry-After": "5"})
