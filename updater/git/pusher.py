"""How our commits reach a branch: built on a base, compared with what stands there, moved there by one push."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from updater.errors import GitError
from updater.git.faults import fault
from updater.git.object_builder import NewCommit, ObjectBuilder
from updater.git.objects import COMMIT
from updater.git.trailers import read_past

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.git.commit_history import CommitHistory
    from updater.git.fetched_store import FetchedStore
    from updater.git.trailers import CommitInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResult:
    """What a landing did: the head of the branch now; *is_unchanged* where nothing had to be pushed.

    *commits* has, for each commit that was asked for, its revision; the one before it where it changed nothing.
    """

    revision: str | None
    is_unchanged: bool = False
    commits: tuple[str | None, ...] = ()


class Pusher:
    """When a push may happen: over what we hold, with a lease, and never over a commit that is not ours."""

    def __init__(self, keeper: FetchedStore, past: CommitHistory) -> None:
        self._keeper = keeper
        self._past = past

    def land(
        self, base: str | None, branch: str, expected: str | None, commits: Sequence[NewCommit], over: str | None = None
    ) -> PushResult:
        """Build *commits* on *base* and move *branch* from *expected* to them, by one push; see `Mirror.land`."""
        self._past.ours.update((new.committer or new.author).email.lower() for new in commits)
        draft, tips = self._keeper.mended(base, lambda: self._draft(base, commits))
        tip = tips[-1] if tips else base
        if tip == base or tip is None:
            return PushResult(revision=expected or base, is_unchanged=True)
        if expected is not None and (over is not None or expected != base):
            above = self._check_ours(base if over is None else over, expected, branch)
            if above and above[-1].parents == (base,) and above[0].tree == draft.tree_of(tip):
                return PushResult(revision=expected, is_unchanged=True)
        self._keeper.remote.push(branch, expected, tip, list(draft.made.values()))
        self._remember(branch, tip, draft)
        return PushResult(revision=tip, commits=tips)

    def _draft(self, base: str | None, commits: Sequence[NewCommit]) -> tuple[ObjectBuilder, tuple[str | None, ...]]:
        draft, tip = ObjectBuilder(self._keeper.store.packs), base
        tips: list[str | None] = []
        for new in commits:
            tip = draft.commit(tip, new) or tip
            tips.append(tip)
        return draft, tuple(tips)

    def _check_ours(self, base: str | None, head: str, branch: str) -> Sequence[CommitInfo]:
        """Return the commits of a push branch above its base.

        Raises `PushRefused`: ``foreign-commits`` where somebody else's commit is among ours, ``branch-not-ours`` where none of
        them is ours, also where there are none and its head is no commit that we wrote to this branch.
        """
        above = self._past.above(base, head)
        foreign = [info for info in above if read_past(info, self._past.ours) is None]
        if len(foreign) < len(above) or (not above and self._is_left_by_us(head, branch)):
            if not foreign:
                return above
            who = foreign[0].committer or "somebody"
            raise fault("foreign-commits", f"the push branch holds {foreign[0].revision[:12]} by {who}")
        raise fault("branch-not-ours", f"the push branch {branch} exists, and updater never wrote to it")

    def _is_left_by_us(self, head: str, branch: str) -> bool:
        """Return whether *head* is our own commit to *branch*; one to another branch was brought here by people.

        Commits of versions that did not name the branch count for every branch.
        """
        info = self._past.commit(head)
        past = read_past(info, self._past.ours) if info is not None else None
        return past is not None and branch in (past.branches or (branch,))

    def _remember(self, branch: str, tip: str, draft: ObjectBuilder) -> None:
        """Keep what was pushed; the landing is done, so trouble with the cache is left to the next fetch."""
        made = list(draft.made.values())
        self._past.extend(branch, tip, [item.as_raw_string() for item in made if item.type_num == COMMIT])
        with contextlib.suppress(GitError):
            self._keeper.take(branch, tip, made)
