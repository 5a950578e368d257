"""Pace requests to each host: how many at one time, how fast, and when to pause."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from updater.http.exchange import FailureKind, HttpFailure, Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.http.limits import Patience


class RequestSlots:
    """The slots of one pace at one host. Waiters queue in lanes, and lanes take turns.

    So an image of 10,000 digests does not keep the next one from its single listing.
    """

    __slots__ = ("_ahead", "_free", "_lanes", "_next_turn", "_slots", "_spacing")

    def __init__(self, pace: Pace) -> None:
        self._free = self._slots = pace.concurrency
        self._spacing = 1.0 / pace.rate if pace.rate else 0.0
        self._ahead = (pace.burst - 1) * self._spacing  # what was not used of the rate, up to the burst
        self._next_turn = float("-inf")
        self._lanes: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def enter(self, lane: str) -> None:
        """Wait for a slot; whoever entered must `leave`."""
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lanes.setdefault(lane, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Hand the slot to the lane that waits longest for its turn."""
        while self._lanes:
            lane, queue = self._lanes.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._lanes[lane] = queue
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    @property
    def is_idle(self) -> bool:
        """Whether nobody is inside."""
        return self._free == self._slots

    def book(self, now: float) -> float:
        """Take the next moment that the rate allows, and give the seconds until then."""
        if not self._spacing:
            return 0.0
        moment = max(self._next_turn, now - self._ahead)
        self._next_turn = moment + self._spacing
        return max(moment - now, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """How one host is at a moment: for how many seconds it is *paused* because it said so, and *down* as it did not answer.

    *failures* are the connections that failed in a row. *remaining* of *limit* requests are left, None where it does not say so.
    """

    name: str
    paused: float
    down: float
    failures: int
    remaining: int | None
    limit: int | None


class Host:
    """The state shared by all requests to one origin: gates by pace, pauses, consecutive failures."""

    __slots__ = ("_down_until", "_failures", "_gates", "_patience", "_paused_until", "limit", "name", "remaining")

    def __init__(self, name: str, patience: Patience) -> None:
        self.name = name
        self._patience = patience
        self._gates: dict[Pace, RequestSlots] = {}
        self._paused_until = 0.0
        self._down_until = 0.0
        self._failures = 0
        self.remaining: int | None = None
        self.limit: int | None = None

    def state(self, now: float) -> HostState:
        """Return how it is at *now*."""
        return HostState(
            name=self.name,
            paused=max(self._paused_until - now, 0.0),
            down=max(self._down_until - now, 0.0),
            failures=self._failures,
            remaining=self.remaining,
            limit=self.limit,
        )

    def gate(self, pace: Pace) -> RequestSlots:
        """Return the gate of *pace* at this host."""
        gate = self._gates.get(pace)
        if gate is None:
            gate = self._gates[pace] = RequestSlots(pace)
        return gate

    def is_idle(self, now: float) -> bool:
        """Return whether it may be forgotten: nobody asks it, and nothing keeps us from asking it."""
        return now >= max(self._down_until, self._paused_until) and all(gate.is_idle for gate in self._gates.values())

    def wait(self, now: float) -> float:
        """Return the seconds until this host may be asked; raise `HttpFailure` where they are more than bearable."""
        if now < self._down_until:
            # no running count: with another number it would be news at each try, to the log and to conditions
            raise HttpFailure(
                f"{self.name} did not answer {self._patience.broken_in_a_row} or more times in a row",
                trouble=FailureKind.DOWN,
                hint="check that it runs and can be reached from here; it is tried again shortly",
                retry_after=self._down_until - now,
            )
        seconds = self._paused_until - now
        if seconds > self._patience.bearable:
            raise HttpFailure(
                f"{self.name} asked us to wait another {seconds:.0f} seconds",
                trouble=FailureKind.PAUSED,
                hint="lower its rate, raise the interval, or use credentials with a higher limit",
                retry_after=seconds,
            )
        return max(seconds, 0.0)

    def pause(self, until: float) -> None:
        """Leave the host alone until *until*; a pause in force is never shortened."""
        self._paused_until = max(self._paused_until, until)

    def succeeded(self) -> None:
        """Note that the host answered, whatever it said."""
        self._failures = 0

    def failed(self, now: float, random: Callable[[], float]) -> None:
        """Note a connection that failed; after too many in a row the host is down for a growing while."""
        self._failures += 1
        beyond = self._failures - self._patience.broken_in_a_row
        if beyond >= 0:
            self._down_until = now + min(60.0, 2.0 ** min(beyond, 6)) * (0.5 + 0.5 * random())
