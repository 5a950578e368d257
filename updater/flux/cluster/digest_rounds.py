"""When the digests of ImagePolicies are asked for again: each in its own interval, where digestReflectionPolicy is Always."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from updater.flux.request.requests import subscription_key
from updater.http.client import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from updater.flux.request.requests import FluxTranslation

SOONEST: Final = 1.0


class DigestRounds:
    """Calls *reflect* with the subscriptions, by key, whose digests are due, until cancelled."""

    def __init__(self, reflect: Callable[[Iterable[str]], None], surroundings: Clock | None = None) -> None:
        self._reflect = reflect
        self._around = surroundings or Clock()
        self._due: dict[str, tuple[float, float]] = {}
        self._news = asyncio.Event()

    def know(self, translation: FluxTranslation) -> None:
        """Take over which policies there are; what keeps its interval keeps its time."""
        now, before = self._around.clock(), self._due
        self._due = {}
        for key in translation.subscriptions:
            policy = translation.policies[key]
            if policy.digest_interval is not None and not policy.is_suspended:
                name, seconds = subscription_key(key), max(policy.digest_interval, SOONEST)
                known = before.get(name)
                self._due[name] = known if known and known[0] == seconds else (seconds, now + seconds)
        if self._due.keys() != before.keys() or self._due != before:
            self._news.set()

    async def run(self) -> None:
        """Ask for what is due, until cancelled."""
        while True:
            if not self._due:
                await self._news.wait()
            self._news.clear()
            soonest = min((when for _, when in self._due.values()), default=0.0)
            await self._around.sleep(min(max(soonest - self._around.clock(), 0.0), SOONEST))
            self._ask_due()

    def _ask_due(self) -> None:
        now = self._around.clock()
        due = [name for name, (_, when) in self._due.items() if when <= now]
        self._due |= {name: (self._due[name][0], now + self._due[name][0]) for name in due}
        if due:
            self._reflect(due)
