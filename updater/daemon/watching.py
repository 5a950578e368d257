"""What a person sees while a command works: how far it is, which server keeps it waiting, and with -v every request."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from updater.http.waiting import LOOK_EVERY, ServerWatch
from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from updater.daemon.process import Process

PATIENCE: Final = 30.0
_USUAL_WIDTH: Final = 80
_CLEAR: Final = "\r\x1b[K"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a command asks servers: the seconds of silence after which one is given up, and whether each request is told."""

    timeout: float = PATIENCE
    is_verbose: bool = False


@dataclass(slots=True)
class PassProgress:
    """How far a pass is. Empty numbers mean that it has not begun."""

    images: int = 0
    scanned: int = 0
    destinations: int = 0
    landed: int = 0

    def __str__(self) -> str:
        if not self.images:
            return ""
        scanned = f"scanned {self.scanned} of {self.images} image{'s' if self.images != 1 else ''}"
        return f"{scanned}, landed {self.landed} of {self.destinations}" if self.destinations else scanned


@dataclass(slots=True)
class StatusLine:
    """The last line of a terminal, which is written over."""

    stream: IO[str]
    _shown: str = field(default="", init=False)

    def show(self, text: str) -> None:
        """Write *text* over what is shown, where there is a terminal."""
        if text == self._shown or not self.stream.isatty():
            return
        width = os.get_terminal_size(self.stream.fileno()).columns or _USUAL_WIDTH  # some terminals do not say
        self.stream.write(f"{_CLEAR}{printable(text)[: max(width - 1, 1)]}")
        self.stream.flush()
        self._shown = text

    def say(self, line: str) -> None:
        """Write a line that stays, above what is shown."""
        shown = self._shown
        self.show("")
        self.stream.write(f"{printable(line)}\n")
        self.stream.flush()
        self.show(shown)


@asynccontextmanager
async def watched(process: Process, asking: Asking, progress: Callable[[], str]) -> AsyncIterator[None]:
    """Show on standard error how far *progress* is and who keeps us waiting, and give up who stays silent."""
    line = StatusLine(sys.stderr)

    def trace(method: str, url: str, status: int, seconds: float) -> None:
        line.say(f"{method} {url} {status or '-'} {seconds * 1000:.0f} ms")

    process.watch = process.http.watch = ServerWatch(asking.timeout, trace=trace if asking.is_verbose else None)
    looking = asyncio.create_task(_look(process.watch, line, progress))
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        line.show("")


async def _look(watch: ServerWatch, line: StatusLine, progress: Callable[[], str]) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY)
        for said in watch.look():
            line.say(said)
        line.show(progress())
