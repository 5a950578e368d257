"""How the edits of `set` become a commit and a push, and are made again where the push was refused."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from updater.checkout.config import ci_branch, find_identities, find_upstream
from updater.checkout.edit import FolderFiles, SetRequest, SetResult, edit_files
from updater.checkout.worktree import Checkout, CommitDetails, PushOptions
from updater.editors import kustomize
from updater.errors import EditError
from updater.git.tree import EntryKind
from updater.model.problem import Problem
from updater.model.update import Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from updater.checkout.edit import Files
    from updater.git.object_builder import Identity
    from updater.git.tree import RevisionTree


class RevisionFiles:
    """The files of one revision below *prefix*, as `edit_files` reads them."""

    def __init__(self, tree: RevisionTree, prefix: str, only: str | None) -> None:
        self.only = only
        self._tree = tree
        self._prefix = prefix

    def names(self) -> Iterator[str]:
        """Return the names of all regular files."""
        if self.only is not None:
            yield self.only
            return
        for entry in self._tree.entries(self._prefix or "."):
            if entry.kind is EntryKind.FILE:
                yield entry.path.removeprefix(self._prefix)

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file, None where there is none."""
        try:
            return self._tree.read(self._prefix + name)
        except EditError as error:
            if error.code == "no-file":
                return None
            raise


class TrackedFolder(FolderFiles):
    """A folder on disk of which only the files are walked through that *is_here* takes."""

    def __init__(self, path: Path, is_here: Callable[[str], bool]) -> None:
        super().__init__(path)
        self._is_here = is_here

    def names(self) -> Iterator[str]:
        """Yield the names of the files that count."""
        return (name for name in super().names() if self._is_here(name))


class SingleFile:
    """One file, named as in its folder; *data* is None where it is not there."""

    def __init__(self, name: str, data: bytes | None) -> None:
        self.only: str | None = name
        self._data = data

    def names(self) -> Iterator[str]:
        """Return its name."""
        yield str(self.only)

    def read(self, name: str) -> bytes | None:
        """Return its bytes, None for every other name."""
        return self._data if name == self.only else None


class NoFiles:
    """The files before the first commit: none."""

    only: str | None = None

    def names(self) -> Iterator[str]:
        """Return no name."""
        return iter(())

    def read(self, _name: str) -> bytes | None:
        """Return nothing."""
        return None


