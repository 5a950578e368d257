"""What the cache knows of releases: what ran well, what is over, and what is bad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.model.release import BadRelease, OnBad, ReleaseVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from updater.daemon.process import Process
    from updater.model.subscription import Subscription


async def recall_verdicts(process: Process, subscriptions: Iterable[Subscription]) -> None:
    """Take up what the cache knows of *subscriptions*; a bad release is judged again, unless a person is to decide about it."""
    memory, known = process.releases, {item.key: item for item in subscriptions if item.delivery is not None}
    for past in await process.cache.verdicts() if known else ():
        item = known.get(past.key)
        if item is None or item.delivery is None or past.image.name != item.image:
            continue
        is_held = past.verdict is ReleaseVerdict.BAD and item.delivery.on_bad is OnBad.HOLD
        if past.verdict is not ReleaseVerdict.BAD or is_held:
            memory.judged[past.key] = past.revision
        if past.verdict is ReleaseVerdict.HEALTHY:
            memory.healthy[past.key] = past.image
        if is_held:
            memory.bad[past.key] = BadRelease(revision=past.revision, image=past.image, reason=past.reason)
