"""How a mirror is kept: what is asked of the server, what is stored, and how it is mended. It blocks.

Trees come at depth 1. Every read and write of the store goes through one place, `FetchedStore.mended`: whatever is broken or
missing on disk is fetched anew, once; then the error is told.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from updater.errors import GitUnavailable, PushRefused
from updater.git.blob_index import SearchIndex, SearchQuery
from updater.git.faults import fault
from updater.git.objects import BLOB
from updater.git.receiving import Receiver
from updater.git.store import MirrorStore
from updater.git.tree import RevisionTree, TreeEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from dulwich.objects import ShaFile

    from updater.git.remote import RefListing, Remote

_MAX_HEADS: Final = 500
_MAX_LISTED: Final = 1000
_T = TypeVar("_T")


class FetchedStore:
    """What *remote* listed last of each branch and keeps the store and the search index in *folder* in step with it.

    Several callers look, each at branches of its own: what one of them listed stands when another one looks.
    """

    def __init__(self, remote: Remote, folder: Path, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.remote = remote
        self._bounds = remote.bounds
        self.store = MirrorStore(folder, say=say, bounds=remote.bounds)
        self._receiver = Receiver(remote, self.store)
        self.index = SearchIndex(folder / "updater-index")
        self._listed: dict[str, str | None] = {}

    def look(self, branches: Sequence[str], pick: Callable[[Sequence[str]], str] | None = None) -> RefListing:
        """List the heads of *branches*; the answer is what `fetch` and `land` build on.

        *pick* is given all tags and returns one more name to list; it is what remains of them.
        """
        for branch in branches:
            self._listed.pop(branch, None)
        listing = self.remote.list(branches, with_tags=pick is not None)
        if pick is not None:
            listing = listing.only(pick(listing.tags), *branches)
        self.remote.objects = dict(list({**self.remote.objects, **listing.objects}.items())[-_MAX_LISTED:])
        self._listed.update({branch: listing.heads.get(branch) for branch in (*branches, *listing.heads)})
        self._listed = dict(list(self._listed.items())[-_MAX_LISTED:])
        return listing

    def fetch(
        self, branches: Sequence[str], at: Mapping[str, str] = MappingProxyType({}), sought: Collection[bytes] = ()
    ) -> None:
        """Store the trees of the heads of *branches* as they were listed, asking only for what is missing.

        *at* are heads that the caller saw: raises `PushRefused` where another one listed a newer head meanwhile. *sought* are the
        needles of the search that follows.
        """
        self.store.packs.sought = sought
        if moved := next((branch for branch, head in at.items() if self._listed.get(branch, head) != head), None):
            raise fault("push-refused", f"{moved} of {self.remote.address} moved meanwhile")
        if unknown := [branch for branch in branches if branch not in self._listed]:
            self.look(unknown)
        wanted = {branch: head for branch in branches if (head := self._listed.get(branch)) is not None}
        self._healed(lambda: self._hold(wanted), lambda _: None)

    def search(self, revision: str, prefix: str, question: SearchQuery) -> tuple[TreeEntry, ...]:
        """Find files in *revision*'s tree; see `SearchIndex.search`."""

        def search() -> tuple[TreeEntry, ...]:
            return self.index.search(RevisionTree(self.store.packs, revision), prefix, question, self._bounds.limits)

        return self.mended(revision, search)

    def tree(self, revision: str, work: Callable[[RevisionTree], _T]) -> _T:
        """Do *work* on *revision*'s tree; it is done once more from the start where an object was missing or broken."""
        return self.mended(revision, lambda: work(RevisionTree(self.store.packs, revision, self._bounds.limits.file)))

    def mended(self, revision: str | None, work: Callable[[], _T]) -> _T:
        """Do *work* on the store; where an object is missing or broken, fetch *revision* anew and do it once more."""
        return self._healed(work, lambda held: self._restore(revision, held) if revision is not None else None)

    def take(self, branch: str, head: str, objects: Sequence[ShaFile]) -> None:
        """Store the *objects* that we pushed, which make *head* the head of *branch*; raise `GitError`."""
        self._listed[branch] = head
        self.store.open()
        self.store.packs.add(objects)
        self.index.learn({item.id.decode(): item.as_raw_string() for item in objects if item.type_num == BLOB})
        self.store.settle(_newest({**self.store.heads, branch: head}))
        self.store.packs.tidy()

    def forget(self, branch: str) -> None:
        """Forget where *branch* stood: the server moved it with commits that are not stored here."""
        self._listed.pop(branch, None)

    def close(self) -> None:
        """Write down what the index learned; close files and connections."""
        self.index.save()
        self.remote.close()
        self.store.close()

    def _healed(self, work: Callable[[], _T], restore: Callable[[Mapping[str, str]], None]) -> _T:
        """Do *work*; where the store is damaged, empty it, *restore* what it is to hold, told what it held, and do it again."""
        self.store.open()
        try:
            return work()
        except GitUnavailable as error:
            if error.code != "mirror-broken":
                raise
            held = self.store.heads
        self.store.wipe()
        restore(held)
        return work()

    def _hold(self, wanted: Mapping[str, str]) -> None:
        """Make sure of the trees of *wanted*, heads by branch."""
        missing = [name for name in dict.fromkeys(wanted.values()) if not self.store.holds(name)]
        if missing:
            self._receiver.receive(missing)
        if any(self.store.heads.get(branch) != head for branch, head in wanted.items()):
            self.store.settle(_newest({**self.store.heads, **wanted}))

    def _restore(self, revision: str, held: Mapping[str, str]) -> None:
        """Fetch *revision* and the heads that were listed last, which the folder held too, into an empty store."""
        heads = {branch: head for branch, head in held.items() if self._listed.get(branch) == head}
        try:
            self._receiver.receive(list(dict.fromkeys([revision, *heads.values()])))
        except PushRefused:  # one of those heads is gone meanwhile; whoever needs it finds out
            heads = {branch: head for branch, head in heads.items() if head == revision}
            self._receiver.receive([revision])
        heads.update({branch: head for branch, head in self._listed.items() if head == revision})
        self.store.settle(_newest(heads))


def _newest(heads: dict[str, str]) -> dict[str, str]:
    """Forget branches that are gone, and the oldest where there are too many to name in a request."""
    return dict(list(heads.items())[-_MAX_HEADS:])
