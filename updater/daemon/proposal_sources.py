"""What pull requests are told of their subscriptions: where the sources of images stand, and what people released.

Sources are told by the labels of the old and the new image, and asked for when a text is written.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from updater.errors import UpdaterError
from updater.model.decision import readmitted_by
from updater.model.image import parse_digest
from updater.writeback.proposal_links import SourceLinks, source_links

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from updater.engine.image_state import RegistryReader
    from updater.forge.base import ForgeProposal
    from updater.model.image import ImageName
    from updater.model.subscription import CredentialRef, Destination, Subscription
    from updater.model.update import Update

#: of one text: a registry is asked some six times for each image
MOST_IMAGES: Final = 20
LONGEST_WAIT: Final = 20.0
_AT_ONCE: Final = 4


class ProposalSources:
    """Asks *registry*; *asked* returns the subscriptions of every destination, whose credentials are used."""

    def __init__(self, registry: RegistryReader, asked: Callable[[], Mapping[Destination, Sequence[Subscription]]]) -> None:
        self._registry = registry
        self._asked = asked

    async def links(self, updates: Sequence[Update]) -> Mapping[Update, SourceLinks]:
        """Return the links of the first images of *updates*; what a registry does not tell, or not in time, has none."""
        first: dict[tuple[str, str | None, str | None], Update] = {}
        for update in updates:
            first.setdefault((update.subscription, update.image.tag, update.reading.written.tag), update)
        turns, found = asyncio.Semaphore(_AT_ONCE), {}

        async def one(update: Update) -> None:
            async with turns:
                try:
                    found[update] = await self._of(update)
                except UpdaterError:  # a text without a link is a text
                    return

        try:
            async with asyncio.timeout(LONGEST_WAIT), asyncio.TaskGroup() as group:
                for update in list(first.values())[:MOST_IMAGES]:
                    group.create_task(one(update))
        except TimeoutError:
            pass
        return {update: links for update, links in found.items() if str(links)}

    def is_released(self, update: Update, closed: ForgeProposal) -> bool:
        """Return whether somebody released the subscription after the pull request with this update was closed."""
        asked = self._asked().get(update.target.destination, ())
        return any(closed.head in readmitted_by(item.decisions) for item in asked if item.key == update.subscription)

    async def _of(self, update: Update) -> SourceLinks:
        name, credential = update.image.name, self._credential(update)
        new = await self._labels(name, update.image.tag, str(update.image.digest or update.written_as.digest or ""), credential)
        if not source_links({}, new).commit:
            return SourceLinks()
        written = update.reading.written
        try:
            old = await self._labels(name, written.tag, written.digest or "", credential)
        except UpdaterError:  # it may be gone
            old = {}
        return source_links(old, new)

    async def _labels(self, name: ImageName, tag: str | None, digest: str, credential: CredentialRef | None) -> Mapping[str, str]:
        if digest:
            known = parse_digest(digest)
        elif tag:
            known = await self._registry.digest(name, tag, credential)
        else:
            return {}
        return (await self._registry.describe(name, known, credential)).labels

    def _credential(self, update: Update) -> CredentialRef | None:
        asked = self._asked().get(update.target.destination, ())
        return next((item.credential for item in asked if item.key == update.subscription), None)
