"""The listener that tells people: which routes there are, what each was told, and who sends what waits.

It lives as long as the process, so that a new configuration loses nothing that waits. Only the replica that leads tells anything.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from updater.model.report import DestinationLanded, InventoryChanged, ReleaseJudged, TargetsRefused
from updater.reporting.last_outcomes import is_named
from updater.reporting.notifications.notices import Notice, TargetEnds, forget_gone, judged_lines
from updater.reporting.notifications.queue import NotificationQueue, all_idle

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from updater.errors import UpdaterError
    from updater.model.notification import NotifiedEvent
    from updater.model.report import Report
    from updater.reporting.notifications.notices import NoticeLine, Place
    from updater.reporting.notifications.queue import NoticeReceiver, QueueSurroundings


class NotifiedMemory(Protocol):
    """Remembers what was told; see `updater.cache.notified`."""

    async def read(self, route: str) -> Mapping[Place, str]:
        """Return what a route was told."""

    async def write(self, route: str, states: Mapping[Place, str]) -> None:
        """Remember what a route was told; an empty state is forgotten."""

    async def keep(self, routes: Collection[str]) -> None:
        """Forget what every other route was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyRoute:
    """One route: what it is told, and who takes the messages. *only* are globs of keys, none for all."""

    name: str
    on: Collection[NotifiedEvent]
    only: Sequence[str] = ()
    receiver: NoticeReceiver


class _Told:
    """One route at work: what it was told, and its queue."""

    def __init__(self, route: NotifyRoute, around: QueueSurroundings, memory: NotifiedMemory) -> None:
        self.route = route
        self.states: dict[Place, str] | None = None
        self._memory = memory
        self._stored: dict[Place, str] = {}
        self._silent: dict[Place, str] = {}
        self.queue = NotificationQueue(route.name, around, sent=self._sent, given_up=self._given_up)
        self.use(route)

    def use(self, route: NotifyRoute) -> None:
        self.route = route
        self.queue.receiver = route.receiver

    @property
    def states_now(self) -> dict[Place, str]:
        """What was told of each target, as far as it is so still; `recall` comes first."""
        assert self.states is not None  # noqa: S101 - see above
        return self.states

    async def recall(self) -> None:
        if self.states is None:
            self._stored = dict(await self._memory.read(self.route.name))
            self.states = dict(self._stored)

    def take(self, lines: Iterable[NoticeLine], at: datetime) -> bool:
        """Let what this route wants of *lines* wait for its turn; return whether there was any."""
        mine = [line for line in lines if is_named(line.key, self.route.only)]
        wanted = tuple(line for line in mine if line.event in self.route.on)
        self._silent |= {line.place: line.state for line in mine if line.state and line.event not in self.route.on}
        if wanted:
            self.queue.add(Notice(lines=wanted, at=at))
        return bool(wanted)

    async def settle(self) -> None:
        """Write down what is not so any more, and what is so and was not asked for."""
        states = self.states or {}
        changed = {place: "" for place in self._stored if place not in states}
        changed |= {place: state for place, state in self._silent.items() if states.get(place) == state}
        self._silent.clear()
        if changed:
            await self._keep(changed)

    async def _sent(self, notice: Notice) -> None:
        """Remember what was said, as far as it is so still."""
        now = {line.place: self.states_now.get(line.place, "") for line in notice.lines}
        fresh = {line.place: now[line.place] for line in notice.lines if now[line.place] in {"", line.state}}
        if changed := {place: state for place, state in fresh.items() if self._stored.get(place, "") != state}:
            await self._keep(changed)

    def _given_up(self, notice: Notice) -> None:
        """Let what lasts be told again: nobody heard of it."""
        states = self.states_now
        for line in notice.lines:
            if line.state and states.get(line.place) == line.state:
                del states[line.place]

    async def _keep(self, states: Mapping[Place, str]) -> None:
        self._stored = {place: state for place, state in {**self._stored, **states}.items() if state}
        await self._memory.write(self.route.name, states)


def _anything() -> bool:
    return True


