"""One Git repository as the rest of the program uses it: look, fetch, read, search, land; without blocking the loop."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from updater.git.access import GitAccess, parse_address
from updater.git.blob_index import SearchQuery
from updater.git.commit_history import LIMIT, CommitHistory
from updater.git.faults import fault
from updater.git.fetched_store import FetchedStore
from updater.git.limits import Bounds
from updater.git.pusher import PLAIN, Pusher, PushManner, PushResult
from updater.git.remote import Remote
from updater.git.revisions import newest_tag, ref_name
from updater.git.tree import RevisionTree, TreeEntry
from updater.git.worker_thread import Later, WorkerThread
from updater.http.waiting import HINT, SilentServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from updater.git.object_builder import NewCommit
    from updater.http.waiting import ServerWatch
    from updater.model.checkout_ref import CheckoutRef
    from updater.model.view import PastCommit

CLOSE_SECONDS: Final = 2.0
REST_SECONDS: Final = 0.5
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where the branches stood at a look: *revision* of the branch asked for (None: it does not exist), *heads* of all asked.

    *default* is the server's default branch where it tells one.
    """

    branch: str
    revision: str | None
    heads: Mapping[str, str]
    default: str | None


def _untold(_: str) -> None:
    """Stand for nobody who listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the mirrors of a process share with the program around them.

    *ours* holds the addresses of our committers in lower case; it may grow. *count* is told of every request: look, fetch,
    history or push; *say* of each damage to a folder that was found and mended; *warn* of what a server lacks. *bounds* says
    how much servers and repositories may ask.
    """

    ours: set[str] = field(default_factory=set)
    count: Callable[[str], None] = _untold
    say: Callable[[str], None] = _untold
    warn: Callable[[str], None] = _untold
    bounds: Bounds = field(default_factory=Bounds)


