"""What waits to be sent on one route: in order, bounded, tried again with longer and longer pauses.

The queue of a route is its own: a receiver that is slow or dead costs nobody else, and landings never wait for any of them.
"""

from __future__ import annotations

import asyncio
import random as randomness
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from updater.errors import UpdaterError
from updater.reporting.notifications.notices import merged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from updater.reporting.notifications.notices import Notice

MOST_WAITING: Final = 100
MERGED_FROM: Final = 5
MOST_MERGED: Final = 20
ATTEMPTS: Final = 12
SENT_WITHIN: Final = 30.0
LONGEST_ASKED: Final = 900.0
NOT_REACHED: Final = "check the address that to: names, and that it can be reached from here"
_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 300.0


class NotifyError(UpdaterError):
    """A message that was not taken; no secret of the route is in it.

    *is_lasting* where trying again changes nothing, as with a wrong token; *retry_after* is in seconds, None where none was said.
    """

    default_code = "notify-unavailable"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str | None = None,
        is_lasting: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.is_lasting = is_lasting
        self.retry_after = retry_after


class NoticeReceiver(Protocol):
    """Who is told."""

    async def send(self, notice: Notice) -> None:
        """Send one message; raise `UpdaterError`, `NotifyError` where more is known. Cancelling it ends the wait at once."""


class NotifyMetrics(Protocol):
    """Counts messages; see `updater.reporting.metrics.Metrics`."""

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter."""

    def set(self, name: str, *labels: str, to: float) -> None:
        """Set a gauge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSurroundings:
    """What every queue needs: metrics, log, time and randomness. *within* bounds one attempt, in seconds."""

    metrics: NotifyMetrics
    log: Any
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = randomness.random
    within: float = SENT_WITHIN


class NotificationQueue:
    """The queue of the route *name*. *sent* is awaited with what was taken, *given_up* called with what never will be.

    `receiver` takes the messages, and may be replaced at any time. `trouble` is what the last attempt met, None if it went well.
    """

    def __init__(
        self,
        name: str,
        around: QueueSurroundings,
        *,
        sent: Callable[[Notice], Awaitable[None]],
        given_up: Callable[[Notice], None],
    ) -> None:
        self.name = name
        self.receiver: NoticeReceiver | None = None
        self._around = around
        self._sent = sent
        self._given_up = given_up
        self._waiting: deque[Notice] = deque()
        self._is_sending = False
        self._lost = 0
        self._is_overfull = False
        self.trouble: UpdaterError | None = None
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def __len__(self) -> int:
        return len(self._waiting) + self._is_sending

    def add(self, notice: Notice) -> None:
        """Let a message wait; the oldest gives way where there are too many."""
        if len(self._waiting) >= MOST_WAITING:
            self._drop(self._waiting.popleft())
        self._waiting.append(notice)
        self._is_idle.clear()
        self._show()

    async def work(self) -> None:
        """Send what waits until nothing does; cancelled, it keeps what was not sent."""
        while self._waiting:
            notice = self._next()
            self._is_sending = True
            try:
                await self._deliver(notice)
            except asyncio.CancelledError:
                self._waiting.appendleft(notice)
                raise
            finally:
                self._is_sending = False
                self._show()
        self._is_overfull = False
        self._is_idle.set()

    async def idle(self) -> None:
        """Wait until nothing waits to be sent."""
        await self._is_idle.wait()

    def _next(self) -> Notice:
        """Take the oldest message; where many wait, several become one, so that a receiver is not flooded after a pause."""
        count = min(len(self._waiting), MOST_MERGED) if len(self._waiting) >= MERGED_FROM else 1
        return merged([self._waiting.popleft() for _ in range(count)]) if count > 1 else self._waiting.popleft()

    async def _deliver(self, notice: Notice) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._attempt(notice)
            except UpdaterError as error:
                self._say(error)
                lasting = getattr(error, "is_lasting", False)
                if lasting or attempt == ATTEMPTS - 1:
                    self._lose(notice, "failed")
                    return
                self._around.metrics.count("updater_notification_retries_total", self.name)
                await self._around.sleep(self._pause(attempt, getattr(error, "retry_after", None)))
            else:
                self._around.metrics.count("updater_notifications_total", self.name, "sent")
                self._recovered()
                await self._sent(notice)
                return

    async def _attempt(self, notice: Notice) -> None:
        """Try once; raise `UpdaterError`. A bug costs a message, with its traceback in the log."""
        assert self.receiver is not None  # noqa: S101 - set before anything is added
        lost = self._lost
        try:
            async with asyncio.timeout(self._around.within):
                await self.receiver.send(replace(notice, lost=notice.lost + lost) if lost else notice)
        except TimeoutError:
            message = f"the receiver did not take the message within {self._around.within:g} s"
            raise NotifyError(message, hint=NOT_REACHED) from None
        except UpdaterError:
            raise
        except Exception as error:
            self._around.log.exception("bug", route=self.name, detail="a message was not sent")
            raise NotifyError("a bug in updater; the log has the traceback", code="bug", is_lasting=True) from error
        self._lost -= lost

    def _pause(self, attempt: int, asked: float | None) -> float:
        whole = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempt)
        usual = whole * (0.5 + 0.5 * self._around.random())
        return usual if asked is None else min(max(asked, usual), LONGEST_ASKED)

    def _drop(self, notice: Notice) -> None:
        if not self._is_overfull:
            self._is_overfull = True
            detail = f"more than {MOST_WAITING} messages wait; the oldest are dropped"
            self._around.log.warning("notification", route=self.name, detail=detail, hint="check the receiver")
        self._lose(notice, "dropped")

    def _lose(self, notice: Notice, result: str) -> None:
        self._lost += 1
        self._around.metrics.count("updater_notifications_total", self.name, result)
        self._given_up(notice)

    def _say(self, error: UpdaterError) -> None:
        """Log a failure when it begins, not at every attempt."""
        before, self.trouble = self.trouble, error
        if before is None or before.code != error.code:
            self._around.log.warning("notification", route=self.name, detail=error.message, hint=error.hint, code=error.code)

    def _recovered(self) -> None:
        if self.trouble is not None:
            self._around.log.info("notification", route=self.name, detail="messages are delivered again")
            self.trouble = None

    def _show(self) -> None:
        self._around.metrics.set("updater_notifications_waiting", self.name, to=len(self))


async def all_idle(queues: Iterable[NotificationQueue], *, seconds: float) -> None:
    """Wait until no queue holds anything, for *seconds* at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(queue.idle() for queue in queues))
