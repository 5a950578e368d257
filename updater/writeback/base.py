"""What every writer of a destination does: it reads what is written there, and writes commits on what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.model.subscription import Destination, Subscription
    from updater.model.update import Commit, WriteResult
    from updater.model.view import View


class Writer(Protocol):
    """Reads and writes one kind of destination."""

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Read the head and what is written at every target; raise `UpdaterError`."""
        ...

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Edit, commit and push once; raise `PushRefused` if the destination moved since *view*."""
        ...
