"""How our commits reach a branch: built on a base, compared with what stands there, moved there by one push."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from updater.errors import GitError, PushRefused
from updater.git.faults import fault
from updater.git.object_builder import NewCommit, ObjectBuilder
from updater.git.objects import COMMIT
from updater.git.pushing import ZERO
from updater.git.ref_names import shown
from updater.git.trailers import read_past
from updater.model.branch_move import BranchMove

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from updater.git.commit_history import CommitHistory
    from updater.git.fetched_store import FetchedStore
    from updater.git.trailers import CommitInfo

_RACES: Final = 3
_SECOND_HINT: Final = "merge these commits into the branch that is read, or name another ref in the refspec"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResult:
    """What a landing did: the head of the branch now; *is_unchanged* where nothing had to be pushed.

    *commits* has, for each commit that was asked for, its revision; the one before it where it changed nothing.
    """

    revision: str | None
    is_unchanged: bool = False
    commits: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PushManner:
    """How a push is done beside its lease: the push *options* that are sent, and the *second* ref that gets the commit too.

    *second* is a name in a mirror (`updater.git.ref_names`), "" for none. Where *publish* is given, the server makes the commits
    itself: it is called in the thread of the mirror, returns their revisions, and raises `PushRefused` ``push-declined``.
    """

    options: tuple[str, ...] = ()
    second: str = ""
    publish: Callable[[BranchMove], Sequence[str]] | None = None


PLAIN: Final = PushManner()


class SecondPushFailed(GitError):  # noqa: N818 - the name says what is the case
    """The branch has the commit *revision*, and the second ref has not."""

    default_code = "second-push"
    summary = "the second push failed"

    def __init__(self, error: GitError, revision: str, second: str) -> None:
        message = f"{revision[:12]} was pushed, but not to {shown(second)}: {error.message}"
        super().__init__(message, hint=error.hint, code=error.code if error.code != PushRefused.default_code else None)
        self.revision = revision


class Pusher:
    """When a push may happen: over what we hold, with a lease, and never over a commit that is not ours."""

    def __init__(self, keeper: FetchedStore, past: CommitHistory) -> None:
        self._keeper = keeper
        self._past = past

    def land(
        self,
        base: str | None,
        branch: str,
        expected: str | None,
        commits: Sequence[NewCommit],
        over: str | None = None,
        manner: PushManner = PLAIN,
    ) -> PushResult:
        """Build *commits* on *base* and move *branch* from *expected* to them, by one push; see `Mirror.land`."""
        if not commits and expected is not None:
            self._push_second(base, expected, branch, manner)
        self._past.ours.update((new.committer or new.author).address for new in commits)
        draft, tips = self._keeper.mended(base, lambda: self._draft(base, commits))
        tip = tips[-1] if tips else base
        if tip == base or tip is None:
            return PushResult(revision=expected or base, is_unchanged=True)
        if expected is not None and (over is not None or expected != base):
            above = self._check_ours(base if over is None else over, expected, branch)
            if above and above[-1].parents == (base,) and above[0].tree == draft.tree_of(tip):
                self._push_second(base, expected, branch, manner)
                return PushResult(revision=expected, is_unchanged=True)
        is_second = bool(manner.second) and manner.second != branch  # what may not be written is refused before anything is
        seen = [self._second_head(base, manner.second)] if is_second else []
        if manner.publish is not None and base is not None:
            tips = self._published(draft, tips, commits, BranchMove(branch=branch, base=base, expected=expected), manner.publish)
            tip = tips[-1] or tip
        else:
            self._keeper.remote.push(branch, expected, tip, list(draft.made.values()), options=manner.options)
            self._remember(branch, tip, draft)
        self._push_second(base, tip, branch, manner, seen)
        return PushResult(revision=tip, commits=tips)

    def _published(
        self,
        draft: ObjectBuilder,
        tips: Sequence[str | None],
        commits: Sequence[NewCommit],
        move: BranchMove,
        publish: Callable[[BranchMove], Sequence[str]],
    ) -> tuple[str | None, ...]:
        """Let the server make what *draft* has as *tips*, and return the revisions that it gave them.

        Raises `PushRefused`: ``push-refused`` where the branch moved, as a fresh look shows, else ``push-declined``.
        """
        parents = [move.base, *(tip or move.base for tip in tips[:-1])]
        wanted = [
            (tip, draft.wanted(parent, tip, new.files))
            for parent, tip, new in zip(parents, tips, commits, strict=True)
            if tip is not None and tip != parent
        ]
        try:
            made = publish(replace(move, commits=tuple(commit for _, commit in wanted)))
        except PushRefused as refused:
            head = self._keeper.look([move.branch]).heads.get(move.branch)
            if head != move.expected:
                raise fault("push-refused", refused.message) from refused
            raise
        self._keeper.forget(move.branch)
        names = dict(zip((tip for tip, _ in wanted), made, strict=True))
        return tuple(names.get(tip, tip) if tip is not None else None for tip in tips)

    def remove(self, branch: str, expected: str) -> None:
        """Delete *branch* where it stands at *expected*; see `Mirror.remove`."""
        self._keeper.remote.push(branch, expected, ZERO.decode(), ())

    def _move_second(self, base: str | None, revision: str, manner: PushManner, seen: Sequence[str | None]) -> None:
        """Move the second ref of *manner* to *revision*, which the server has: forward, or over commits of ours above *base*.

        *seen* is where it was found to stand a moment ago, if it was looked at.
        Raises `PushRefused` ``branch-not-ours`` where it holds commits of others. A lost race is tried again on the new head.
        """
        looked = list(seen)
        for left in reversed(range(_RACES)):
            head = looked.pop() if looked else self._second_head(base, manner.second)
            if head == revision:
                return
            try:
                self._keeper.remote.push(manner.second, head, revision, (), options=manner.options)
            except PushRefused as error:
                if error.code != PushRefused.default_code or not left:
                    raise
            else:
                return

    def _push_second(
        self, base: str | None, revision: str, branch: str, manner: PushManner, seen: Sequence[str | None] = ()
    ) -> None:
        if not manner.second or manner.second == branch:
            return
        try:
            self._move_second(base, revision, manner, seen)
        except GitError as error:
            raise SecondPushFailed(error, revision, manner.second) from error

    def _second_head(self, base: str | None, name: str) -> str | None:
        """Return where the second ref stands; raise `PushRefused` ``branch-not-ours`` where others wrote there above *base*."""
        head = self._keeper.look([name]).heads.get(name)
        above = self._past.above(base, head) if head is not None and head != base else []
        foreign = next((info for info in above if read_past(info, self._past.ours) is None), None)
        if foreign is not None:
            who = foreign.committer or "somebody"
            message = f"{shown(name)} holds {foreign.revision[:12]} by {who}, which a push would take away"
            raise fault("branch-not-ours", message, hint=_SECOND_HINT)
        return head

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
