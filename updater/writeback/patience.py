"""How long one text of somebody else may be worked on before it is given up, so that it holds up nobody else.

The work runs in a thread of its own. A thread cannot be ended from outside: it is left behind, and what it still finds is
dropped. Small texts are worked on at once, since no work on them is long.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from updater.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SMALL: Final = 64 * 1024
PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Made(Generic[T]):
    """What the work gave, or the error that ended it."""

    value: T | None = None
    error: BaseException | None = None


def within(work: Callable[[], T], path: str, size: int, *, seconds: float = PATIENCE) -> T:
    """Return what *work* on the file *path* gives; raise `EditError` with code ``too-slow`` after *seconds*.

    Called from a worker thread, never from the event loop.
    """
    if size <= SMALL:
        return work()
    made: SimpleQueue[_Made[T]] = SimpleQueue()

    def run() -> None:
        try:
            made.put(_Made(work()))
        except BaseException as error:  # noqa: BLE001 - it is raised where the work was asked for
            made.put(_Made(error=error))

    threading.Thread(target=run, name=f"text {path[-80:]}", daemon=True).start()
    try:
        found = made.get(timeout=seconds)
    except Empty:
        message = f"the file took longer than {seconds:.0f} seconds and was given up"
        raise EditError(
            message, hint="split it, or keep the image references in a file of their own", code="too-slow", path=path
        ) from None
    if found.error is not None:
        raise found.error
    return found.value  # type: ignore[return-value]  # there is one where no error is
