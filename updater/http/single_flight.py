"""Do identical simultaneous work once; cancelling one caller does not cancel the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

T = TypeVar("T")


class _Abandoned(Exception):  # noqa: N818 - never seen outside this module
    """Who did the work was cancelled: one of those who wait takes over."""


class SingleFlight:
    """Work in progress by key. The first caller does it in its own task; the others wait for the result."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Future[Any]] = {}

    async def share(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of *work*, or of the same work that is under way; its error is everybody's error."""
        while (flight := self._flights.get(key)) is not None:
            try:
                result: T = await asyncio.shield(flight)
            except _Abandoned:
                continue
            return result
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            done = await work()
        except asyncio.CancelledError:
            _fail(flight, _Abandoned())
            raise
        except BaseException as error:
            _fail(flight, error)
            raise
        else:
            flight.set_result(done)
            return done
        finally:
            del self._flights[key]
            del flight  # it knows the traceback of its error, which leads here: a circle that would hold all that was read


def _fail(flight: asyncio.Future[Any], error: BaseException) -> None:
    flight.set_exception(error)
    flight.exception()  # seen: with nobody waiting, asyncio need not tell of it
