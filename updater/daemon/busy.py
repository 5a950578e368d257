"""Which subscriptions wait while a rollout or canary of theirs is in progress; where nobody knows, they wait for a while."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from updater.delivery.found import ReadObjects
from updater.delivery.judging import is_busy
from updater.model.release import BUSY_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.daemon.process import Process
    from updater.delivery.following import ReleaseFollower
    from updater.model.release import DeliveryOptions

#: for how long nothing is written because it is not known yet whether a rollout is in progress
UNKNOWN_BUSY: Final = 300.0
CODE: Final = "busy-unknown"


class BusyRollouts:
    """Answers the gate that waits for what is in progress, and wakes those that waited.

    *is_pending* says of a subscription that a bad release of it is about to be taken back, *wake* lets it land.
    """

    def __init__(
        self, follower: ReleaseFollower, process: Process, *, is_pending: Callable[[str], bool], wake: Callable[[str], None]
    ) -> None:
        self._follower = follower
        self._process = process
        self._is_pending = is_pending
        self._wake = wake
        self._waiting: set[str] = set()
        self._began = process.wall()

    def of(self, key: str) -> str:
        """Return which rollout or canary of a subscription is in progress, "" where none is."""
        options = self._follower.options_of(key)
        if options is None or (options.workload is not None and options.workload.kind not in BUSY_KINDS):
            return ""
        words = self._words(key, options)
        (self._waiting.add if words else self._waiting.discard)(key)
        return words

    def freed(self, keys: set[str] | None) -> None:
        """Let those of *keys* land that waited and wait no more, None for all."""
        waiting = self._waiting if keys is None else self._waiting & keys
        for key in [key for key in sorted(waiting) if not self.of(key)]:
            self._wake(key)

    async def end(self) -> None:
        """Let what waits land, once it has waited long enough for a cluster that does not answer."""
        self._began = self._process.wall()
        await asyncio.sleep(UNKNOWN_BUSY)
        before = len(self._waiting)
        self.freed(None)
        if (count := before - len(self._waiting)) > 0:
            self._process.log.warning(
                "releases",
                detail=f"whether rollouts of {count} subscriptions are in progress could not be found out; they are written now",
                hint="see the log lines watch lost: the API server does not answer, or updater has no rights there",
                code=CODE,
            )

    def _words(self, key: str, options: DeliveryOptions) -> str:
        known, named, read = self._follower.known, options.workload, set[tuple[str, str, str]]()
        view = ReadObjects(known, read)
        found = self._follower.found(key)
        if found.is_awaited or (named and known.is_awaited(named.kind, named.namespace)):
            left = self._began + UNKNOWN_BUSY - self._process.wall()
            what = named or "a rollout of it"
            return f"it is not known yet whether {what} is in progress, for {left:.0f} s at most" if left > 0 else ""
        if self._is_pending(key):
            return f"the bad release of {named or key} is about to be taken back"
        busy = next((item for item in found.workloads if item.kind in BUSY_KINDS and is_busy(item, view)), None)
        self._follower.index.note(key, read)
        if busy is not None:
            return f"{busy} is in progress"
        arriving = key in self._follower.arriving and next((item for item in found.workloads if item.kind in BUSY_KINDS), None)
        return f"{arriving} is not healthy for {options.settle:.0f} s yet" if arriving else ""