class Mirror:
    """A remote repository and our store of it in *folder*, which may be deleted at any time.

    *access* is asked before every conversation, so a rotated token is taken up. `watch` is set where a person waits: it gives
    up a server that stays silent, but never while it may be taking a push. Errors: `GitUnavailable`, `GitDenied`,
    `PushRefused`, `GitError`, with the codes of `updater.git.faults`.

    One conversation runs at a time, in a worker thread; a cancelled call lets go at once while its conversation ends in
    order, and the next one waits for that.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        access: GitAccess | Callable[[], GitAccess | Awaitable[GitAccess]],
        shared: Shared | None = None,
    ) -> None:
        shared = shared or Shared()
        self.watch: ServerWatch | None = None
        self._access = access
        self._remote = Remote(parse_address(url), GitAccess(), shared.count, shared.bounds)
        self._remote.warn = shared.warn
        self._keeper = FetchedStore(self._remote, folder, say=shared.say)
        self._past = CommitHistory(self._remote, self._keeper, shared.ours)
        self._lander = Pusher(self._keeper, self._past)
        self._worker = WorkerThread()
        # without files while no conversation follows: many mirrors then need few open files
        self._rest = Later(REST_SECONDS, lambda: self._worker.submit(self._keeper.store.close))

    def __str__(self) -> str:
        return str(self._remote.address)

    @property
    def packs(self) -> int:
        """How many packs there were when they were counted last."""
        return self._keeper.store.packs.count

    @property
    def folder(self) -> Path:
        """Where the mirror is kept; it may vanish at any time."""
        return self._keeper.store.folder

    async def look(self, branch: str | None = None, *also: str, ref: CheckoutRef | None = None) -> Head:
        """List the heads of *branch* (None: the server's default branch) and *also*; one request, the first time two.

        With *ref* that is looked at instead of *branch*. Branches and other refs are named as in `updater.git.ref_names`. What
        was listed of one is what `fetch` fetches, until the next look at it. Raises `GitError` ``ref-missing`` where no tag is
        in the range of *ref*.
        """
        branch = branch if ref is None else ref_name(ref)
        names = tuple(dict.fromkeys(name for name in (branch, *also) if name))
        pick = partial(newest_tag, ref, place=str(self)) if ref is not None and branch is None else None
        listing = await self._talk(lambda: self._keeper.look(names, pick), asked="refs")
        name = branch or (listing.tags[0] if pick else listing.default) or "main"
        return Head(branch=name, revision=listing.heads.get(name), heads=listing.heads, default=listing.default)

    async def fetch(self, *branches: str, at: Mapping[str, str] = MappingProxyType({}), sought: Collection[bytes] = ()) -> None:
        """Store the trees at the listed heads of *branches*; no request where they are stored.

        *at* are heads that the caller's look gave: raises `PushRefused` ``push-refused`` where somebody else's look found
        one of them moved since. What comes is searched for *sought* at once, so that a search for these needles reads less.
        """
        await self._talk(lambda: self._keeper.fetch(branches, at, sought), asked="files")

    async def tree(self, revision: str, work: Callable[[RevisionTree], _T]) -> _T:
        """Do *work* on the tree of *revision*, off the event loop; the tree reads the disk, some 50 microseconds a file.

        Where the mirror turns out to be damaged it is fetched again and *work* is done once more from its start.
        """
        return await self._talk(lambda: self._keeper.tree(revision, work))

    async def search(self, revision: str, prefix: str, question: SearchQuery) -> tuple[TreeEntry, ...]:
        """Return the files at or below *prefix* that answer *question*; only blobs never seen are read."""
        return await self._talk(lambda: self._keeper.search(revision, prefix, question))

    async def history(self, revision: str, limit: int = LIMIT) -> tuple[PastCommit, ...]:
        """Return our own commits among the last *limit* at and below *revision*, newest first; at most one request."""
        return await self._talk(lambda: self._past.below(revision, limit), asked="history")

    async def recall(self, branch: str, revision: str) -> tuple[PastCommit, ...]:
        """Return our last commits at and below *revision*, the head of *branch*, and all that were ever taken back below them.

        Newest first; at most one request, two where the history was rewritten. What was read of the branch is remembered.
        """
        return await self._talk(lambda: self._past.recall(branch, revision), asked="history")

    async def land(
        self,
        *,
        base: str | None,
        branch: str,
        expected: str | None,
        commits: Sequence[NewCommit],
        over: str | None = None,
        manner: PushManner = PLAIN,
    ) -> PushResult:
        """Build *commits* on *base* (None: an empty repository) and move *branch* from *expected* to the last, by one push.

        *expected* is the lease: None says that the branch must not exist. Where it is neither None nor *base* the push
        rewrites the branch, which is allowed only if every commit above the base is ours. Commits that change nothing
        are left out; the same base with the same tree is not pushed again. *over* is the base of a push branch: it is rebuilt or
        grows only if it has a commit of ours above that, and nobody else's, or its head is our own commit to it.

        *manner* says with which push options, and to which second ref the same commit goes by a push of its own: moved forward,
        or rebuilt where every commit of it above *base* is ours. Without *commits* the second ref alone is brought to *expected*,
        where an earlier push to it failed.

        Raises `PushRefused`: ``push-refused`` (look and decide again), ``push-declined``, ``foreign-commits``,
        ``branch-not-ours``; `GitError` ``push-options-unsupported``; `EditError` for a path that may not be written; then nothing
        was pushed. Raises `SecondPushFailed` where *branch* has the commits and the second ref has not.
        """
        return await self._talk(
            lambda: self._lander.land(base, branch, expected, commits, over, manner), asked="a push", may_give_up=False
        )

    async def remove(self, branch: str, expected: str) -> None:
        """Delete *branch* where it still stands at *expected*, by a push with that lease.

        Raises what `land` raises: `PushRefused` ``push-refused`` where it moved or is gone, ``push-declined`` where the server
        keeps its branches.
        """
        await self._talk(lambda: self._lander.remove(branch, expected), asked="a push", may_give_up=False)

    def afterwards(self, work: Callable[[], None]) -> None:
        """Do *work* off the event loop behind the conversation in progress; nobody waits for it."""
        self._worker.submit(work)

    async def check_push(self) -> None:
        """Ask whether the server takes pushes from us, one request; raise `GitDenied` and other `GitError` where it does not."""
        await self._talk(self._remote.check_push)

    async def close(self) -> None:
        """Close files and connections, after the conversation in progress; one that takes longer than 2 s is let go.

        Its thread closes them when it ends, and does not hold up the end of the program.
        """
        self._rest.cancel()
        try:
            await asyncio.wait_for(self._worker.run(self._keeper.close), CLOSE_SECONDS)
        except TimeoutError:
            self._worker.submit(self._keeper.close)

    async def _talk(self, work: Callable[[], _T], *, asked: str = "", may_give_up: bool = True) -> _T:
        """Do *work*, in which the server may be *asked* for something; raise `GitUnavailable` where it is given up."""
        with self._rest.put_off():
            given = self._access if isinstance(self._access, GitAccess) else self._access()
            access = await given if inspect.isawaitable(given) else given

            def talk() -> _T:
                self._remote.use(access)
                try:
                    return work()
                finally:
                    self._keeper.store.pause()

            address = self._remote.address
            self._remote.watch = self.watch
            try:
                if self.watch is None or not asked:
                    return await self._worker.run(talk)
                what = f"{asked} of {address}"
                async with self.watch.asked(address.netloc or address.path, what, may_give_up=may_give_up):
                    return await self._worker.run(talk)
            except SilentServer as silent:
                raise fault("git-timeout", f"{address}: {silent}", hint=HINT) from None


__all__ = ["GitAccess", "Head", "Mirror", "PushManner", "PushResult", "SearchQuery", "Shared", "TreeEntry"]
