"""How large answers are worked on beside the event loop, and given up when that takes too long.

The work runs in a thread of its own, which cannot be ended from outside: it is left behind, what it still finds is dropped, and
it does not hold up the end of the program. Small answers are worked on at once: a thread would cost more than the work. One
large answer is worked on at a time, since what is read of one takes many times its size.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SMALL: Final = 256 * 1024
GIVEN_UP_AFTER: Final = 30.0
_turns: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]] = WeakKeyDictionary()


async def offload(work: Callable[[], T], size: int, *, seconds: float | None = None) -> T:
    """Return what *work* on *size* bytes gives; raise `TimeoutError` after *seconds*, and whatever *work* raises.

    None is `GIVEN_UP_AFTER`.
    """
    if size <= SMALL:
        return work()
    loop = asyncio.get_running_loop()
    async with _turns.setdefault(loop, asyncio.Semaphore(1)):
        return await _worked_on(work, loop, GIVEN_UP_AFTER if seconds is None else seconds)


async def _worked_on(work: Callable[[], T], loop: asyncio.AbstractEventLoop, seconds: float) -> T:
    made: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where the work was asked for
            _tell(loop, made, error=error)
        else:
            _tell(loop, made, result)

    threading.Thread(target=run, name="answer", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await made


def _tell(
    loop: asyncio.AbstractEventLoop, made: asyncio.Future[T], result: T | None = None, error: BaseException | None = None
) -> None:
    def tell() -> None:
        if made.done():  # given up meanwhile
            return
        if error is not None:
            made.set_exception(error)
        else:
            made.set_result(result)  # type: ignore[arg-type]  # there is one where no error is

    try:
        loop.call_soon_threadsafe(tell)
    except RuntimeError:  # the loop has ended: nobody waits
        return