def singles(requests: SetRequest) -> Iterator[SetRequest]:
    """Return every request alone."""
    nothing = replace(requests, markers=(), entries=(), keys=())
    yield from (replace(nothing, markers=(marker,)) for marker in requests.markers)
    yield from (replace(nothing, entries=(entry,)) for entry in requests.entries)
    yield from (replace(nothing, keys=(key,)) for key in requests.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRequest:
    """How to commit: *message* (None: say what changed), *author* where Git knows of none, and whether to push.

    *branch* is where the push goes; None is the upstream, and where HEAD is detached the branch that the CI service names.
    """

    message: str | None
    author: Identity
    is_push: bool
    branch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitResult:
    """What came of a commit: its revision, None where nothing was new, and what was written and refused in it."""

    revision: str | None
    written: SetResult


class CheckoutCommitter:
    """The checkout that a folder lies in, where requests become a commit and a push.

    Made before any file is written: raises `GitError` where there is no checkout (``checkout``) or the push has no goal
    (``no-branch``). *is_standing* says that a commit was made which the remote has not.
    """

    def __init__(self, folder: FolderFiles, requests: SetRequest, order: CommitRequest) -> None:
        self.is_standing = False
        self._folder, self._requests, self._order = folder, requests, order
        self._checkout = checkout = Checkout(folder.root, os.environ)
        try:
            prefix = folder.root.resolve().relative_to(checkout.root.resolve()).as_posix()
            self._prefix = "" if prefix == "." else f"{prefix}/"
            self._branch = order.branch or (ci_branch(os.environ) if checkout.branch is None else None)
            self.tracking = checkout.tracking
            if order.is_push:
                find_upstream(checkout.config, checkout.branch, self._branch)
        except BaseException:
            checkout.close()
            raise
        self._landed = SetResult()
        self._refused: tuple[Problem, ...] = ()

    @property
    def folder(self) -> FolderFiles:
        """The folder, with the files alone that Git tracks, and those of submodules, which are refused."""
        return TrackedFolder(self._folder.path, self._is_here)

    def _is_here(self, name: str) -> bool:
        path = self._prefix + name
        return self.tracking.is_tracked(path) or self.tracking.is_in_submodule(path)

    def allowed(self, written: SetResult) -> SetResult:
        """Refuse each edit that Git could not commit as it stands on disk; the others stay."""
        self._refused = self._refusals(written, frozenset())
        return _without(written, self._refused)

    def _refusals(self, written: SetResult, ignored: frozenset[str]) -> tuple[Problem, ...]:
        """Return which files of *written* must not be committed from here, but for reasons that are *ignored*."""
        found = [(edit.path, self.tracking.refusal(self._prefix + edit.path)) for edit in written.edits]
        return tuple(
            Problem(path=path, code=error.code, message=error.message, hint=error.hint)
            for path, error in found
            if error is not None and error.code not in ignored
        )

    async def land(self, written: SetResult) -> CommitResult:
        """Commit what was *written*, and what an earlier run wrote and did not commit, on top of HEAD; and push.

        A refused push is made again from the requests, on the new head. A commit of an earlier run that the remote lacks is
        pushed too; what landed is then said as the difference to the remote.
        """
        try:
            self._landed = await asyncio.to_thread(self._with_pending, written)
            words = self._wording()
            paths = [self._prefix + edit.path for edit in self._landed.edits]
            made = await self._checkout.commit(paths, words) if paths else None
            head = self._checkout.head
            if self._order.is_push and head is not None:
                return await self._push(head, words, is_new=made is not None)
            return CommitResult(revision=made, written=self._landed)
        finally:
            self._checkout.close()

    async def _push(self, head: str, words: CommitDetails, *, is_new: bool) -> CommitResult:
        self.is_standing = is_new
        here = self._landed
        push = PushOptions(replay=self._replay, pause=_pause, reword=self._wording, branch=self._branch, is_new=is_new)
        try:
            pushed = await self._checkout.push(head, words, push)
        except BaseException:
            self._landed = here
            raise
        return CommitResult(revision=pushed.revision if self._landed.edits else None, written=self._landed)

    def _wording(self) -> CommitDetails:
        author, committer = find_identities(self._checkout.config, os.environ, self._order.author)
        message = self._order.message or commit_text(self._requests, self._landed, self._prefix)
        return CommitDetails(message=message, author=author, committer=committer, when=datetime.now(UTC))

    def _replay(self, tree: RevisionTree) -> Mapping[str, bytes]:
        found = edit_files(RevisionFiles(tree, self._prefix, self._folder.only), self._requests)
        # a file that only the new head has is not tracked here, and may be written there
        refused = dict.fromkeys((*self._refused, *self._refusals(found, frozenset({"untracked"}))))
        self._landed = found = _without(found, tuple(refused))
        return {self._prefix + edit.path: edit.after for edit in found.edits}

    def _with_pending(self, written: SetResult) -> SetResult:
        """Add the files that hold on disk what HEAD does not, as an earlier run left them."""
        tree = self._checkout.tree
        head: Files = NoFiles() if tree is None else RevisionFiles(tree, self._prefix, self._folder.only)
        done = {edit.path for edit in written.edits}
        mine = [name for name in self._candidates() if name not in done and self.tracking.refusal(self._prefix + name) is None]
        differing = [name for name in mine if self._differs(tree, name)]
        if not differing:
            return written
        lost = [request for request in singles(self._requests) if not edit_files(head, request).is_whole]
        found = [edit for name in differing if (edit := self._pending(head, name, lost)) is not None]
        edits = sorted((*written.edits, *found), key=lambda edit: edit.path)
        return SetResult(edits=tuple(edits), refused=written.refused, unmatched=written.unmatched)

    def _candidates(self) -> Iterable[str]:
        """The files in which a request can stand; all are looked at only where markers are wished for."""
        if self._requests.markers or self._folder.only is not None:
            return self.folder.names()
        entries = kustomize.NAMES if self._requests.entries else ()
        return dict.fromkeys((*entries, *(key.file.removeprefix("./") for key in self._requests.keys)))

    def _differs(self, tree: RevisionTree | None, name: str) -> bool:
        path = self._prefix + name
        try:
            return not self._checkout.is_committed(path, tree.entry(path) if tree else None)
        except EditError:
            return False  # what is no readable file holds no value

    def _on_disk(self, name: str) -> bytes | None:
        try:
            return self._folder.read(name)
        except EditError:
            return None  # the edit has said so already

    def _pending(self, head: Files, name: str, lost: list[SetRequest]) -> Edit | None:
        """Return the file as an edit of HEAD's where it holds a value that HEAD's does not.

        A file that HEAD does not know counts only for a request that stands nowhere in HEAD: a stray copy stays out.
        """
        before = head.read(name)
        requests = lost if before is None else list(singles(self._requests))
        disk = self._on_disk(name) if requests else None
        old, new = SingleFile(name, before), SingleFile(name, disk)
        if disk is None or not any(_stands(new, request) and not _stands(old, request) for request in requests):
            return None
        found = edit_files(old, self._requests).edits
        return Edit(path=name, before=before or b"", after=disk, changes=found[0].changes if found else ())


def _without(written: SetResult, refused: tuple[Problem, ...]) -> SetResult:
    """Drop the edits of the files that are *refused*, and say so."""
    paths = {problem.path for problem in refused}
    kept = tuple(edit for edit in written.edits if edit.path not in paths)
    return SetResult(edits=kept, refused=(*written.refused, *refused), unmatched=written.unmatched)


def _stands(files: Files, request: SetRequest) -> bool:
    found = edit_files(files, request)
    return found.is_whole and not found.edits


def commit_text(requests: SetRequest, written: SetResult, prefix: str) -> str:
    """Return which requests were written, and each change by its path from the root of the repository."""
    every = list(singles(requests))
    met = [request for request in every if any(_is_written(edit, request) for edit in written.edits)] or every
    named = [f"{request.name} to {request.image}" for one in met for request in (*one.markers, *one.entries)]
    named += [f"{request.key} to {request.value}" for one in met for request in one.keys]
    subject = f"Set {named[0]}" if len(named) == 1 else f"Set {len(named)} images"
    lines = [
        f"{prefix}{change.path}: {change.where} {change.old or 'nothing'} → {change.new or 'nothing'}"
        for change in written.changes
    ]
    return "\n".join((subject, "", *lines)) + "\n"


def _is_written(edit: Edit, request: SetRequest) -> bool:
    """Return whether *edit* did something for one request: it stands after it, or there is less to do."""
    before, after = (edit_files(SingleFile(edit.path, data), request) for data in (edit.before or None, edit.after))
    return after.is_whole and not after.edits and (bool(before.edits) or not before.is_whole)


async def _pause(attempt: int) -> None:
    await asyncio.sleep(min(0.1 * 2**attempt, 5.0) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
