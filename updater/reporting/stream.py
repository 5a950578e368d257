"""How reports reach who listens: in order, nobody waits for another, and a fault in one listener is that one's alone."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.model.report import Report
    from updater.reporting.metrics import Metrics

MOST_WAITING: Final = 10_000


class Listener(Protocol):
    """Takes each report as it comes: remembers, counts or logs it, and returns at once."""

    @property
    def name(self) -> str:
        """The word for it in logs and metrics; a stream has one listener of a name."""

    def hear(self, report: Report) -> None:
        """Take one report; what this raises is logged, and costs this listener that report."""


class AsyncListener(Protocol):
    """Takes reports and may wait, for a disk or a server; it has a queue and a task of its own."""

    @property
    def name(self) -> str:
        """The word for it in logs and metrics."""

    async def hear(self, reports: Sequence[Report]) -> None:
        """Take the reports that came since the last call, in order; may be called again with the same after a cancellation."""


class ReportStream:
    """Hands each report to every listener, in the order of `publish`. *most* reports wait for a listener that is slow."""

    def __init__(self, metrics: Metrics, log: Any, *, most: int = MOST_WAITING) -> None:
        self._metrics = metrics
        self._log = log
        self._most = most
        self._listeners: dict[str, Listener] = {}
        self._queues: list[_Queue] = []
        self._unsaid: deque[Report] = deque()
        self._is_saying = False

    def join(self, listener: Listener) -> None:
        """Let *listener* hear what is published from now on, in the place of one of the same name."""
        self._listeners[listener.name] = listener
        self._metrics.count("updater_listener_failures_total", listener.name, by=0)  # an alert sees an increase from 0 alone

    def join_queued(self, listener: AsyncListener) -> None:
        """Let *listener* hear through a queue; call it before `run`."""
        queue = _Queue(listener, self)
        self._queues.append(queue)
        self.join(queue)

    def publish(self, report: Report) -> None:
        """Hand *report* to every listener; never raises, never waits. What a listener publishes comes after it, for all."""
        self._unsaid.append(report)
        if self._is_saying:
            return
        self._is_saying = True
        try:
            while self._unsaid:
                self._say(self._unsaid.popleft())
        finally:
            self._is_saying = False

    async def run(self) -> None:
        """Work off every queue, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for queue in self._queues:
                group.create_task(queue.work(), name=f"reports to {queue.name}")

    async def drain(self) -> None:
        """Wait until every queue is worked off."""
        await asyncio.gather(*(queue.drain() for queue in self._queues))

    def failed(self, name: str) -> None:
        """Count and log, with its traceback, the exception that a listener has just raised."""
        self._metrics.count("updater_listener_failures_total", name)
        self._log.exception("bug", listener=name, detail="a report was not taken; landings and other listeners go on")

    def dropped(self, name: str) -> None:
        """Count and log a report that no place was left for."""
        self._metrics.count("updater_reports_dropped_total", name)

    def has_room(self, waiting: int) -> bool:
        """Return whether another report may wait beside *waiting* others."""
        return waiting < self._most

    def _say(self, report: Report) -> None:
        for listener in tuple(self._listeners.values()):
            try:
                listener.hear(report)
            except Exception:  # noqa: BLE001 - whatever it is, it is only about telling
                self.failed(listener.name)


class _Queue:
    """The queue of one listener that may wait; where it is full the oldest report gives way."""

    def __init__(self, listener: AsyncListener, stream: ReportStream) -> None:
        self.name = listener.name
        self._listener = listener
        self._stream = stream
        self._waiting: deque[Report] = deque()
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()

    def hear(self, report: Report) -> None:
        """Let a report wait."""
        if not self._stream.has_room(len(self._waiting)):
            self._waiting.popleft()
            self._stream.dropped(self.name)
        self._waiting.append(report)
        self._news.set()

    async def work(self) -> None:
        """Hand on what waits, again and again."""
        while True:
            await self._news.wait()
            await self.drain()

    async def drain(self) -> None:
        """Hand on what waits."""
        async with self._turn:
            while self._waiting:
                taken = tuple(self._waiting)
                self._waiting.clear()
                try:
                    await self._listener.hear(taken)
                except asyncio.CancelledError:
                    self._waiting.extendleft(reversed(taken))
                    raise
                except Exception:  # noqa: BLE001 - see `ReportStream`
                    self._stream.failed(self.name)
            self._news.clear()
