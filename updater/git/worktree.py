"""Knows how a change in a checkout becomes a commit and a push without a git program, as a CI job needs it.

The commit is built on HEAD's tree and holds the named paths only; what else is changed or staged stays so.
A refused push is not merged: the change is made again on the new head by whoever made it first.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dulwich.config import StackedConfig, env_config
from dulwich.errors import NotGitRepository
from dulwich.file import FileLocked
from dulwich.index import Index, IndexEntry, index_entry_from_stat
from dulwich.objects import Blob, ObjectID
from dulwich.repo import Repo

from updater.errors import EditError, GitError, PushRefused
from updater.git.access import Access, parse_address
from updater.git.building import Draft, Identity, NewCommit
from updater.git.checkout_config import Upstream, find_access, find_upstream
from updater.git.faults import fault
from updater.git.objects import BLOB, COMMIT, commit_tree, object_name
from updater.git.remote import Known, Remote
from updater.git.tree import CheckoutTree, Entry, Kind, RevisionTree, check_path, read_folder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from updater.git.signing import Signer

ATTEMPTS: Final = 10
_LINK: Final = 0o120000
_MODULE: Final = 0o160000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Everything of a commit but its files; *when* is aware, *committer* is the author where it is None."""

    message: str
    author: Identity
    when: datetime
    signer: Signer | None = None
    committer: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A push that arrived: *revision* is now the head of *branch*; *is_current* says that the checkout stands on it."""

    revision: str
    remote: str
    branch: str
    is_current: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """How to push: *branch* overrules the upstream, *access* the checkout's configuration.

    *replay* is given the tree of the new head after a refusal and returns the files to write there; it runs in a worker
    thread. *pause* is awaited before the n-th new attempt (n from 1): it sleeps, with jitter. *reword* gives the words of the
    new commit after each replay; without it, they are those of the first.
    """

    replay: Callable[[RevisionTree], Mapping[str, bytes]]
    pause: Callable[[int], Awaitable[None]]
    reword: Callable[[], Wording] | None = None
    branch: str | None = None
    access: Access | None = None


class Checkout:
    """The repository that *folder* lies in; raises `GitError` ``checkout`` where there is none, or only a bare one."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        try:
            self._repo = Repo.discover(str(folder.resolve()))
        except (NotGitRepository, OSError, ValueError) as error:
            raise fault("checkout", f"{folder} is not inside a Git checkout") from error
        if self._repo.bare:
            self._repo.close()
            raise fault("checkout", f"{folder} is a bare repository")
        self.root = Path(self._repo.path)
        self._objects = _Objects(self._repo)
        self._environment = environment

    @property
    def config(self) -> StackedConfig:
        """The configuration as Git sees it: the environment's first, then the checkout's, the user's and the system's."""
        with _tidy():
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

    async def commit(self, paths: Sequence[str], wording: Wording) -> str | None:
        """Commit *paths* (from the root, as they are on disk) on top of HEAD; None where they hold nothing new.

        Raises `GitError` ``work-tree`` where another program holds the index, and `EditError` for a path that may not be written.
        """
        return await asyncio.to_thread(self._commit, paths, wording)

    async def push(self, revision: str, wording: Wording, push: Push) -> Pushed:
        """Push *revision*, which `commit` made; on refusal make it again on the new head, up to ten times.

        Raises `PushRefused` where that was not enough; the commit then stands in the checkout, unpushed.
        """
        config = self.config
        upstream = find_upstream(config, self.branch, push.branch)
        access = push.access or find_access(config, upstream.url, self._environment)
        remote = Remote(parse_address(upstream.url), access, lambda _: None)
        attempt = _Attempt(self._repo, self._objects, remote, upstream)
        try:
            tip = await self._try(attempt, revision, wording, push)
        finally:
            await asyncio.to_thread(remote.close)
        is_current = tip == revision or await asyncio.to_thread(self._advance, revision, tip)
        return Pushed(revision=tip, remote=upstream.remote, branch=upstream.branch, is_current=is_current)

    def close(self) -> None:
        """Close the repository's files."""
        self._repo.close()

    @staticmethod
    async def _try(attempt: _Attempt, revision: str, wording: Wording, push: Push) -> str:
        tip, number = revision, 0
        while True:
            try:
                await asyncio.to_thread(attempt.send, tip)
            except PushRefused as error:
                number += 1
                if error.code != "push-refused" or number >= ATTEMPTS:
                    raise
            else:
                return tip
            await push.pause(number)
            fresh = await asyncio.to_thread(attempt.again, wording, push)
            if fresh.is_there:
                return fresh.revision
            tip = fresh.revision

    def _commit(self, paths: Sequence[str], wording: Wording) -> str | None:
        with _tidy():
            index = self._open_index()
            files = {path: self._checked_in(path) for path in paths}
            draft, old = Draft(self._objects), self.head
            tip = draft.commit(old, _new(wording, files))
            if tip is not None:
                for item in draft.made.values():
                    self._repo.object_store.add_object(item)
                self._move_head(old, tip, wording)
            self._stage(index, files)
        return tip

    def _move_head(self, old: str | None, new: str, wording: Wording) -> None:
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

    def _open_index(self) -> Index:
        folder = Path(self._repo.index_path()).parent
        if Path(f"{self._repo.index_path()}.lock").exists():
            raise fault("work-tree", "another git program holds the index")
        if next(folder.glob("sharedindex.*"), None) is not None:
            raise fault("work-tree", "the index is split", hint="run git update-index --no-split-index")
        index = self._repo.open_index()
        index._extensions = []  # noqa: SLF001 - caches over the old entries, which would lie after a change
        return index

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
        with _tidy():
            index = self._open_index()
            before = {entry.path: entry for entry in RevisionTree(self._objects, old).entries()}
            after = {entry.path: entry for entry in RevisionTree(self._objects, new).entries()}
            moved = [path for path in {**before, **after} if before.get(path) != after.get(path)]
            if not all(self._is_untouched(index, path, before.get(path)) for path in moved):
                return False
            for path in moved:
                self._write(index, path, after.get(path))
            index.write()
            return self._repo.refs.set_if_equals(b"HEAD", old.encode(), new.encode(), message=b"updater: replayed")  # type: ignore[arg-type]

    def _is_untouched(self, index: Index, path: str, entry: Entry | None) -> bool:
        key, file = path.encode("utf-8", "surrogateescape"), self.root / path
        staged = index[key] if key in index else None  # noqa: SIM401 - an index has no get
        if entry is None:
            return staged is None and not os.path.lexists(file)
        if not isinstance(staged, IndexEntry) or bytes(staged.sha).decode() != entry.id:
            return False
        if entry.kind is Kind.SUBMODULE:
            return True
        if entry.kind is Kind.SYMLINK:
            return file.is_symlink() and object_name(BLOB, os.fsencode(file.readlink())) == entry.id
        found = CheckoutTree(self.root).entry(path)
        return found is not None and found.kind is Kind.FILE and object_name(BLOB, self._checked_in(path)) == entry.id

    def _write(self, index: Index, path: str, entry: Entry | None) -> None:
        check_path(path)
        key, file = path.encode("utf-8", "surrogateescape"), self.root / path
        if entry is None:
            file.unlink()
            del index[key]
            return
        if entry.kind is Kind.SUBMODULE:
            index[key] = index_entry_from_stat((self.root).lstat(), entry.id.encode(), mode=_MODULE)
            return
        data = self._objects.load(entry.id, BLOB)
        if entry.kind is Kind.SYMLINK:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            file.symlink_to(os.fsdecode(data))
        else:
            blob = self._repo.get_blob_normalizer().checkout_normalize(Blob.from_string(data), key)
            CheckoutTree(self.root).replace(path, bytes(blob.as_raw_string()))
            file.chmod(0o755 if entry.mode & 0o100 else 0o644)
        index[key] = index_entry_from_stat(
            file.lstat(), entry.id.encode(), mode=_LINK if entry.kind is Kind.SYMLINK else entry.mode
        )


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A commit made again; *is_there* where the remote holds the wanted values already."""

    revision: str
    is_there: bool


@dataclass(slots=True)
class _Attempt:
    """One push on its way, to be sent and made again until it arrives."""

    repo: Repo
    objects: _Objects
    remote: Remote
    upstream: Upstream

    def send(self, tip: str) -> None:
        """Push *tip* where the branch stands on its parent."""
        raw = self.objects.load(tip, COMMIT)
        parent = next((line[7:47].decode() for line in raw.split(b"\n\n")[0].split(b"\n") if line.startswith(b"parent ")), None)
        with _tidy():
            self.remote.push(self.upstream.branch, parent, tip, [self.repo.object_store[name] for name in self._new(tip, parent)])
            self._track(tip)

    def again(self, wording: Wording, push: Push) -> _Fresh:
        """Fetch the new head and make the change on it."""
        with _tidy():
            listing = self.remote.list([self.upstream.branch])
            head = listing.heads.get(self.upstream.branch)
            if head is not None:
                self._fetch(head)
            files = push.replay(RevisionTree(self.objects, head)) if head is not None else {}
            draft = Draft(self.objects)
            words = push.reword() if push.reword else wording
            tip = draft.commit(head, _new(words, files)) if files else None
            if tip is None:
                if head is None:
                    raise fault("branch-missing", f"the branch {self.upstream.branch} is gone")
                self._track(head)
                return _Fresh(head, is_there=True)
            for item in draft.made.values():
                self.repo.object_store.add_object(item)
            return _Fresh(tip, is_there=False)

    def _fetch(self, head: str) -> None:
        if head.encode() in self.repo.object_store:  # type: ignore[operator]
            return
        cut = {bytes(name).decode() for name in self.repo.get_shallow()}
        known = Known.of(self._parents(), sorted(cut))
        with tempfile.SpooledTemporaryFile(4 * 2**20) as file:
            self.remote.fetch([head], known, 1 if cut else None, file.write)
            file.seek(0)
            self.repo.object_store.add_thin_pack(file.read, None)
        if cut:
            self.repo.update_shallow({ObjectID(head.encode())}, set())

    def _parents(self) -> list[str]:
        """What the server surely has of ours: the parents of our unpushed commit."""
        raw = self.objects.load(bytes(self.repo.head()).decode(), COMMIT)
        return [line[7:47].decode() for line in raw.split(b"\n\n")[0].split(b"\n") if line.startswith(b"parent ")]

    def _new(self, tip: str, parent: str | None) -> Iterator[Any]:
        """Every object of *tip* that its parent has not."""
        before = self.objects.load(parent, COMMIT) if parent else None
        yield tip.encode()
        yield from self._new_in(commit_tree(self.objects.load(tip, COMMIT)), commit_tree(before) if before else None)

    def _new_in(self, tree: str, old: str | None) -> Iterator[Any]:
        if tree == old:
            return
        yield tree.encode()
        had = {name: child for name, _, child in read_folder(self.objects, old)} if old else {}
        for name, mode, child in read_folder(self.objects, tree):
            if mode == stat.S_IFDIR:
                yield from self._new_in(child, had.get(name))
            elif had.get(name) != child and mode != _MODULE:
                yield child.encode()

    def _track(self, tip: str) -> None:
        name = f"refs/remotes/{self.upstream.remote}/{self.upstream.branch}".encode("utf-8", "surrogateescape")
        self.repo.refs[name] = tip.encode()  # type: ignore[index, assignment]


class _Objects:
    """The objects of a checkout, proved as they are read."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo

    def load(self, name: str, kind: int) -> bytes:
        """See `Objects.load`."""
        try:
            number, data = self._repo.object_store.get_raw(name.encode())  # type: ignore[arg-type]
        except (KeyError, OSError, ValueError) as error:
            raise self._broken(name) from error
        if number != kind or object_name(kind, data) != name:
            raise self._broken(name)
        return data

    def scan(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """See `Objects.scan`."""
        return ((name, self.load(name, BLOB)) for name in names)

    @staticmethod
    def _broken(name: str) -> GitError:
        return fault("mirror-broken", f"the checkout cannot give {name[:12]}", hint="run git fsck; a filtered clone lacks files")


@contextlib.contextmanager
def _tidy() -> Iterator[None]:
    try:
        yield
    except (GitError, EditError):
        raise
    except FileLocked as error:
        raise fault("work-tree", "another git program holds a lock of the checkout") from error
    except (OSError, ValueError, KeyError, AssertionError) as error:
        text = os.strerror(error.errno or 0) if isinstance(error, OSError) else f"{type(error).__name__} {error}"
        raise fault("work-tree", f"the checkout cannot be read or written: {text}") from error


def _new(wording: Wording, files: Mapping[str, bytes]) -> NewCommit:
    who, when = (wording.author, wording.committer), wording.when
    return NewCommit(message=wording.message, author=who[0], committer=who[1], files=files, when=when, signer=wording.signer)
