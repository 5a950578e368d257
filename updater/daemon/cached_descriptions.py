"""How the registry client asks the cache for descriptions, and counts what the cache had."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from updater.daemon.process import Process
    from updater.model.candidate import Description
    from updater.model.image import Digest


class CachedDescriptions:
    """The cache of a process, counted; see `updater.registry.client.Facts`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def description(self, digest: Digest) -> Description | None:
        """Return what the cache remembers of *digest*."""
        known = await self._process.cache.description(digest)
        self._process.metrics.count("updater_cache_requests_total", "miss" if known is None else "hit")
        return known

    async def remember_description(self, digest: Digest, description: Description) -> None:
        """Remember what hangs on *digest*."""
        await self._process.cache.remember_description(digest, description)
