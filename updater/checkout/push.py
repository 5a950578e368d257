"""How commits of a checkout reach the remote's branch, made again where somebody was faster, and drops nobody's work."""

from __future__ import annotations

import contextlib
import stat
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dulwich.file import FileLocked
from dulwich.graph import can_fast_forward
from dulwich.objects import ObjectID

from updater.errors import UpdaterError
from updater.git.damage import is_foreign, renamed
from updater.git.faults import fault
from updater.git.object_builder import Identity, NewCommit, ObjectBuilder
from updater.git.objects import BLOB, COMMIT, NAMES, commit_tree, object_name, require_kind
from updater.git.remote import Haves, Remote, judge_pack
from updater.git.tree import RevisionTree, read_folder
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
    from datetime import datetime

    from dulwich.repo import Repo

    from updater.checkout.config import Upstream
    from updater.errors import GitError
    from updater.git.access import GitAccess
    from updater.git.signing import Signer

MODULE: Final = 0o160000


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitDetails:
    """Everything of a commit but its files; *when* is aware, *committer* is the author where it is None."""

    message: str
    author: Identity
    when: datetime
    signer: Signer | None = None
    committer: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedCommit:
    """A push that arrived: *revision* is now the head of *branch*; *is_current* says that the checkout stands on it."""

    revision: str
    remote: str
    branch: str
    is_current: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """How to push: *branch* overrules the upstream, *access* the checkout's configuration.

    *replay* is given the tree of the new head after a refusal and returns the files to write there; it runs in a worker
    thread. *pause* is awaited before the n-th new attempt (n from 1): it sleeps, with jitter. *reword* gives the words of the
    new commit after each replay; without it, they are those of the first. *is_new* is False where HEAD was not committed
    just now: then the remote is asked first, and nothing is pushed where *replay* finds nothing to write there.
    """

    replay: Callable[[RevisionTree], Mapping[str, bytes]]
    pause: Callable[[int], Awaitable[None]]
    reword: Callable[[], CommitDetails] | None = None
    branch: str | None = None
    is_new: bool = True
    access: GitAccess | None = None


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """A commit to push, over *base* where that is not its parent; *is_there* where the remote needs none.

    With *makes_branch* the branch does not exist; *base* is then what the server is known to hold, None for nothing.
    """

    revision: str
    base: str | None = None
    is_there: bool = False
    makes_branch: bool = False


