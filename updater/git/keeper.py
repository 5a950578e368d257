"""Knows how a mirror is kept: what is asked of the server, what is stored, and how it is mended. It blocks.

Trees come at depth 1. Whatever is broken or missing on disk is fetched again, once; then the error is told.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from updater.errors import GitUnavailable
from updater.git.faults import fault
from updater.git.index import Question, SearchIndex
from updater.git.remote import Known, Listing, Remote
from updater.git.store import Store
from updater.git.tree import Entry, Kind, RevisionTree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dulwich.objects import ShaFile

_MAX_HEADS: Final = 100
_MAX_LISTED: Final = 1000
_T = TypeVar("_T")


class Keeper:
    """Knows what *remote* listed last of each branch and keeps the store and the search index in *folder* in step with it.

    Several callers look, each at branches of its own: what one of them listed stands when another one looks.
    """

    def __init__(self, remote: Remote, folder: Path) -> None:
        self.remote = remote
        self.store = Store(folder)
        self.index = SearchIndex(folder / "updater-index")
        self._listed: dict[str, str | None] = {}

    def look(self, branches: Sequence[str]) -> Listing:
        """List the heads of *branches*; the answer is what `fetch` and `land` build on."""
        for branch in branches:
            self._listed.pop(branch, None)
        listing = self.remote.list(branches)
        self._listed.update({branch: listing.heads.get(branch) for branch in (*branches, *listing.heads)})
        self._listed = dict(list(self._listed.items())[-_MAX_LISTED:])
        return listing

    def fetch(self, branches: Sequence[str], at: Mapping[str, str] = MappingProxyType({})) -> None:
        """Store the trees of the heads of *branches* as they were listed, asking only for what is missing.

        *at* are heads that the caller saw: raises `PushRefused` where another one listed a newer head meanwhile.
        """
        if moved := next((branch for branch, head in at.items() if self._listed.get(branch, head) != head), None):
            raise fault("push-refused", f"{moved} of {self.remote.address} moved meanwhile")
        if unknown := [branch for branch in branches if branch not in self._listed]:
            self.look(unknown)
        wanted = {branch: head for branch in branches if (head := self._listed.get(branch)) is not None}
        self.store.open()
        missing = [name for name in dict.fromkeys(wanted.values()) if not self.store.holds(name)]
        if missing:
            self._receive(missing)
        if any(self.store.heads.get(branch) != head for branch, head in wanted.items()):
            self.store.settle(_newest({**self.store.heads, **wanted}))

    def search(self, revision: str, prefix: str, question: Question) -> tuple[Entry, ...]:
        """Find files in *revision*'s tree; see `SearchIndex.search`."""
        return self.mended(revision, lambda: self.index.search(RevisionTree(self.store.packs, revision), prefix, question))

    def read(self, revision: str, entries: Sequence[Entry]) -> dict[str, bytes]:
        """Read many files of *revision*'s tree, by path."""
        names = {entry.id for entry in entries if entry.kind is Kind.FILE}
        found = self.mended(revision, lambda: dict(self.store.packs.scan(names)))
        return {entry.path: found[entry.id] for entry in entries if entry.kind is Kind.FILE}

    def mended(self, revision: str | None, work: Callable[[], _T]) -> _T:
        """Do *work* on the store; where an object is missing or broken, fetch *revision* anew and do it once more."""
        self.store.open()
        try:
            return work()
        except GitUnavailable as error:
            if error.code != "mirror-broken" or revision is None:
                raise
        self.store.wipe()
        self._receive([revision])
        self.store.settle(_newest({branch: head for branch, head in self._listed.items() if head == revision}))
        return work()

    def take(self, branch: str, head: str, objects: Sequence[ShaFile]) -> None:
        """Store the *objects* that we pushed, which make *head* the head of *branch*; raises `GitError`."""
        self._listed[branch] = head
        self.store.open()
        self.store.packs.add(objects)
        self.store.settle(_newest({**self.store.heads, branch: head}))

    def close(self) -> None:
        """Write down what the index learned; close files and connections."""
        self.index.save()
        self.remote.close()
        self.store.close()

    def _receive(self, wants: Sequence[str]) -> None:
        try:
            self._receive_pack(wants)
        except GitUnavailable as error:
            if error.code != "mirror-broken":
                raise
            self.store.wipe()
            self._receive_pack(wants)

    def _receive_pack(self, wants: Sequence[str]) -> None:
        self.store.open()
        self.store.packs.tidy()
        self.store.open()
        haves = tuple(dict.fromkeys(self.store.heads.values()))
        with self.store.packs.spool() as spool:
            # beside writers the commits between come along: the history needs no request of its own then
            depth = None if haves and self.remote.is_contended else 1
            self.remote.fetch(wants, Known.of(haves, sorted(self.store.shallow)), depth, spool.write)
            if spool.size:
                self.store.packs.receive(spool.rewind(), is_thin=bool(haves))


def _newest(heads: dict[str, str]) -> dict[str, str]:
    """Forget branches that are gone, and the oldest where there are too many to name in a request."""
    return dict(list(heads.items())[-_MAX_HEADS:])
