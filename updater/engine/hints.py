"""What senders of webhooks said was pushed, until it is scanned: each image once, and none more often than it may.

However many hints arrive, what waits is at most every listed image, with a few tags of each.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from updater.model.scan_key import ScanKey

MOST_TAGS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class HintTimes:
    """How long, in seconds.

    *gather*: what is pushed together is told in several hints, which are scanned together. *spacing*: between two scans of one
    image. *late*: until an image is scanned again whose list did not have the tag yet, once.
    """

    gather: float = 0.1
    spacing: float = 1.0
    late: float = 3.0


class HintQueue:
    """Images that are to be scanned because somebody said so. *ask* begins the scans; it is told the tags that were named."""

    def __init__(self, ask: Callable[[Mapping[ScanKey, Collection[str]]], None], times: HintTimes | None = None) -> None:
        self._ask = ask
        self._times = times or HintTimes()
        self._waiting: dict[ScanKey, set[str]] = {}
        self._asked_at: dict[ScanKey, float] = {}
        self._named: dict[ScanKey, set[str]] = {}
        self._late: dict[ScanKey, float] = {}
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, images: Iterable[ScanKey], tag: str = "") -> None:
        """Scan *images* soon, of which *tag* was pushed, "" for one that the sender does not name."""
        for listed in images:
            tags = self._waiting.setdefault(listed, set())
            if tag and len(tags) < MOST_TAGS:
                tags.add(tag)
            self._news.set()

    def scanned(self, listed: ScanKey, names: Collection[str]) -> None:
        """Note that a scan of *listed* ended with *names*: a registry may list a tag later than it tells of it."""
        tags = self._named.pop(listed, None)
        if tags and not tags.issubset(names):
            self._late[listed] = asyncio.get_running_loop().time() + self._times.late
            self._news.set()

    async def run(self) -> None:
        """Let what waits be scanned, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._next()):
                    await self._news.wait()
            await asyncio.sleep(self._times.gather)
            self._news.clear()
            self._hand_on(loop.time())

    def _next(self) -> float | None:
        """Return when something is due that waits already, None where news have to come first."""
        moments = [self._asked_at.get(listed, 0.0) + self._times.spacing for listed in self._waiting]
        return min((*moments, *self._late.values()), default=None)

    def _hand_on(self, now: float) -> None:
        spacing = self._times.spacing
        self._asked_at = {listed: at for listed, at in self._asked_at.items() if now - at < spacing}
        ready: defaultdict[ScanKey, set[str]] = defaultdict(set)
        for listed in [listed for listed in self._waiting if listed not in self._asked_at]:
            tags = self._waiting.pop(listed)
            self._late.pop(listed, None)
            self._named[listed] = tags
            ready[listed] |= tags
        for listed in [listed for listed, at in self._late.items() if at <= now]:
            del self._late[listed]
            ready[listed] |= set()
        self._asked_at |= dict.fromkeys(ready, now)
        if ready:
            self._ask(ready)
