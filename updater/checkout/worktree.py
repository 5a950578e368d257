"""How a change in a checkout becomes a commit and a push without a git program, as a CI job needs it.

The commit is built on HEAD's tree and holds the named paths only; what else is changed or staged stays so.
A refused push is not merged: the change is made again on the new head by whoever made it first.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dulwich.config import StackedConfig, env_config
from dulwich.index import Index, IndexEntry, index_entry_from_stat
from dulwich.objects import Blob
from dulwich.repo import Repo

from updater.checkout.config import find_access, find_upstream
from updater.checkout.push import (
    MODULE,
    CheckoutObjects,
    CommitDetails,
    PendingCommit,
    PushAttempt,
    PushedCommit,
    PushOptions,
    new_commit,
    tidy,
)
from updater.checkout.tracking import Tracking, check_format, read_index
from updater.errors import PushRefused
from updater.git.access import parse_address
from updater.git.damage import is_foreign
from updater.git.faults import fault
from updater.git.object_builder import ObjectBuilder
from updater.git.objects import BLOB, object_name
from updater.git.remote import Remote
from updater.git.tree import CheckoutTree, EntryKind, RevisionTree, TreeEntry, check_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ATTEMPTS: Final = 10
_LINK: Final = 0o120000


class Checkout:
    """The repository that *folder* lies in; raises `GitError` ``checkout`` where there is none, or only a bare one."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        try:
            self._repo = Repo.discover(str(folder.resolve()))
        except BaseException as error:
            if not is_foreign(error):
                raise
            raise fault("checkout", f"{folder} is not inside a Git checkout") from error
        if self._repo.bare:
            self._repo.close()
            raise fault("checkout", f"{folder} is a bare repository")
        self.root = Path(self._repo.path)
        self._objects = CheckoutObjects(self._repo)
        self._environment = environment

    @property
    def config(self) -> StackedConfig:
        """The configuration as Git sees it: the environment's first, then the checkout's, the user's and the system's."""
        with tidy():
            stack = self._repo.get_config_stack()
            given = env_config(self._environment)
            return StackedConfig([given, *stack.backends]) if given else stack

    @property
    def head(self) -> str | None:
        """The revision that is checked out; None before the first commit."""
        try:
            return bytes(self._repo.head()).decode()
        except KeyError:
            return None

    @property
    def branch(self) -> str | None:
        """The branch that is checked out; None where HEAD is detached."""
        with contextlib.suppress(KeyError, ValueError):
            chain, _ = self._repo.refs.follow(b"HEAD")  # type: ignore[arg-type]
            name = bytes(chain[-1]).decode("utf-8", "surrogateescape")
            return name.removeprefix("refs/heads/") if name.startswith("refs/heads/") else None
        return None

    async def commit(self, paths: Sequence[str], wording: CommitDetails) -> str | None:
        """Commit *paths* (from the root, as they are on disk) on top of HEAD; None where they hold nothing new.

        Raises `GitError` ``work-tree`` where another program holds the index, and `EditError` for a path that may not be written.
        """
        return await asyncio.to_thread(self._commit, paths, wording)

    @property
    def tree(self) -> RevisionTree | None:
        """The files of the revision that is checked out; None before the first commit."""
        head = self.head
        return RevisionTree(self._objects, head) if head else None

    def is_committed(self, path: str, entry: TreeEntry | None) -> bool:
        """Return whether the file at *path* holds on disk what *entry*, of HEAD's tree, says; raise `EditError`."""
        with tidy():
            if entry is None or entry.kind is not EntryKind.FILE:
                return False
            raw = CheckoutTree(self.root).read(path)
            return entry.id in {object_name(BLOB, raw), object_name(BLOB, self._checked_in(path))}

    async def push(self, revision: str, wording: CommitDetails, push: PushOptions) -> PushedCommit:
        """Push *revision*, which is HEAD; on refusal make its change again on the new head, up to ten times.

        Where HEAD is ahead by several commits, all of them go, as a fast-forward. Raise `PushRefused` where ten times
        were not enough, or where the branch went another way and making one commit again would drop others; the commits
        then stand in the checkout, unpushed.
        """
        config = self.config
        upstream = find_upstream(config, self.branch, push.branch)
        access = push.access or find_access(config, upstream.url, self._environment)
        remote = Remote(parse_address(upstream.url), access, lambda _: None)
        attempt = PushAttempt(self._repo, self._objects, remote, upstream, revision)
        try:
            tip = await _try(attempt, wording, push)
        finally:
            await asyncio.to_thread(remote.close)
        is_current = tip == revision or (attempt.is_ours and await asyncio.to_thread(self._advance, revision, tip))
        return PushedCommit(revision=tip, remote=upstream.remote, branch=upstream.branch, is_current=is_current)

    def close(self) -> None:
        """Close the repository's files."""
        self._repo.close()

    def _commit(self, paths: Sequence[str], wording: CommitDetails) -> str | None:
        with tidy():
            index = _open_index(self._repo)
            files = {path: self._checked_in(path) for path in paths}
            draft, old = ObjectBuilder(self._objects), self.head
            tip = draft.commit(old, new_commit(wording, files))
            if tip is not None:
                for item in draft.made.values():
                    self._repo.object_store.add_object(item)
                self._move_head(old, tip, wording)
            self._stage(index, files)
        return tip

    def _move_head(self, old: str | None, new: str, wording: CommitDetails) -> None:
        text = b"commit: " + wording.message.strip().partition("\n")[0].encode()
        if not self._repo.refs.set_if_equals(
            b"HEAD",  # type: ignore[arg-type]
            old.encode() if old else None,  # type: ignore[arg-type]
            new.encode(),  # type: ignore[arg-type]
            committer=str(wording.committer or wording.author).encode(),
            timestamp=int(wording.when.timestamp()),
            message=text,
        ):
            raise fault("work-tree", "HEAD moved while the commit was made")

    def _checked_in(self, path: str) -> bytes:
        """The bytes to commit: as on disk, with the line ends and filters that the repository asks for."""
        blob = Blob.from_string(CheckoutTree(self.root).read(path))
        name = path.encode("utf-8", "surrogateescape")
        return bytes(self._repo.get_blob_normalizer().checkin_normalize(blob, name).as_raw_string())

    @cached_property
    def tracking(self) -> Tracking:
        """What Git tracks here; raise `GitError` where the checkout is of a kind that is not read."""
        with tidy():
            check_format(self.config)
            return Tracking(self._repo, self.root, self.config)

    def _stage(self, index: Index, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            key = path.encode("utf-8", "surrogateescape")
            status = (self.root / path).lstat()
            old = index[key] if key in index else None  # noqa: SIM401 - an index has no get
            kept = old.mode if isinstance(old, IndexEntry) else None
            mode = kept or (0o100755 if status.st_mode & stat.S_IXUSR else 0o100644)
            index[key] = index_entry_from_stat(status, object_name(BLOB, data).encode(), mode=mode)
        index.write()

    def _advance(self, old: str, new: str) -> bool:
        """Take the checkout from *old* to *new* where no file that differs was touched by anybody; False otherwise."""
        with tidy():
            index = _open_index(self._repo)
            before = {entry.path: entry for entry in RevisionTree(self._objects, old).entries()}
            after = {entry.path: entry for entry in RevisionTree(self._objects, new).entries()}
            moved = [path for path in {**before, **after} if before.get(path) != after.get(path)]
            if not all(self._is_untouched(index, path, before.get(path)) for path in moved):
                return False
            for path in moved:
                self._write(index, path, after.get(path))
            index.write()
            return self._repo.refs.set_if_equals(b"HEAD", old.encode(), new.encode(), message=b"updater: replayed")  # type: ignore[arg-type]

    def _is_untouched(self, index: Index, path: str, entry: TreeEntry | None) -> bool:
        key, file = path.encode("utf-8", "surrogateescape"), self.root / path
        staged = index[key] if key in index else None  # noqa: SIM401 - an index has no get
        if entry is None:
            return staged is None and not os.path.lexists(file)
        if not isinstance(staged, IndexEntry) or bytes(staged.sha).decode() != entry.id:
            return False
        if entry.kind is EntryKind.SUBMODULE:
            return True
        if entry.kind is EntryKind.SYMLINK:
            return file.is_symlink() and object_name(BLOB, os.fsencode(file.readlink())) == entry.id
        found = CheckoutTree(self.root).entry(path)
        return found is not None and found.kind is EntryKind.FILE and object_name(BLOB, self._checked_in(path)) == entry.id

    def _write(self, index: Index, path: str, entry: TreeEntry | None) -> None:
        check_path(path)
        key, file = path.encode("utf-8", "surrogateescape"), self.root / path
        if entry is None:
            file.unlink()
            del index[key]
            return
        if entry.kind is EntryKind.SUBMODULE:
            index[key] = index_entry_from_stat((self.root).lstat(), entry.id.encode(), mode=MODULE)
            return
        data = self._objects.load(entry.id, BLOB)
        if entry.kind is EntryKind.SYMLINK:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            file.symlink_to(os.fsdecode(data))
        else:
            blob = self._repo.get_blob_normalizer().checkout_normalize(Blob.from_string(data), key)
            CheckoutTree(self.root).replace(path, bytes(blob.as_raw_string()))
            file.chmod(0o755 if entry.mode & 0o100 else 0o644)
        index[key] = index_entry_from_stat(
            file.lstat(), entry.id.encode(), mode=_LINK if entry.kind is EntryKind.SYMLINK else entry.mode
        )


def _open_index(repo: Repo) -> Index:
    index = read_index(repo)
    index._extensions = []  # noqa: SLF001 - caches over the old entries, which would lie after a change
    return index


async def _try(attempt: PushAttempt, wording: CommitDetails, push: PushOptions) -> str:
    number, fresh = 0, PendingCommit(attempt.revision) if push.is_new else await asyncio.to_thread(attempt.again, wording, push)
    while not fresh.is_there:
        try:
            await asyncio.to_thread(attempt.send, fresh)
        except PushRefused as error:
            number += 1
            if error.code != "push-refused" or number >= ATTEMPTS:
                raise
        else:
            break
        await push.pause(number)
        fresh = await asyncio.to_thread(attempt.again, wording, push)
    return fresh.revision


__all__ = ["ATTEMPTS", "Checkout", "CommitDetails", "PushOptions", "PushedCommit"]
