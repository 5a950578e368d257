"""Which subscriptions wait while a rollout or canary of theirs is in progress; where nobody knows, they wait for a while."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from updater.delivery.finding import MOST_FOUND
from updater.delivery.found import ReadObjects
from updater.delivery.interest import ALL
from updater.delivery.judging import is_busy, was_busy
from updater.model.release import BUSY_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.daemon.process import Process
    from updater.delivery.following import ReleaseFollower
    from updater.model.release import DeliveryOptions

#: for how long nothing is written because it is not known yet whether a rollout is in progress
UNKNOWN_BUSY: Final = 300.0
#: every how many seconds it is asked who has waited that long
_LOOKED_EVERY: Final = 5.0
CODE: Final = "busy-unknown"


class BusyRollouts:
    """Answers the gate that waits for what is in progress, and wakes those that waited.

    *is_pending* says of a subscription that a bad release of it is about to be taken back, *wake* lets it land.
    """

    def __init__(
        self,
        follower: ReleaseFollower,
        process: Process,
        *,
        is_pending: Callable[[str], bool],
        wake: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._follower = follower
        self._process = process
        self._is_pending = is_pending
        self._wake = wake
        self._clock = clock
        self._waiting: set[str] = set()
        self._unknown: dict[str, float] = {}

    def of(self, key: str) -> str:
        """Return which rollout or canary of a subscription is in progress, "" where none is; who asks is woken when it ends."""
        options = self._asked(key)
        if options is None or not self._doubt(key, options):
            self._unknown.pop(key, None)
        else:
            self._unknown.setdefault(key, self._clock())
        words = self._words(key, options) if options else ""
        (self._waiting.add if words else self._waiting.discard)(key)
        return words

    def seen(self, key: str) -> str:
        """Return what `of` would return now, for a look that changes nothing."""
        options = self._asked(key)
        return self._words(key, options) if options else ""

    def freed(self, keys: set[str] | None) -> None:
        """Let those of *keys* land that waited and wait no more, None for all."""
        waiting = self._waiting if keys is None else self._waiting & keys
        for key in [key for key in sorted(waiting) if not self.of(key)]:
            self._wake(key)
        expired = self._unknown.keys() - self._waiting
        for key in expired if keys is None else expired & keys:
            self.of(key)  # known by now: what is awaited later is waited for as long again

    async def end(self) -> None:
        """Let land what has waited long enough for a cluster that does not answer, until cancelled."""
        while True:
            await asyncio.sleep(_LOOKED_EVERY)
            self._expire()

    def _expire(self) -> None:
        due = self._clock() - UNKNOWN_BUSY
        late = {key for key, since in self._unknown.items() if since <= due} & self._waiting
        self.freed(late)
        if (count := len(late - self._waiting)) > 0:
            self._process.log.warning(
                "releases",
                detail=f"whether rollouts of {count} subscriptions are in progress could not be found out; they are written now",
                hint="see the log lines watch lost: the API server does not answer, or updater has no rights there. "
                f"Where more than {MOST_FOUND} objects read a file or run an image, name the one that counts: "
                "delivery.workload and the like",
                code=CODE,
            )

    def _asked(self, key: str) -> DeliveryOptions | None:
        """Return how a subscription is delivered, None where nothing of it can be in progress."""
        options = self._follower.options_of(key)
        is_other = options is not None and options.workload is not None and options.workload.kind not in BUSY_KINDS
        return None if is_other else options

    def _doubt(self, key: str, options: DeliveryOptions) -> str:
        """Return what is not known of a subscription for now, "" where everything is."""
        named, known = options.workload, self._follower.index.known_for(options)
        found = self._follower.found(key)
        if found.is_awaited or (named is not None and known.is_awaited(named.kind, named.namespace, ALL)):
            return f"it is not known yet whether {named or 'a rollout of it'} is in progress"
        if found.is_too_many:  # whoever may add such objects must not open the gate of others at once
            return f"it is not known whether a rollout of it is in progress: {found.reason}"
        last = next((item for item in found.workloads if item.kind in BUSY_KINDS and was_busy(item, known)), None)
        return f"it is not known at the moment whether {last} is still in progress" if last is not None else ""

    def _words(self, key: str, options: DeliveryOptions) -> str:
        known, named, read = self._follower.index.known_for(options), options.workload, set[tuple[str, str, str]]()
        view = ReadObjects(known, read)
        found = self._follower.found(key)
        if doubt := self._doubt(key, options):
            now = self._clock()
            left = self._unknown.get(key, now) + UNKNOWN_BUSY - now
            return f"{doubt}, for {left:.0f} s at most" if left > 0 else ""
        if self._is_pending(key):
            return f"the bad release of {named or key} is about to be taken back"
        busy = next((item for item in found.workloads if item.kind in BUSY_KINDS and is_busy(item, view)), None)
        self._follower.index.note(key, read)
        if busy is not None:
            return f"{busy} is in progress"
        arriving = key in self._follower.arriving and next((item for item in found.workloads if item.kind in BUSY_KINDS), None)
        return f"{arriving} is not healthy for {options.settle:.0f} s yet" if arriving else ""
