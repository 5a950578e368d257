"""Knows how a mirror is kept: what is asked of the server, what is stored, and when a push may happen. It blocks.

Trees come at depth 1. History comes apart, commits only, so that the object store promises nothing below a head.
Whatever is broken or missing on disk is fetched again, once; then the error is told.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from updater.errors import GitError, GitUnavailable
from updater.git.building import Draft, NewCommit
from updater.git.faults import fault
from updater.git.history import CommitInfo, CommitLog, read_past, undone
from updater.git.index import Question, SearchIndex
from updater.git.remote import Known, Listing, Remote
from updater.git.store import COMMIT, Store, object_name
from updater.git.tree import Entry, Kind, RevisionTree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from updater.git.access import Access, Address
    from updater.model.view import PastCommit

LIMIT: Final = 200
_MAX_HEADS: Final = 100
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What a landing did: the head of the branch now; *is_unchanged* where nothing had to be pushed.

    *commits* has, for each commit that was asked for, its revision; the one before it where it changed nothing.
    """

    revision: str | None
    is_unchanged: bool = False
    commits: tuple[str | None, ...] = ()


@dataclass(slots=True)
class Keeper:
    """The parts of one mirror, used by one thread at a time. *ours* holds our committers' addresses in lower case.

    *ours* belongs to whoever made the keeper, who may share it; the committers of every landing are added.
    """

    address: Address
    folder: Path
    count: Callable[[str], None]
    ours: set[str] = field(default_factory=set)
    store: Store = field(init=False)
    log: CommitLog = field(init=False)
    index: SearchIndex = field(init=False)
    listing: Listing | None = None
    _remote: Remote | None = None
    _anchor: str | None = None

    def __post_init__(self) -> None:
        self.store = Store(self.folder)
        self.log = CommitLog(self.folder / "updater-commits")
        self.index = SearchIndex(self.folder / "updater-index")

    def use(self, access: Access) -> None:
        """Talk to the server with *access* from now on; connections stay open while it is the same."""
        if self._remote is None or self._remote.access != access:
            self.close_remote()
            self._remote = Remote(self.address, access, self.count)

    def look(self, branches: Sequence[str]) -> Listing:
        """List the heads of *branches*; the answer is what `fetch` and `land` build on."""
        self.listing = None
        self.listing = self._server().list(branches)
        return self.listing

    def fetch(self, branches: Sequence[str]) -> None:
        """Store the trees of the heads of *branches* as they were listed, asking only for what is missing."""
        listing = self.listing or self.look(branches)
        wanted = {branch: listing.heads[branch] for branch in branches if branch in listing.heads}
        self.store.open()
        missing = [name for name in dict.fromkeys(wanted.values()) if not self.store.holds(name)]
        if missing:
            self._receive(missing)
        if any(self.store.heads.get(branch) != head for branch, head in wanted.items()):
            self.store.settle(self._newest({**self.store.heads, **wanted}))

    def search(self, revision: str, prefix: str, question: Question) -> tuple[Entry, ...]:
        """Find files in *revision*'s tree; see `SearchIndex.search`."""
        return self._mended(revision, lambda: self.index.search(RevisionTree(self.store, revision), prefix, question))

    def read(self, revision: str, entries: Sequence[Entry]) -> dict[str, bytes]:
        """Read many files of *revision*'s tree, by path."""
        names = {entry.id for entry in entries if entry.kind is Kind.FILE}
        found = self._mended(revision, lambda: dict(self.store.scan(names)))
        return {entry.path: found[entry.id] for entry in entries if entry.kind is Kind.FILE}

    def history(self, revision: str, limit: int) -> tuple[PastCommit, ...]:
        """Our own commits among the last *limit* below *revision*, newest first."""
        self._remember_stored(revision)
        found, is_whole = self.log.walk(revision, limit)
        if not is_whole:
            head = [revision] if self.log.get(revision) is not None else []  # what we lack is never claimed
            known = Known.of([*head, *([self._anchor] if self._anchor else [])], head)
            self.log.add(self._server().history(revision, known, limit), reaches_end=True)
            found, _ = self.log.walk(revision, limit)
        if not found:
            raise fault("history-missing", f"{self.address} did not give the history of {revision[:12]}")
        self._anchor = revision
        taken_back = undone(found)
        ours = (past for info in found if (past := read_past(info, self.ours)) is not None)
        return tuple(replace(past, reverted_by=taken_back.get(past.revision)) for past in ours)

    def land(self, base: str | None, branch: str, expected: str | None, commits: Sequence[NewCommit]) -> Landed:
        """Build *commits* on *base* and move *branch* from *expected* to them, by one push; see `Mirror.land`."""
        self.ours.update((new.committer or new.author).email.lower() for new in commits)
        draft, tips = self._mended(base, lambda: self._draft(base, commits))
        tip = tips[-1] if tips else base
        if tip == base or tip is None:
            return Landed(revision=expected or base, is_unchanged=True)
        if expected not in {None, base} and self._replaces_nothing(base, expected, draft.tree_of(tip)):
            return Landed(revision=expected, is_unchanged=True)
        self._server().push(branch, expected, tip, list(draft.made.values()))
        self._remember_landed(branch, tip, draft)
        return Landed(revision=tip, commits=tips)

    def close(self) -> None:
        """Write down what the index learned; close files and connections."""
        self.index.save()
        self.close_remote()
        self.store.close()

    def close_remote(self) -> None:
        """Close the connections."""
        if self._remote is not None:
            self._remote.close()
        self._remote = None

    def _draft(self, base: str | None, commits: Sequence[NewCommit]) -> tuple[Draft, tuple[str | None, ...]]:
        draft, tip = Draft(self.store), base
        tips: list[str | None] = []
        for new in commits:
            tip = draft.commit(tip, new) or tip
            tips.append(tip)
        return draft, tuple(tips)

    def _replaces_nothing(self, base: str | None, expected: str | None, tree: str) -> bool:
        """Refuse to drop a commit that is not ours; say whether what stands there has the same base and tree already."""
        above = self._above(base, expected)
        foreign = next((info for info in above if read_past(info, self.ours) is None), None)
        if foreign is not None:
            raise fault("foreign-commits", f"the push branch holds {foreign.revision[:12]} by {foreign.committer or 'somebody'}")
        return bool(above) and above[-1].parents == (base,) and above[0].tree == tree

    def _above(self, base: str | None, expected: str | None) -> list[CommitInfo]:
        """The commits from *expected* down to *base*, which the server tells where we do not know them ourselves."""
        if expected is None:
            return []
        known = _chain(self.log, expected, base)
        if known is not None:
            return known
        raws = self._server().history(expected, Known.of([base] if base else []), LIMIT + 1)
        self.log.add(raws)
        names = {info.revision: info for info in (self.log.get(name) for name in _names(raws)) if info is not None}
        if len(names) > LIMIT:
            raise fault("foreign-commits", f"the push branch is more than {LIMIT} commits away from its base")
        order = [info for info in self.log.walk(expected, LIMIT + 1)[0] if info.revision in names]
        return order if len(order) == len(names) else [*order, *(info for info in names.values() if info not in order)]

    def _mended(self, revision: str | None, work: Callable[[], _T]) -> _T:
        """Do *work* on the store; where an object is missing or broken, fetch *revision* anew and do it once more."""
        self.store.open()
        try:
            return work()
        except GitUnavailable as error:
            if error.code != "mirror-broken" or revision is None:
                raise
        self.store.wipe()
        self._receive([revision])
        heads = {branch: head for branch, head in (self.listing.heads if self.listing else {}).items() if head == revision}
        self.store.settle(dict(heads))
        return work()

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
        self.store.tidy()
        self.store.open()
        haves = tuple(dict.fromkeys(self.store.heads.values()))
        with self.store.spool() as spool:
            self._server().fetch(wants, Known.of(haves, sorted(self.store.shallow)), 1, spool.write)
            if spool.size:
                self.store.receive(spool.rewind(), is_thin=bool(haves))

    def _remember_stored(self, revision: str) -> None:
        with contextlib.suppress(GitError):
            self.store.open()
            if self.log.get(revision) is None and revision in self.store.heads.values():
                self.log.add([self.store.load(revision, COMMIT)])

    def _remember_landed(self, branch: str, tip: str, draft: Draft) -> None:
        """Keep what was pushed; the landing is done, so trouble with the cache is left to the next fetch."""
        with contextlib.suppress(GitError):
            self.log.add([item.as_raw_string() for item in draft.made.values() if item.type_num == COMMIT])
            self.store.open()
            self.store.add(list(draft.made.values()))
            self.store.settle(self._newest({**self.store.heads, branch: tip}))
        self._anchor = tip if self._anchor is not None else None
        if self.listing is not None:
            self.listing = Listing(heads={**self.listing.heads, branch: tip}, default=self.listing.default)

    def _newest(self, heads: dict[str, str]) -> dict[str, str]:
        """Forget branches that are gone, and the oldest where there are too many to name in a request."""
        return dict(list(heads.items())[-_MAX_HEADS:])

    def _server(self) -> Remote:
        if self._remote is None:
            raise AssertionError("use() comes first")
        return self._remote


def _chain(log: CommitLog, expected: str, base: str | None) -> list[CommitInfo] | None:
    """The commits from *expected* to *base* where each has one parent and all are known; None otherwise."""
    found: list[CommitInfo] = []
    name: str | None = expected
    while name != base:
        info = log.get(name) if name is not None else None
        if info is None or len(info.parents) > 1 or len(found) > LIMIT:
            return None
        found.append(info)
        name = info.parents[0] if info.parents else None
    return found


def _names(raws: Sequence[bytes]) -> list[str]:
    return [object_name(COMMIT, raw) for raw in raws]
