"""Knows what lies below a head and above a base; the server is asked only where neither the log nor the store tells.

History comes apart from trees, commits only, so that the object store promises nothing below a head.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.errors import GitError
from updater.git.faults import fault
from updater.git.history import CommitInfo, CommitLog, read_past, undone
from updater.git.objects import COMMIT, object_name
from updater.git.remote import Known, Remote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.git.keeper import Keeper
    from updater.model.view import PastCommit

LIMIT: Final = 200


class Past:
    """Knows the commits of one repository that were read once, and which are ours.

    *ours* holds our committers' addresses in lower case; it belongs to whoever made it, who may share it, and may grow.
    """

    def __init__(self, remote: Remote, keeper: Keeper, ours: set[str]) -> None:
        self._remote = remote
        self._keeper = keeper
        self._log = CommitLog(keeper.store.folder / "updater-commits")
        self._anchor: str | None = None
        self.ours = ours

    def below(self, revision: str, limit: int) -> tuple[PastCommit, ...]:
        """Our own commits among the last *limit* at and below *revision*, newest first."""
        self._read_stored(revision)
        found, is_whole = self._log.walk(revision, limit)
        if not is_whole:
            head = [revision] if self._log.get(revision) is not None else []  # what we lack is never claimed
            known = Known.of([*head, *([self._anchor] if self._anchor else [])], head)
            self._log.add(self._remote.history(revision, known, limit), reaches_end=True)
            found, _ = self._log.walk(revision, limit)
        if not found:
            raise fault("history-missing", f"{self._remote.address} did not give the history of {revision[:12]}")
        self._anchor = revision
        taken_back = undone(found)
        ours = (past for info in found if (past := read_past(info, self.ours)) is not None)
        return tuple(replace(past, reverted_by=taken_back.get(past.revision)) for past in ours)

    def above(self, base: str | None, expected: str) -> list[CommitInfo]:
        """All commits from *expected*, the first, down to *base*; raises `PushRefused` ``foreign-commits`` for too many."""
        known = self._chain(expected, base)
        if known is not None:
            return known
        raws = self._remote.history(expected, Known.of([base] if base else []), LIMIT + 1)
        self._log.add(raws)
        infos = (self._log.get(object_name(COMMIT, raw)) for raw in raws)
        names = {info.revision: info for info in infos if info is not None}
        if len(names) > LIMIT:
            raise fault("foreign-commits", f"the push branch is more than {LIMIT} commits away from its base")
        order = [info for info in self._log.walk(expected, LIMIT + 1)[0] if info.revision in names]
        return order if len(order) == len(names) else [*order, *(info for info in names.values() if info not in order)]

    def extend(self, tip: str, commits: Sequence[bytes]) -> None:
        """Remember the raw *commits* that we pushed, of which *tip* is the last."""
        self._anchor = tip if self._anchor is not None else None
        self._log.add(commits)

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
            info = self._log.get(name) if name is not None else None
            if info is None or len(info.parents) > 1 or len(found) > LIMIT:
                return None
            found.append(info)
            name = info.parents[0] if info.parents else None
        return found