@dataclass(slots=True)
class PushAttempt:
    """One push of *revision*, which is HEAD, on its way: to be sent, and made again until it arrives.

    *is_ours* says that the checkout may leave *revision* for what was pushed, as that loses nothing of anybody.
    """

    repo: Repo
    objects: CheckoutObjects
    remote: Remote
    upstream: Upstream
    revision: str
    is_ours: bool = True

    def send(self, fresh: PendingCommit) -> None:
        """Push where the branch stands on the base, or on the parent."""
        is_made = fresh.makes_branch
        base = fresh.base if is_made else fresh.base or next(iter(self._parents(fresh.revision)), None)
        with tidy():
            names = dict.fromkeys(self._missing(fresh.revision, base))
            self.remote.push(
                self.upstream.branch, None if is_made else base, fresh.revision, [self.repo.object_store[name] for name in names]
            )
            self._track(fresh.revision)

    def again(self, wording: CommitDetails, push: PushOptions) -> PendingCommit:
        """Fetch the new head; take HEAD where it is a fast-forward, else make the change on the new head."""
        with tidy():
            listing = self.remote.list([self.upstream.branch])
            head = listing.heads.get(self.upstream.branch)
            if head is None and push.branch is not None:
                return _on_new_branch(self, listing.heads.get(listing.default or ""), push)
            if head is None:
                raise fault("branch-missing", f"the branch {self.upstream.branch} is gone")
            self._fetch(head)
            is_ahead = can_fast_forward(self.repo, ObjectID(head.encode()), ObjectID(self.revision.encode()))
            files = {} if push.is_new else push.replay(RevisionTree(self.objects, head))
            if not push.is_new and not files:
                self.is_ours = False
            elif is_ahead:
                return PendingCommit(self.revision, head)
            else:
                self._require_ours(head, wording, push)
                files = push.replay(RevisionTree(self.objects, head))
            return self._made(head, push.reword() if push.reword else wording, files)

    def _made(self, head: str, wording: CommitDetails, files: Mapping[str, bytes]) -> PendingCommit:
        draft = ObjectBuilder(self.objects)
        tip = draft.commit(head, new_commit(wording, files)) if files else None
        if tip is None:
            self._track(head)
            return PendingCommit(head, is_there=True)
        for item in draft.made.values():
            self.repo.object_store.add_object(item)
        return PendingCommit(tip)

    def _require_ours(self, head: str, wording: CommitDetails, push: PushOptions) -> None:
        """Refuse to make one commit again where that would drop what else HEAD holds."""
        lost = self._unpushed(head)
        if not lost or (len(lost) == 1 and (push.is_new or self._is_remade(wording, push))):
            return
        count = "a commit" if len(lost) == 1 else "several commits"
        message = f"{self.upstream.branch} has diverged, and HEAD holds {count} that would be lost if the change were made again"
        hint = f"git pull --rebase {self.upstream.remote} {self.upstream.branch}, then run the same command again"
        raise fault("diverged", message, hint=hint)

    def _unpushed(self, head: str) -> list[str]:
        """At most two commits of HEAD that the server was never seen to hold."""
        tracked = _tracked(self.repo, self.upstream)
        held = {head.encode(), *self.repo.get_shallow(), *([tracked.encode()] if tracked else [])}
        known = [ObjectID(name) for name in held if name in self.repo.object_store]  # type: ignore[operator]
        found = self.repo.get_walker(include=[ObjectID(self.revision.encode())], exclude=known, max_entries=2)
        return [bytes(entry.commit.id).decode() for entry in found]

    def _is_remade(self, wording: CommitDetails, push: PushOptions) -> bool:
        """Return whether HEAD is nothing but the change that *push* makes, as an earlier run committed it."""
        parent = next(iter(self._parents(self.revision)), None)
        if parent is None:
            return False
        draft = ObjectBuilder(self.objects)
        made = draft.commit(parent, new_commit(wording, push.replay(RevisionTree(self.objects, parent))))
        return made is not None and draft.tree_of(made) == RevisionTree(self.objects, self.revision).root

    def _missing(self, tip: str, base: str | None) -> Iterator[Any]:
        """Every object of the commits up to *tip* that *base* has not."""
        exclude = [ObjectID(base.encode())] if base else []
        for entry in self.repo.get_walker(include=[ObjectID(tip.encode())], exclude=exclude):
            name = bytes(entry.commit.id).decode()
            yield from self._new(name, next(iter(self._parents(name)), None))

    def _new(self, tip: str, parent: str | None) -> Iterator[Any]:
        """Every object of *tip* that its parent has not."""
        before = self.objects.load(parent, COMMIT) if parent else None
        yield tip.encode()
        yield from self._new_in(commit_tree(self.objects.load(tip, COMMIT)), commit_tree(before) if before else None)

    def _parents(self, revision: str) -> list[str]:
        return [bytes(name).decode() for name in self.repo.get_parents(ObjectID(revision.encode()))]

    def _fetch(self, head: str) -> None:
        if head.encode() in self.repo.object_store:  # type: ignore[operator]
            return
        cut = {bytes(name).decode() for name in self.repo.get_shallow()}
        tracked = _tracked(self.repo, self.upstream)
        haves = [*self._parents(self.revision), *([tracked] if tracked else [])]
        known = Haves.of(haves, sorted(cut))
        with tempfile.SpooledTemporaryFile(4 * 2**20) as file:
            self.remote.fetch([head], known, 1 if cut else None, file.write)
            judge_pack(file, self.remote.bounds)
            file.seek(0)
            self.repo.object_store.add_thin_pack(file.read, None)
        if cut:
            self.repo.update_shallow({ObjectID(head.encode())}, set())

    def _new_in(self, tree: str, old: str | None) -> Iterator[Any]:
        if tree == old:
            return
        yield tree.encode()
        had = {name: child for name, _, child in read_folder(self.objects, old)} if old else {}
        for name, mode, child in read_folder(self.objects, tree):
            if mode == stat.S_IFDIR:
                yield from self._new_in(child, had.get(name))
            elif had.get(name) != child and mode != MODULE:
                yield child.encode()

    def _track(self, tip: str) -> None:
        self.repo.refs[_tracking(self.upstream)] = ObjectID(tip.encode())


