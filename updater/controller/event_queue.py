"""Which Events are recorded on objects, once each, and at which pace: a start with thousands is no storm on the API server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from updater.controller.work import repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable

    from updater.controller.options import ControllerOptions
    from updater.kube.events import Event
    from updater.kube.kinds import Object

AT_ONCE: Final = 20
PACE: Final = 0.1
MOST_AT_THE_END: Final = 100
MOST_WAITING: Final = 10_000

S = TypeVar("S", bound="Hashable")


class EventQueue(Generic[S]):
    """Records Events on objects, in order; none where *options* have no recorder.

    An Event waits under a key. `put` is for what happens: each call is an Event. `states` is for what lasts, such as what is
    wrong with objects: each state is an Event once, until it ends.
    """

    def __init__(self, options: ControllerOptions) -> None:
        self._options = options
        self._waiting: dict[Hashable, tuple[Object, Event]] = {}
        self._states: frozenset[S] = frozenset()
        self._recorded: set[S] = set()
        self._due = asyncio.Event()

    def states(self, states: Collection[S], event_of: Callable[[S], tuple[Object, Event] | None]) -> None:
        """Record what was not recorded yet of *states*, which are all that last now; *event_of* is asked for those alone."""
        before, self._states = self._states, frozenset(states)
        self._recorded &= self._states
        for ended in before - self._states:
            self._waiting.pop(ended, None)
        for state in dict.fromkeys(states):
            if state not in self._recorded and state not in self._waiting and (found := event_of(state)):
                self.put(state, *found)

    def put(self, key: Hashable, item: Object, event: Event) -> None:
        """Record an Event on *item*; one that waits under the same key is no longer true."""
        if self._options.events is None:
            return
        self._waiting[key] = (item, event)
        while len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._due.set()

    def withdraw(self, key: Hashable) -> None:
        """Leave out what waits under a key: it is no longer true."""
        self._waiting.pop(key, None)

    def wake(self) -> None:
        """Record what waits."""
        self._due.set()

    async def run(self) -> None:
        """Record what comes until cancelled."""
        await repeat(self._work, detail="an Event on an object was not recorded")

    async def finish(self) -> None:
        """Record what waits, as much as a single pass may: its output says the rest."""
        for _ in range(min(MOST_AT_THE_END, len(self._waiting))):
            if self._waiting and self._options.may_write():  # `run` may have recorded the last one meanwhile
                await self._record_next()

    async def _work(self) -> None:
        """Wait for something to record, and record it all while this replica may write."""
        await self._due.wait()
        self._due.clear()
        recorded = 0
        while self._waiting and self._options.may_write():
            recorded += await self._record_next()
            if recorded > AT_ONCE:
                await self._options.surroundings.sleep(PACE)

    async def _record_next(self) -> bool:
        """Record what waits longest; return whether an Event was written."""
        key = next(iter(self._waiting))
        item, event = self._waiting.pop(key)
        if key in self._states:
            self._recorded.add(key)
        events = self._options.events
        is_written = events is not None and await events.tell(item, event)
        if is_written:
            self._options.count("event", "ok")
        return is_written
