"""What is known of all pull requests of a repository whose forge does not list by branch: read once, then only what changed.

A listing is ordered by the last change. What changes while it is read moves to its front, which was read already; it is found by
the listing after that, since its time is not before the mark.
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from updater.forge.reading import mapping, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from updater.forge.base import ForgeProposal


@dataclass(frozen=True, slots=True)
class _Entry:
    """A pull request without its text, which is *packed*."""

    proposal: ForgeProposal
    packed: bytes

    @property
    def whole(self) -> ForgeProposal:
        return replace(self.proposal, body=zlib.decompress(self.packed).decode())


class ProposalIndex:
    """The pull requests of one repository by number. *read* returns one of an answer, None for one from elsewhere."""

    def __init__(self, read: Callable[[Any], ForgeProposal | None]) -> None:
        self._read = read
        self._entries: dict[int, _Entry] = {}
        self._mark: datetime | None = None
        self._turn = asyncio.Lock()

    async def refresh(self, pages: Callable[[], AsyncIterator[list[Any]]]) -> frozenset[int]:
        """Take what changed since the last time, all at first; return the numbers that were read. *pages* reads the listing."""
        async with self._turn:
            seen: set[int] = set()
            before = self._mark
            # between two pages something may have moved; where nothing changed since, nothing has
            while await self._read_changed(pages(), seen) > 1 and self._mark != before:
                before = self._mark
            return frozenset(seen)

    async def _read_changed(self, pages: AsyncIterator[list[Any]], seen: set[int]) -> int:
        """Read until all that follows is known; return how many pages that took."""
        newest, mark, count = self._mark, self._mark, 0
        async for page in pages:
            count += 1
            self._take(page, seen)
            times = [when for item in page if (when := changed_at(item)) is not None]
            newest = max(times, default=newest) if count == 1 else newest
            if mark is not None and times and min(times) < mark:
                break
        self._mark = newest
        return count

    def of(self, branch: str, base: str) -> list[ForgeProposal]:
        """Return those from *branch* to *base*, newest first."""
        found = (entry for entry in self._entries.values() if (entry.proposal.branch, entry.proposal.base) == (branch, base))
        return sorted((entry.whole for entry in found), key=lambda item: item.number, reverse=True)

    def drop(self, number: int) -> None:
        """Forget one that the forge does not know any more."""
        self._entries.pop(number, None)

    def _take(self, page: list[Any], seen: set[int]) -> None:
        for item in page:
            found = self._read(item)
            if found is not None:
                seen.add(found.number)
                self._entries[found.number] = _Entry(replace(found, body=""), zlib.compress(found.body.encode(), 1))


def changed_at(item: Any) -> datetime | None:
    """Return when a pull request changed last, None where it does not say so with its zone: others cannot be compared."""
    try:
        found = datetime.fromisoformat(text(mapping(item).get("updated_at")))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