class NotificationDesk:
    """Hears reports through a queue of the stream. *may_tell* says whether this replica leads; `use` names the routes."""

    name: Final = "notifications"

    def __init__(self, around: QueueSurroundings, memory: NotifiedMemory, *, may_tell: Callable[[], bool]) -> None:
        self._around = around
        self._memory = memory
        self._may_tell = may_tell
        self._is_whole: Callable[[], bool] = _anything
        self._routes: dict[str, _Told] = {}
        self._refused: TargetsRefused | None = None
        self._has_other_routes = False
        self._wake = asyncio.Event()

    def use(self, routes: Iterable[NotifyRoute], *, is_whole: Callable[[], bool] = _anything) -> None:
        """Tell *routes* from now on. One of the same name as before keeps its queue, and what it was told.

        *is_whole* says whether the inventory holds what all sources ask for; until then nothing is forgotten.
        """
        before, self._routes = self._routes, {}
        for route in routes:
            known = before.pop(route.name, None)
            if known is None:
                known = _Told(route, self._around, self._memory)
            known.use(route)
            self._routes[route.name] = known
        self._is_whole = is_whole
        self._has_other_routes = True
        self._wake.set()  # the work of those that are gone ends

    async def hear(self, reports: Sequence[Report]) -> None:
        """Let every route take what is new for it in *reports*; it never waits for a receiver."""
        await self._recall()
        if not self._routes:
            return
        last = max((index for index, report in enumerate(reports) if isinstance(report, InventoryChanged)), default=-1)
        for index, report in enumerate(reports):
            if isinstance(report, InventoryChanged) and index == last:
                self._forget(report, reports[index:])
            elif isinstance(report, DestinationLanded):
                self._ended(report)
            elif isinstance(report, TargetsRefused):
                self._refused = report
            elif isinstance(report, ReleaseJudged) and self._may_tell():
                for told in self._routes.values():
                    self._take(told, judged_lines(report, told.states_now), report.at)
        if self._refused is not None and self._may_tell():
            self._ended(self._refused)
            self._refused = None

    async def _recall(self) -> None:
        """Recall what every route was told, write down what is so now, and forget routes that are gone."""
        if self._has_other_routes:
            self._has_other_routes = False
            await self._memory.keep(tuple(self._routes))
        for told in self._routes.values():
            await told.recall()
            await told.settle()

    async def run(self) -> None:
        """Send what waits, each route by itself, until cancelled."""
        working: dict[NotificationQueue, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                queues = {told.queue for told in self._routes.values()}
                for gone in working.keys() - queues:
                    working.pop(gone).cancel()
                working = {queue: task for queue, task in working.items() if not task.done()}
                for queue in queues - working.keys():
                    if len(queue):
                        working[queue] = group.create_task(self._work(queue), name=f"notify {queue.name}")
                        working[queue].add_done_callback(lambda _task: self._wake.set())
                await self._wake.wait()

    async def _work(self, queue: NotificationQueue) -> None:
        """Send what waits; a bug costs the message in hand, never the process."""
        try:
            await queue.work()
        except Exception:
            self._around.log.exception("bug", route=queue.name, detail="a message was not sent; others go on")

    async def finish(self, seconds: float, *, is_patient: bool) -> None:
        """Wait until everything is sent, for *seconds* at most; what is left is given up, and said in the log.

        Without *is_patient* nobody waits for a receiver that failed last.
        """
        for told in self._routes.values():
            await told.settle()
        queues = [told.queue for told in self._routes.values()]
        await all_idle((queue for queue in queues if is_patient or queue.trouble is None), seconds=seconds)
        for queue in queues:
            if count := len(queue):
                detail = f"{count} messages were not sent before the end"
                self._around.log.warning("notification", route=queue.name, detail=detail)

    @property
    def has_routes(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._routes)

    @property
    def troubles(self) -> tuple[tuple[str, UpdaterError], ...]:
        """What each route met last whose messages are not taken."""
        queues = (told.queue for told in self._routes.values())
        return tuple((queue.name, queue.trouble) for queue in queues if queue.trouble is not None)

    def _ended(self, report: DestinationLanded | TargetsRefused) -> None:
        ends = TargetEnds(report)
        for told in self._routes.values():
            self._take(told, ends.lines(told.states_now), report.at)

    def _take(self, told: _Told, lines: Iterable[NoticeLine], at: datetime) -> None:
        if told.take(lines, at):
            self._wake.set()

    def _forget(self, report: InventoryChanged, after: Sequence[Report]) -> None:
        """Forget what is not asked for any more; what is asked for and refused is reported just after."""
        if not self._is_whole():
            return
        refused = {
            (outcome.key, outcome.target) for item in after if isinstance(item, TargetsRefused) for outcome in item.outcomes
        }
        subscriptions = {item.key: item for item in report.subscriptions}
        for told in self._routes.values():
            forget_gone(told.states_now, subscriptions, refused)
