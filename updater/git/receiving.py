"""How what was asked of the server comes into the store, and whose fault it is where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.errors import GitUnavailable
from updater.git.faults import fault
from updater.git.remote import Haves, Remote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.git.packs import Spool
    from updater.git.store import MirrorStore


class Receiver:
    """Asks *remote* for the trees of heads, without what *store* holds, and keeps them there."""

    def __init__(self, remote: Remote, store: MirrorStore) -> None:
        self._remote = remote
        self._store = store

    def receive(self, wants: Sequence[str]) -> None:
        """Store the trees of the commits *wants*; raise `GitError`."""
        self._store.open()
        self._store.packs.tidy()
        self._store.open()
        haves = tuple(dict.fromkeys(self._store.heads.values()))
        with self._store.packs.spool() as spool:
            # beside writers the commits between come along: the history needs no request of its own then
            depth = None if haves and self._remote.is_contended else 1
            self._remote.fetch(wants, Haves.of(haves, sorted(self._store.shallow)), depth, spool.write)
            if spool.size:
                self._take_in(spool, is_thin=bool(haves))
        self._require(wants, is_fresh=not haves)

    def _take_in(self, spool: Spool, *, is_thin: bool) -> None:
        """Keep the pack that came; one that stands on nothing of ours and cannot be read is the fault of the server."""
        try:
            self._store.packs.receive(spool.rewind(), is_thin=is_thin)
        except GitUnavailable as error:
            if is_thin or error.code != "mirror-broken" or isinstance(error.__cause__, OSError):
                raise
            self._store.forgive()
            message = f"{self._remote.address} sent a pack that is damaged, or that lies about what it holds"
            raise fault("git-protocol", message) from error

    def _require(self, wants: Sequence[str], *, is_fresh: bool) -> None:
        """Read the roots of what was asked for; raise `GitUnavailable` where they are not there, or only by their names."""
        try:
            for want in wants:
                self._store.prove(want)
        except GitUnavailable as error:
            if not is_fresh or error.code != "mirror-broken":
                raise
            self._store.forgive()
            raise fault("history-missing", f"{self._remote.address} did not send {want[:12]} whole") from error
