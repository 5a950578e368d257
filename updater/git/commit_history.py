"""What lies below a head and above a base; the server is asked only where neither the log nor the store tells.

History comes apart from trees, commits only, so that the object store promises nothing below a head.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.errors import GitError
from updater.git.faults import fault
from updater.git.limits import exceeded
from updater.git.objects import COMMIT
from updater.git.own_commits import OwnCommits
from updater.git.remote import Haves, Remote
from updater.git.reverts import BranchDecisions, DecisionFile, are_resolved, decisions
from updater.git.trailers import (
    KEPT,
    CommitInfo,
    CommitLog,
    named_reverts,
    newest_first,
    read_commit,
    undone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from updater.git.fetched_store import FetchedStore
    from updater.git.store import MirrorStore
    from updater.model.view import PastCommit

LIMIT: Final = 200
MOST: Final = 100_000


class CommitHistory:
    """The commits of one repository that were read once, and which are ours.

    *ours* holds our committers' addresses in lower case; it belongs to whoever made it, who may share it, and may grow.
    """

    def __init__(self, remote: Remote, keeper: FetchedStore, ours: set[str]) -> None:
        self._remote = remote
        self._keeper = keeper
        self._log = CommitLog(keeper.store.folder / "updater-commits")
        self._decided = DecisionFile(keeper.store.folder / "updater-reverts")
        self._anchor: str | None = None
        self._own = OwnCommits(ours)
        self.ours = ours

    def below(self, revision: str, limit: int) -> tuple[PastCommit, ...]:
        """Our own commits among the last *limit* at and below *revision*, newest first."""
        self._read_stored(revision)
        found, is_whole = self._log.walk(revision, limit)
        if not is_whole:
            head = [revision] if self._log.get(revision) is not None else []  # what we lack is never claimed
            known = Haves.of([*head, *([self._anchor] if self._anchor else [])], head)
            with self._ask(revision, known, limit) as raws:
                self._log.add(raws, reaches_end=True)
            found, _ = self._log.walk(revision, limit)
        if not found:
            raise fault("history-missing", f"{self._remote.address} did not give the history of {revision[:12]}")
        self._anchor = revision
        taken_back = undone(found)
        ours = (past for info in found if (past := self._own.read(info)) is not None)
        return tuple(_with_revert(past, taken_back) for past in ours)

    def recall(self, branch: str, revision: str) -> tuple[PastCommit, ...]:
        """Our last commits at and below *revision*, the head of *branch*, and below what was taken back or wrote a file last.

        The whole history is read once, up to `MOST` commits and without trees where the server can leave them out; after that
        only what is new on the branch. A history that was rewritten is read again.
        """
        self._read_stored(revision)
        decided = self._decided.get(branch)
        if decided is None or decided.head != revision:
            decided = self._learn(branch, revision, decided)
        found, is_whole = self._log.walk(revision, LIMIT)
        if not is_whole:
            self.below(revision, LIMIT)
            found, _ = self._log.walk(revision, LIMIT)
        self._anchor = revision
        taken_back = decided.taken_back()
        recent = {info.revision for info in found}
        kept = {info.revision: info for info in decided.kept}  # the log may have let go of what they say
        found = [kept.get(info.revision, info) for info in found]
        older = [info for info in decided.kept if info.revision not in recent]
        recent_ones = self._own.with_followers(found)
        ours = (*recent_ones, *(past for info in older if (past := self._own.read(info)) is not None))
        return tuple(_with_revert(past, taken_back) for past in ours)

    def _learn(self, branch: str, revision: str, before: BranchDecisions | None) -> BranchDecisions:
        """Read what is new since *before*; all of it where the history was rewritten, or a revert names what was let go."""
        with self._read_below(revision, before.head if before else None) as (raws, commits, missing):
            is_above = before is not None and before.head in missing
            if before is None or (is_above and are_resolved(commits, before, self._log.told)):
                return self._decide(branch, revision, (raws, commits), before)
        with self._read_below(revision, None) as (raws, commits, _):  # it may be cut, above what was decided
            return self._decide(branch, revision, (raws, commits), before if is_above else None)

    def _decide(
        self, branch: str, revision: str, read: tuple[dict[str, bytes], list[CommitInfo]], before: BranchDecisions | None
    ) -> BranchDecisions:
        raws, commits = read
        if not commits:
            raise fault("history-missing", f"{self._remote.address} did not give the history of {revision[:12]}")
        named = [info for item in commits for name, _ in named_reverts(item) if (info := self._log.told(name)) is not None]
        self._log.add([raws[info.revision] for info in commits[:KEPT]])
        decided = decisions(revision, [*commits, *named], before)
        self._decided.put(branch, decided)
        return decided

    @contextlib.contextmanager
    def _read_below(self, revision: str, known: str | None) -> Iterator[tuple[dict[str, bytes], list[CommitInfo], set[str]]]:
        """Yield the commits below *revision* that *known* does not reach: raw by name, newest first, and the parents beyond.

        Where limits cut what is read, *known* counts as beyond: that it is no longer below cannot be told.
        """
        beyond: set[str] = set()
        with contextlib.ExitStack() as held:
            try:
                read = self._stored_above(known, revision) if known else None
                read = read or held.enter_context(self._ask(revision, Haves.of([known] if known else []), MOST))
                commits = _taken_apart(read, self._remote.bounds.limits.memory)
            except GitError as error:
                if error.code not in {"history-large", "git-limit"}:
                    raise
                held.close()
                beyond = {known} if known else set()
                read = held.enter_context(self._ask(revision, Haves(), LIMIT, is_bounded=False))
                commits = _taken_apart(read, self._remote.bounds.limits.memory)
            order, missing = newest_first({name: info for name, (info, _) in commits.items()}, revision, MOST)
            yield {name: raw for name, (_, raw) in commits.items()}, order, missing | beyond

    @contextlib.contextmanager
    def _ask(self, revision: str, known: Haves, most: int, *, is_bounded: bool = True) -> Iterator[tuple[bytes, ...]]:
        """Ask the server; where it gives whole histories alone, the store has it already."""
        bounds = self._remote.bounds
        if self._remote.is_uncut and (stored := _stored_below(self._keeper.store, revision, known, (most, bounds.limits.memory))):
            with bounds.memory(sum(map(len, stored))):
                yield stored
        else:
            with self._remote.history(revision, known, most, is_bounded=is_bounded) as raws:
                yield raws

    def _stored_above(self, known: str, revision: str) -> tuple[bytes, ...] | None:
        """Return the commits from *revision* down to *known* where all of them were fetched, each with one parent."""
        found: list[bytes] = []
        with contextlib.suppress(GitError):
            packs = self._keeper.store.packs
            while revision != known and len(found) < LIMIT and revision in packs:
                found.append(packs.load(revision, COMMIT))
                parents = read_commit(found[-1]).parents
                revision = parents[0] if len(parents) == 1 else ""
        return tuple(found) if revision == known else None

    def above(self, base: str | None, expected: str) -> list[CommitInfo]:
        """All commits from *expected*, the first, down to *base*; raise `PushRefused` ``foreign-commits`` for too many."""
        known = self._chain(expected, base)
        if known is not None:
            return known
        with self._ask(expected, Haves.of([base] if base else []), LIMIT + 1) as raws:
            self._log.add(raws)
            names = {info.revision: info for info in map(read_commit, raws)}
        if len(names) > LIMIT:
            raise fault("foreign-commits", f"the push branch is more than {LIMIT} commits away from its base")
        order = [names[info.revision] for info in self._log.walk(expected, LIMIT + 1)[0] if info.revision in names]
        return order if len(order) == len(names) else [*order, *(info for info in names.values() if info not in order)]

    def commit(self, revision: str) -> CommitInfo | None:
        """Return one commit; at most one request. None where the server does not give it."""
        self._read_stored(revision)
        if self._log.get(revision) is None:
            with self._ask(revision, Haves(), 1) as raws:
                self._log.add(raws)
        return self._log.get(revision)

    def extend(self, branch: str, tip: str, commits: Sequence[bytes]) -> None:
        """Remember the raw *commits* that we pushed to *branch*, of which *tip* is the last; they take nothing back."""
        self._anchor = tip if self._anchor is not None else None
        self._log.add(commits)
        decided = self._decided.get(branch)
        if decided is not None and any(decided.head in read_commit(raw).parents for raw in commits):
            self._decided.put(branch, decisions(tip, [read_commit(raw) for raw in reversed(commits)], decided))

    def _read_stored(self, revision: str) -> None:
        if self._log.get(revision) is not None:
            return
        with contextlib.suppress(GitError):  # the history that is asked for next holds it too
            store = self._keeper.store
            store.open()
            if revision in store.heads.values():
                self._log.add([self._keeper.mended(revision, lambda: store.packs.load(revision, COMMIT))])

    def _chain(self, expected: str, base: str | None) -> list[CommitInfo] | None:
        """The commits from *expected* to *base* where each has one parent and all are known; None otherwise."""
        found: list[CommitInfo] = []
        name: str | None = expected
        while name != base:
            info = self._log.told(name) if name is not None else None
            if info is None or len(info.parents) > 1 or len(found) > LIMIT:
                return None
            found.append(info)
            name = info.parents[0] if info.parents else None
        return found


def _taken_apart(raws: Sequence[bytes], most: int) -> dict[str, tuple[CommitInfo, bytes]]:
    """Read *raws*, by revision; raise `GitError` ``git-limit`` where what they say needs more than *most* bytes of memory."""
    found: dict[str, tuple[CommitInfo, bytes]] = {}
    left = most
    for raw in raws:
        info = read_commit(raw)
        found[info.revision] = (info, raw)
        left -= info.text_bytes
        if left < 0:
            raise exceeded("memory", "what the commits of one history say needs more memory", most)
    return found


def _with_revert(past: PastCommit, taken_back: Mapping[str, str]) -> PastCommit:
    return replace(past, reverted_by=taken_back[past.revision]) if past.revision in taken_back else past


def _stored_below(store: MirrorStore, revision: str, known: Haves, most: tuple[int, int]) -> tuple[bytes, ...]:
    """Return the last commits below *revision* and above *known*, newest first; none where one is not stored.

    *most* is how many, and how many bytes of them: none for more bytes, and the server refuses those by its own pack.
    """
    found: list[bytes] = []
    seen = {revision, *(name.decode() for name in known.haves if name not in known.shallow)}
    waiting, size = [revision], 0
    with contextlib.suppress(GitError):
        store.open()
        while waiting and len(found) < most[0] and size <= most[1]:
            found.append(store.packs.load(waiting.pop(0), COMMIT))
            size += len(found[-1])
            parents = [name for name in read_commit(found[-1]).parents if name not in seen]
            seen.update(parents)
            waiting += parents
        if size <= most[1]:
            return tuple(found)
    return ()
