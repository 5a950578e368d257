"""Contains what people took back below the head of a branch, and what wrote each file last: read once, then only what is new.

Of a long history only these are kept: reverts of our commits, reverts of those, the commits that they name, last writes.
Everything else is let go. What is kept on disk is a cache: another version or any damage, and it is empty.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from updater.git.regular_files import read_regular
from updater.git.store import write_atomically
from updater.git.trailers import PLACE, REJECTED, SUBSCRIPTION, CommitInfo, brought_in, named_reverts, read_trailers, undone
from updater.model.text import is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

FORMAT: Final = 3
MOST_BRANCHES: Final = 1000
LARGEST: Final = 16 * 2**20
MOST_TEXT: Final = LARGEST // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchDecisions:
    """What people decided at and below *head*: the commits *kept* for it, newest first.

    *brought* has, by a reverted merge and the parent whose state came back, which commits of ours the merge brought in.
    """

    head: str
    kept: tuple[CommitInfo, ...]
    brought: Mapping[tuple[str, str], tuple[str, ...]]

    def taken_back(self) -> dict[str, str]:
        """Return which commits were taken back, and by which."""
        return undone(self.kept, self.brought)


def decisions(head: str, commits: Sequence[CommitInfo], before: BranchDecisions | None = None) -> BranchDecisions:
    """Return what *commits*, newest first, decide on top of what was decided *before*."""
    known = {info.revision: info for info in commits}
    brought = dict(before.brought) if before else {}
    for info in commits:
        for name, main in named_reverts(info):
            found = tuple(gone for gone in brought_in(known, name, main) if _may_be_ours(known[gone]))
            if found:
                brought[name, main] = found
    every = [*commits, *(info for info in (before.kept if before else ()) if info.revision not in known)]
    taken_back = undone(every, brought)
    reverts = _concerned(every, brought)
    writes = _last_writes([info for info in every if info.revision not in taken_back]) - reverts
    kept_names = _fitting(
        [*(info for info in every if info.revision in reverts), *(info for info in every if info.revision in writes)]
    )
    kept = tuple(info for info in every if info.revision in kept_names)
    named = {pair for info in kept for pair in named_reverts(info)}
    return BranchDecisions(head=head, kept=kept, brought={pair: found for pair, found in brought.items() if pair in named})


def are_resolved(commits: Sequence[CommitInfo], before: BranchDecisions, get: Callable[[str], CommitInfo | None]) -> bool:
    """Return whether everything that new *commits* revert is known: among them, decided *before*, or a plain commit by *get*."""
    known = {info.revision: info for info in commits}
    old = {info.revision for info in before.kept}
    for name, kept in (pair for info in commits for pair in named_reverts(info)):
        if name in old:
            continue
        info = known.get(name) or get(name)
        if info is None:
            return False
        if len(info.parents) > 1:
            main = kept if kept in info.parents else info.parents[0]
            if name not in known or (main not in known and main != before.head):
                return False
    return True


def _concerned(commits: Sequence[CommitInfo], brought: Mapping[tuple[str, str], tuple[str, ...]]) -> set[str]:
    """Name the reverts of what may be ours, our own reverts, reverts of those, and what they name."""
    ours = {info.revision for info in commits if _may_be_ours(info)}
    found = {info.revision for info in commits if info.revision in ours and REJECTED in read_trailers(info.message)}
    for info in reversed(commits):  # what is reverted comes before its revert
        named = [gone for pair in named_reverts(info) for gone in (pair[0], *brought.get(pair, ()))]
        if matching := {gone for gone in named if gone in ours or gone in found}:
            found |= matching | {info.revision}
    return found


def _last_writes(commits: Sequence[CommitInfo]) -> set[str]:
    """Name the newest commits that wrote each file for each subscription: by them a rollback by hand is told, however old.

    *commits* are newest first, without what was taken back. Whose they are is not known here, so each committer counts by itself.
    """
    found: dict[tuple[str, str, str], str] = {}
    for info in commits:
        if PLACE in info.message:
            for line in read_trailers(info.message).get(PLACE, ()):
                key, _, sums = line.rpartition(" ")
                for name in sums.split(","):
                    found.setdefault((info.committer, key, name), info.revision)
    return set(found.values())


def _fitting(commits: Iterable[CommitInfo]) -> set[str]:
    """Name the first of *commits* that together say no more than is kept of a branch."""
    left = MOST_TEXT
    found: set[str] = set()
    for info in commits:
        left -= info.text_bytes
        if left < 0:
            break
        found.add(info.revision)
    return found


def _may_be_ours(info: CommitInfo) -> bool:
    return SUBSCRIPTION in info.message and SUBSCRIPTION in read_trailers(info.message)


class DecisionFile:
    """The decisions of every branch of one repository, kept in the file at *path*."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, BranchDecisions] | None = None

    def get(self, branch: str) -> BranchDecisions | None:
        """Return what is known of *branch*."""
        return self._all().get(branch)

    def put(self, branch: str, found: BranchDecisions) -> None:
        """Keep what was read of *branch*; a disk that is full or read-only costs the next start a longer read."""
        known = self._all()
        known.pop(branch, None)
        known[branch] = found
        if len(known) > MOST_BRANCHES:
            del known[next(iter(known))]
        body = orjson.dumps([FORMAT, {name: _row(item) for name, item in known.items() if is_plain(name)}])
        with contextlib.suppress(OSError):
            write_atomically(self._path, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)

    def _all(self) -> dict[str, BranchDecisions]:
        if self._known is None:
            self._known = _read(self._path)
        return self._known


def _read(path: Path) -> dict[str, BranchDecisions]:
    try:
        if path.stat().st_size > LARGEST:
            return {}
        total, _, body = read_regular(path).partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != total:
            return {}
        version, rows = orjson.loads(body)
        return {name: _decisions(row) for name, row in rows.items()} if version == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _row(found: BranchDecisions) -> dict[str, Any]:
    return {"head": found.head, "kept": found.kept, "brought": [[*pair, *names] for pair, names in found.brought.items()]}


def _decisions(row: Mapping[str, Any]) -> BranchDecisions:
    return BranchDecisions(
        head=row["head"],
        kept=tuple(
            CommitInfo(**{**info, "parents": tuple(info["parents"]), "when": datetime.fromisoformat(info["when"])})
            for info in row["kept"]
        ),
        brought={(name, kept): tuple(names) for name, kept, *names in row["brought"]},
    )
