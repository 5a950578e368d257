"""What is asked of a running daemon from outside: to stop, and to load its configuration again."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class Signals:
    """`stop` and `reload` are set when somebody asks for it; who stops is woken by `reload` too."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.reload = asyncio.Event()

    def listen(self) -> None:
        """Hear signals from now on: as the first process of a container nothing else ends us at SIGTERM."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload.set)

    def ask_stop(self) -> None:
        """Ask for a stop."""
        self.stop.set()
        self.reload.set()

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return what *work* gives, and raise what it raises; a stop cancels it, and return None."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.wait({working, stopping})
