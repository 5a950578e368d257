"""What objects ask for out of turn: ``reconcile.fluxcd.io/requestedAt`` acts at once, and digests are asked for again in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from updater.flux.request.requests import subscription_key
from updater.http.client import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.controller.objects import Key
    from updater.flux.request.requests import FluxTranslation
    from updater.sources.base import SourceRequests

SOONEST: Final = 1.0


class RequestedWork:
    """Asks for work by *requests* as the objects say, until cancelled.

    A value of the annotation that was seen at the start counts too: it may have been written while nobody was there, and what is
    handled already is answered without work.
    """

    def __init__(self, requests: SourceRequests, surroundings: Clock | None = None) -> None:
        self._requests = requests
        self._around = surroundings or Clock()
        self._translation: FluxTranslation | None = None
        self._seen: dict[tuple[str, Key], str] = {}
        self._due: dict[str, tuple[float, float]] = {}
        self._news = asyncio.Event()

    def know(self, translation: FluxTranslation) -> None:
        """Take over what the objects ask for now."""
        if translation is not self._translation:
            self._translation = translation
            self._news.set()

    async def run(self) -> None:
        """Ask for what is due, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._until_next()):
                    await self._news.wait()
            except TimeoutError:
                self._reflect_due()
            if self._news.is_set():
                self._news.clear()
                self._ask()
                self._plan()

    def _ask(self) -> None:
        """Ask for what is requested and was not yet."""
        translation = self._translation
        assert translation is not None  # noqa: S101 - there is no news without it
        found = dict(_requested(translation))
        new = {place for place, value in found.items() if self._seen.get(place) != value}
        self._seen = found
        for kind, key in new:
            if kind == "repository":
                listed = translation.repositories[key].scan_key
                if listed is not None:
                    self._requests.scan(listed)
            elif kind == "policy":
                self._requests.reflect([subscription_key(key)])
            else:
                branch = translation.automations[key].branch
                if branch is not None:
                    self._requests.land(branch)

    def _plan(self) -> None:
        """Note when the digest of each policy is to be asked for again."""
        translation, now = self._translation, self._around.clock()
        assert translation is not None  # noqa: S101 - see `_ask`
        before, self._due = self._due, {}
        for key, policy in translation.policies.items():
            seconds = policy.digest_interval
            if seconds is not None and key in translation.subscriptions and not policy.is_suspended:
                name = subscription_key(key)
                known = before.get(name)
                self._due[name] = known if known and known[0] == seconds else (seconds, now + seconds)

    def _reflect_due(self) -> None:
        now = self._around.clock()
        due = [name for name, (_, when) in self._due.items() if when <= now]
        for name in due:
            seconds, _ = self._due[name]
            self._due[name] = (seconds, now + seconds)
        if due:
            self._requests.reflect(due)

    def _until_next(self) -> float | None:
        """Return the seconds until a digest is to be asked for again; None where there is none."""
        soonest = min((when for _, when in self._due.values()), default=None)
        return None if soonest is None else max(soonest - self._around.clock(), SOONEST)


def _requested(translation: FluxTranslation) -> Iterator[tuple[tuple[str, Key], str]]:
    """Yield the value of the annotation of each object that is worked for."""
    several = (
        ("repository", translation.repositories),
        ("policy", translation.policies),
        ("automation", translation.automations),
    )
    for kind, those in several:
        for key, asked in those.items():
            if asked.requested_at and not asked.is_suspended:
                yield (kind, key), asked.requested_at
