"""What the cache knows of releases: what ran well, what is over, and what is bad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.model.release import BadRelease, ReleaseVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.daemon.process import Process
    from updater.model.subscription import Subscription


async def recall_verdicts(process: Process, subscriptions: Mapping[str, Subscription], *, is_all: bool) -> None:
    """Take up what the cache knows: what ran well, what is over, and what is bad, which may be judged again, to be taken back.

    With *is_all* what sources ask for comes later, and everything is taken up: the follower forgets what nobody asks for.
    """
    memory = process.releases
    for past in await process.cache.verdicts():
        known = subscriptions.get(past.key)
        if past.image.name != known.image if known is not None else not is_all:
            continue
        if past.verdict is ReleaseVerdict.BAD:
            memory.bad[past.key] = BadRelease(revision=past.revision, image=past.image, reason=past.reason)
            continue
        memory.judged[past.key] = past.revision
        if past.verdict is ReleaseVerdict.HEALTHY:
            memory.healthy[past.key] = past.image
