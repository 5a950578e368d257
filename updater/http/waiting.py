"""Which servers keep us waiting, since when and with what; for commands that a person waits for.

Silence is counted, not work: a server that goes on answering is never given up, however much there is to ask it. May be told
of answers from any thread; everything else belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NAMED_AFTER: Final = 5.0
NAMED_AGAIN_AFTER: Final = 10.0
NO_SILENCE: Final = 1.0
LOOK_EVERY: Final = 0.25
HINT: Final = "check the server and the network; --timeout gives servers more time"


class SilentServer(Exception):  # noqa: N818 - the name says what is the case, as in updater.errors
    """A server was given up; the message names it and says how long it had."""


@dataclass(slots=True)
class HostSilence:
    """What one host was asked and has not answered. *spent* are the seconds of silence before the last answer."""

    since: float
    open: dict[object, tuple[str, asyncio.Timeout | None]] = field(default_factory=dict)
    spent: float = 0.0
    name_after: float = NAMED_AFTER
    is_given_up: bool = False


class ServerWatch:
    """Watches the servers that are asked. Each is given up after *patience* seconds of silence in all.

    *trace* is told of every exchange: method, URL without secrets, status (0 where there is none) and seconds.
    """

    def __init__(
        self,
        patience: float,
        *,
        named_after: float = NAMED_AFTER,
        clock: Callable[[], float] = time.monotonic,
        trace: Callable[[str, str, int, float], None] | None = None,
    ) -> None:
        self.patience = patience
        self.trace = trace
        self._named_after = named_after
        self._clock = clock
        self._hosts: dict[str, HostSilence] = {}

    @asynccontextmanager
    async def asked(self, host: str, what: str, *, may_give_up: bool = True) -> AsyncIterator[None]:
        """Ask *host* for *what* inside; raise `SilentServer` where it is given up, which a push that has begun never is."""
        known = self._hosts.get(host)
        if known is None:
            known = self._hosts[host] = HostSilence(self._clock(), name_after=self._named_after)
        if known.is_given_up:
            raise self._silent(host)
        if not known.open:
            known.since = self._clock()
        token = object()
        scope = asyncio.timeout(None)
        try:
            async with scope:
                known.open[token] = (what, scope if may_give_up else None)
                yield
        except TimeoutError:
            if scope.expired():
                raise self._silent(host) from None
            raise
        finally:
            known.open.pop(token, None)
            self.answered(host)

    def answered(self, host: str) -> None:
        """Report that something came from *host*."""
        known = self._hosts.get(host)
        if known is not None:
            now = self._clock()
            known.spent += max(0.0, now - known.since - NO_SILENCE)
            known.since, known.name_after = now, self._named_after

    def look(self) -> list[str]:
        """Return a line for each host that is to be named now, and give up those whose time is over."""
        now, lines = self._clock(), []
        for host, known in self._hosts.items():
            if not known.open or known.is_given_up:
                continue
            silence = now - known.since
            if known.spent + silence >= self.patience:
                self._give_up(known)
            elif silence >= known.name_after:
                known.name_after += NAMED_AGAIN_AFTER
                lines.append(f"still waiting for {host} ({_asked(known)}), {silence:.0f} s")
        return lines

    def _give_up(self, known: HostSilence) -> None:
        scopes = [scope for _, scope in known.open.values() if scope is not None]
        known.is_given_up = bool(scopes)
        for scope in scopes:
            scope.reschedule(asyncio.get_running_loop().time())

    def _silent(self, host: str) -> SilentServer:
        return SilentServer(f"{host} did not answer within {self.patience:g} s")


def _asked(known: HostSilence) -> str:
    first, *others = dict.fromkeys(what for what, _ in list(known.open.values()))
    return f"{first} and {len(others)} more" if others else first