def _on_new_branch(attempt: PushAttempt, default: str | None, push: PushOptions) -> PendingCommit:
    """Push HEAD as a branch that does not exist yet, unless that would hold nothing new."""
    repo, head = attempt.repo, ObjectID(attempt.revision.encode())
    base = default if default and default.encode() in repo.object_store else None  # type: ignore[operator]
    if base and not push.is_new and can_fast_forward(repo, head, ObjectID(base.encode())):
        attempt.is_ours = False
        return PendingCommit(attempt.revision, is_there=True)
    return PendingCommit(attempt.revision, base, makes_branch=True)


def _tracking(upstream: Upstream) -> Any:
    return f"refs/remotes/{upstream.remote}/{upstream.branch}".encode("utf-8", "surrogateescape")


def _tracked(repo: Repo, upstream: Upstream) -> str | None:
    """Where the branch stood when it was last seen."""
    ref = _tracking(upstream)
    name = repo.refs.read_loose_ref(ref) or repo.refs.get_packed_refs().get(ref)
    return bytes(name).decode() if name else None


class CheckoutObjects:
    """The objects of a checkout, proved as they are read."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo

    def load(self, name: str, kind: int) -> bytes:
        """See `Objects.load`."""
        number, data = self._proved(name)
        require_kind(name, kind, number)
        return data

    def size(self, name: str) -> int:
        """See `Objects.size`."""
        return len(self.load(name, BLOB))

    def holding(self, names: Collection[str], needles: Collection[bytes]) -> Iterator[tuple[str, bool]]:
        """See `Objects.holding`."""
        for name in names:
            number, data = self._proved(name)
            yield name, number != BLOB or any(needle in data for needle in needles)

    def _proved(self, name: str) -> tuple[int, bytes]:
        with renamed(lambda _: self._broken(name)):
            number, data = self._repo.object_store.get_raw(name.encode())  # type: ignore[arg-type]
        if number not in NAMES or object_name(number, data) != name:
            raise self._broken(name)
        return number, data

    @staticmethod
    def _broken(name: str) -> GitError:
        return fault("mirror-broken", f"the checkout cannot give {name[:12]}", hint="run git fsck; a filtered clone lacks files")


@contextlib.contextmanager
def tidy() -> Iterator[None]:
    """Turn what a checkout's files and locks may raise into `GitError` ``work-tree``."""
    try:
        yield
    except UpdaterError:
        raise
    except FileLocked as error:
        raise fault("work-tree", "another git program holds a lock of the checkout") from error
    except BaseException as error:
        if not is_foreign(error):
            raise
        if isinstance(error, OSError) and (said := reason_of(error)):
            raise fault("work-tree", f"the checkout cannot be read or written: {said}") from error
        hint = "run git fsck and git status, which name the damage"
        raise fault("work-tree", "a file in the .git folder of the checkout is damaged", hint=hint) from error


def new_commit(wording: CommitDetails, files: Mapping[str, bytes]) -> NewCommit:
    """Make the commit of *files* in these words."""
    who, when = (wording.author, wording.committer), wording.when
    return NewCommit(message=wording.message, author=who[0], committer=who[1], files=files, when=when, signer=wording.signer)
