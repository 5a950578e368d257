"""The four conversations we hold with a Git server: list, fetch, history and push, over any carrier.

Everything here blocks and belongs into a worker thread. What dulwich or a carrier raises leaves as `GitError`, named by
`updater.git.diagnosis`.
Two of dulwich's habits are undone: a push is compared with the expected head (it would overwrite silently),
and what the server answered for a ref is read (it would be dropped).
"""

from __future__ import annotations

import contextlib
import mmap
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dulwich.client import GitClient, LocalGitClient, SubprocessGitClient
from dulwich.errors import GitProtocolError, HangupException
from dulwich.object_store import ObjectStoreGraphWalker

from updater.errors import GitError, GitUnavailable, PushRefused
from updater.git.conversation import Conversation
from updater.git.diagnosis import Diagnosis, Refusal, conflicting
from updater.git.faults import fault
from updater.git.http_client import GitHttpClient, HttpConnection
from updater.git.inflation import Surveyor
from updater.git.limits import Bounds, shown_size
from updater.git.objects import is_object_id
from updater.git.packed_commits import read_commits
from updater.git.pipes import OpenPipes
from updater.git.pushing import ZERO, RefUpdate, nothing_sent
from updater.git.ref_names import HEADS, PEELED, TAGS, commit_of, full, short, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from dulwich.objects import ShaFile

    from updater.git.access import GitAccess, GitAddress
    from updater.git.ssh_client import SshConnection
    from updater.http.waiting import ServerWatch

_SPOOL_BYTES: Final = 8 * 2**20
_ABOUT_CUTS: Final = ("shallow", "deepen", "depth")
_LOCK_SECONDS: Final = (0.3, 1.0)  # whoever holds the lock of a branch may be about to move it
_HOOKS: Final = ("pre-receive", "update", "post-receive", "post-update", "reference-transaction")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefListing:
    """The commits that a server named, by branch or other ref (`updater.git.ref_names`), and its default branch if it tells one.

    *tags* are all tags where they were asked for. *objects* are the tag objects by which commits were named.
    """

    heads: Mapping[str, str]
    default: str | None
    tags: tuple[str, ...] = ()
    objects: Mapping[str, str] = field(default_factory=dict)

    def only(self, tag: str, *others: str) -> RefListing:
        """Return the listing of *others*, the default branch and of all tags of *tag* alone."""
        heads = {name: head for name, head in self.heads.items() if name in {tag, self.default, *others}}
        objects = {head: name for head, name in self.objects.items() if head in heads.values()}
        return RefListing(heads=heads, default=self.default, tags=(tag,), objects=objects)


class Remote:
    """One repository on its server, with the connections kept between calls; used by one thread at a time.

    *count* is told of every request over HTTP and every command otherwise: look, fetch, history or push; `watch`, where a person
    waits, of what comes from the server. Each conversation has the limits of *bounds*, and the deadline of *access* where it is
    the shorter one. `objects` are the tag objects by which commits are asked for.
    """

    def __init__(
        self, address: GitAddress, access: GitAccess, count: Callable[[str], None], bounds: Bounds | None = None
    ) -> None:
        self.address = address
        self.access = access
        self.bounds = bounds or Bounds()
        self.objects: dict[str, str] = {}  # a server of protocol 0 gives no commit but those that it listed
        self.pause: Callable[[float], None] = time.sleep
        self.warn: Callable[[str], None] = lambda _: None
        self.is_uncut = False  # the server gives a history only as a whole
        self._count = count
        self.watch: ServerWatch | None = None
        self._diagnosis = Diagnosis(address, access)
        self._line: HttpConnection | SshConnection | None = None
        self._contended: dict[str, str | None] = {}  # where a branch was thought to stand, by branch

    @property
    def is_contended(self) -> bool:
        """Whether somebody was faster than our last push to a branch: then every request until the next one counts."""
        return bool(self._contended)

    def use(self, access: GitAccess) -> None:
        """Talk to the server with *access* from now on; connections stay open while it is the same."""
        if access != self.access:
            self.close()
            self.access, self._diagnosis = access, Diagnosis(self.address, access)

    def list(self, branches: Sequence[str], *, with_tags: bool = False) -> RefListing:
        """Ask for the heads of *branches* and other refs; protocol 2 names only refs that begin so, and HEAD.

        *with_tags* asks for all tags too.
        """
        wanted = {full(branch): branch for branch in branches if not commit_of(branch)}
        prefixes = [b"HEAD", *wanted, *([TAGS] if with_tags else [])]
        with self._diagnosis.named(), self._client("look") as (client, _):
            answer = client.get_refs(self._path, protocol_version=2, ref_prefix=prefixes)
        refs = {bytes(name): bytes(value) for name, value in answer.refs.items() if value}
        if any(len(value) != len(ZERO) for value in refs.values()) or answer.object_format not in {None, "sha1"}:
            raise fault("git-object-format", f"{self.address} does not name objects by SHA-1")
        if not all(is_object_id(value.decode("ascii", "replace")) for value in refs.values()):
            raise fault("git-protocol", f"{self.address} lists what is not the name of an object")
        target = next((bytes(end) for name, end in answer.symrefs.items() if name == b"HEAD"), b"")
        default = short(target) if target.startswith(HEADS) else None
        if default is not None and self._diagnosis.masked(default) != default:
            default = None  # the server repeats what it was shown, and the name would be told and kept
        tags = [name for name in refs if with_tags and name.startswith(TAGS) and not name.endswith(PEELED)]
        wanted.update({name: short(name) for name in tags})
        heads = {branch: refs.get(name + PEELED, refs[name]).decode() for name, branch in wanted.items() if name in refs}
        heads.update({branch: commit for branch in branches if (commit := commit_of(branch))})
        objects = {heads[branch]: refs[name].decode() for name, branch in wanted.items() if name + PEELED in refs}
        if default is not None and b"HEAD" in refs:
            heads.setdefault(default, refs[b"HEAD"].decode())
        names = tuple(name.removeprefix(TAGS).decode("utf-8", "surrogateescape") for name in tags)
        return RefListing(heads=heads, default=default, tags=names, objects=objects)

    def fetch(self, wants: Sequence[str], known: Haves, depth: int | None, write: Callable[[bytes], int]) -> None:
        """Write the pack of *wants*, their last *depth* commits (None: all) with their content, minus what is *known*.

        All commits come where the server cuts no history; what is below those that are *known* is then taken for known too.
        """

        def ask(known: Haves, depth: int | None) -> None:
            with self._diagnosis.named(), self._client("fetch", reuse=True) as (client, talk):
                self._fetch_pack(client, wants, known, depth=depth, write=_kept(talk, write), filter_spec=None)

        _ask_cut(self, ask, known, depth, known.haves)

    @contextlib.contextmanager
    def history(self, want: str, known: Haves, depth: int, *, is_bounded: bool = True) -> Iterator[tuple[bytes, ...]]:
        """Yield up to *depth* raw commits down from *want* without those reachable from *known*, in no order.

        Trees and files are left out where the server can filter (``tree:0``); where it cannot they come and are dropped.
        The memory of all of them is taken while the block lasts. Raises `GitError`: ``history-large`` where more than
        `git.limits.history` comes, if *is_bounded*, ``git-limit`` for more than may be held.
        """
        with contextlib.ExitStack() as held, tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as file:
            most = self.bounds.limits.history

            def ask(known: Haves, depth: int | None) -> None:
                with self._diagnosis.named(), self._client("history", reuse=True, thin_packs=False) as (client, talk):

                    def write(data: bytes) -> int:
                        if is_bounded and file.tell() + len(data) > most:
                            raise fault("history-large", f"the history of {self.address} is larger than {shown_size(most)}")
                        talk.keep(len(data))
                        return int(file.write(data))

                    self._fetch_pack(client, [want], known, depth=depth, write=write, filter_spec=b"tree:0")

            _ask_cut(self, ask, known, depth, tuple(name for name in known.haves if name not in known.shallow))
            with self._diagnosis.named():
                found = tuple(_commits(file, self.bounds, held))
            yield found

    def push(
        self, branch: str, expected: str | None, new: str, objects: Sequence[ShaFile], *, options: Sequence[str] = ()
    ) -> None:
        """Move *branch* from *expected* (None: it must not exist) to *new*, sending *objects*; a lease, always.

        *options* are push options; raises `GitError` ``push-options-unsupported`` where the server takes none.

        Over HTTP, after a refusal, the server is not asked for its refs once more before: it compares them itself, and others
        push meanwhile.

        Raises `PushRefused`: ``push-refused`` where the branch stands elsewhere, which a fresh look has shown, ``push-declined``
        and ``branch-conflict`` where it does not and the server refuses all the same. Right after a lost race the server's
        words are enough for ``push-refused``; a push from the same head as the one before is judged by a look. `GitUnavailable`
        ``push-unknown`` where the answer was lost.
        """
        old = (expected or ZERO.decode()).encode()
        told = (*self.access.push_options, *options)
        attempt = RefUpdate(self.address, full(branch), (old, new.encode()), objects, options=told)
        is_contended = self._contended.pop(branch, expected) != expected
        try:
            self._send(attempt, branch, expected, is_contended=is_contended)
        except PushRefused as refused:
            if refused.code == PushRefused.default_code:
                self._contended[branch] = expected
            raise

    def _send(self, attempt: RefUpdate, branch: str, expected: str | None, *, is_contended: bool) -> None:
        try:
            with self._diagnosis.named(), self._client("push") as (client, _):
                if is_contended and isinstance(client, GitHttpClient):
                    client.expected = {attempt.ref: attempt.old} if expected else {}
                _note_offers(client, attempt)
                answer = client.send_pack(
                    self._path, attempt.update, attempt.pack, progress=attempt.talk.extend, push_options=attempt.options
                )
        except GitError as error:
            if attempt.is_sent and (isinstance(error, GitUnavailable) or error.code == "git-limit"):
                raise fault("push-unknown", f"the push to {shown(branch)} broke off: {error.message}") from error
            raise
        refusal = self._diagnosis.judge(shown(branch), answer.ref_status, ref=attempt.ref, talk=bytes(attempt.talk))
        if refusal is not None and is_contended and refusal.may_be_race:
            raise fault("push-refused", refusal.said)
        if refusal is not None:
            raise self._judged(refusal, branch, expected, attempt.branches)

    def check_push(self) -> None:
        """Ask for a push of nothing: raises `GitDenied` or another `GitError` where the server takes none from us."""
        with self._diagnosis.named(), self._client("look") as (client, _):
            client.send_pack(self._path, lambda _refs: {}, nothing_sent)

    def _judged(self, refusal: Refusal, branch: str, expected: str | None, advertised: Collection[str]) -> GitError:
        """Make the error of a refused push: a race only where a fresh look shows another head."""
        if (other := conflicting(branch, advertised)) is not None:
            return fault("branch-conflict", f"{refusal.said}: the branch {other} stands in the way")
        for wait in (0.0, *(_LOCK_SECONDS if refusal.is_locked else ())):
            self.pause(wait)
            if refusal.may_be_race and self.list([branch]).heads.get(branch) != expected:
                return fault("push-refused", refusal.said)
        return fault("push-declined", refusal.said, hint=refusal.hint)

    def close(self) -> None:
        """Close every connection."""
        if self._line is not None:
            self._line.close()
        self._line = None

    @property
    def _path(self) -> Any:
        if self.address.scheme in {"http", "https"}:
            return ""
        return self.address.path.encode("utf-8", "surrogateescape") if self.address.scheme == "ssh" else self.address.path

    def _fetch_pack(self, client: GitClient, wants: Sequence[str], known: Haves, **options: Any) -> None:
        def received(data: bytes) -> int:
            if self.watch:
                self.watch.answered(self.address.netloc or self.address.path)
            written: int = options["write"](data)
            return written

        names: Any = [self.objects.get(want, want).encode() for want in wants]
        walker: Any = ObjectStoreGraphWalker(known.haves, lambda _: [], shallow=set(known.shallow))  # type: ignore[arg-type]
        if isinstance(client, GitHttpClient) and not client.can_filter():
            options["filter_spec"] = None
        client.fetch_pack(
            self._path,
            lambda *_args, **_options: names,
            walker,
            received,
            depth=options["depth"],
            filter_spec=options["filter_spec"],
            protocol_version=2,
            ref_prefix=[HEADS],
        )

    @contextlib.contextmanager
    def _client(self, kind: str, *, reuse: bool = False, thin_packs: bool = True) -> Iterator[tuple[GitClient, Conversation]]:
        talk = Conversation(self.address, self.bounds.limits, deadline=self.access.deadline)
        client = self._make_client(lambda: self._count(kind), reuse=reuse, thin_packs=thin_packs, is_push=kind == "push")
        began = time.monotonic()
        if isinstance(client, (GitHttpClient, OpenPipes)):
            client.talk = talk

        def abort() -> None:  # runs in another thread
            if isinstance(client, OpenPipes):
                client.abort()
            if (line := self._line) is not None:
                line.abort()

        try:
            with talk.bounded(abort), contextlib.closing(client):
                try:
                    yield client, talk
                except GitProtocolError as error:
                    # a program that ends while we write says why on its standard error, and the library reads it no more
                    if isinstance(client, OpenPipes) and isinstance(error.__cause__, OSError) and not talk.is_overdue:
                        raise HangupException(client.last_words()) from error
                    raise
        finally:
            if talk.is_overdue:
                self.close()
            if self.watch and self.watch.trace and self.address.scheme not in {"http", "https"}:  # HTTP tells each request
                self.watch.trace(kind, str(self.address), 0, time.monotonic() - began)

    def _make_client(self, count: Callable[[], None], *, reuse: bool, thin_packs: bool, is_push: bool) -> GitClient:
        if self.address.scheme == "ssh":
            from updater.git.ssh_client import SshClient, SshConnection  # noqa: PLC0415 - paramiko takes 0.4 s, for SSH alone

            if not isinstance(self._line, SshConnection):
                self._line = SshConnection(self.address, self.access)
            return SshClient(self._line, count, thin_packs=thin_packs)
        if self.address.scheme in {"http", "https"}:
            if not isinstance(self._line, HttpConnection):
                self._line = HttpConnection(self.address, self.access, self.watch.trace if self.watch else None)
            return GitHttpClient(self._line, count, thin_packs=thin_packs, reuse=reuse)
        count()
        if _git_program() is not None:
            return GitProgramClient(thin_packs=thin_packs)
        if is_push:
            _refuse_hooks(Path(self.address.path))
        return LocalGitClient()


class GitProgramClient(OpenPipes, SubprocessGitClient):
    """Talks to the git program about a repository on this machine; so its hooks and rules run."""

    @staticmethod
    def _warn_filter_objects() -> None:
        """A repository that does not allow filters sends more; that is no news for a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Haves:
    """What the server may leave out: commits we have (*haves*), and those of them whose parents we lack (*shallow*)."""

    haves: tuple[bytes, ...] = ()
    shallow: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, haves: Sequence[str] = (), shallow: Sequence[str] = ()) -> Haves:
        """Take revisions as text."""
        return cls(haves=tuple(name.encode() for name in haves), shallow=tuple(name.encode() for name in shallow))


def _ask_cut(
    remote: Remote, ask: Callable[[Haves, int | None], None], known: Haves, depth: int | None, whole: tuple[bytes, ...]
) -> None:
    """Ask for *depth* commits; for all above those of *whole* where the server cuts no history, which is found out once."""
    if not remote.is_uncut:
        try:
            return ask(known, depth)
        except GitError as error:
            if not any(word in error.message.lower() for word in _ABOUT_CUTS):
                raise
        remote.is_uncut = True
        remote.warn(f"{remote.address} gives no part of a history: all of it is fetched, once")
    return ask(Haves(haves=whole), None)


def _kept(talk: Conversation, write: Callable[[bytes], int]) -> Callable[[bytes], int]:
    def keep(data: bytes) -> int:
        talk.keep(len(data))
        return write(data)

    return keep


def judge_pack(file: Any, bounds: Bounds) -> None:
    """Raise `GitError` ``git-limit`` where the pack in *file*, read to its end, holds more than *bounds* allow."""
    with _mapped(file) as contents, bounds.memory(Surveyor(contents, bounds.limits).survey().memory):
        return


def _commits(file: Any, bounds: Bounds, held: contextlib.ExitStack) -> Iterator[bytes]:
    if file.tell() == 0:
        return
    with _mapped(file) as contents:
        yield from read_commits(contents, bounds, held)


def _mapped(file: Any) -> mmap.mmap:
    file.flush()
    if isinstance(file, tempfile.SpooledTemporaryFile):
        file.rollover()  # a file on disk can be mapped
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _git_program() -> str | None:
    return shutil.which("git")


def _refuse_hooks(path: Path) -> None:
    folder = path / ".git" / "hooks" if (path / ".git").is_dir() else path / "hooks"
    found = [name for name in _HOOKS if (folder / name).is_file() and (folder / name).stat().st_mode & 0o111]
    if found:
        raise fault("hooks", f"{path} has the hook {found[0]}")


def _note_offers(client: GitClient, attempt: RefUpdate) -> None:
    """Let *attempt* know what the server can do, which the library compares with its own abilities and then forgets."""
    negotiate = client._negotiate_receive_pack_capabilities  # noqa: SLF001 - nothing public tells it

    def noted(offered: set[bytes]) -> Any:
        attempt.offered = offered
        return negotiate(offered)

    client._negotiate_receive_pack_capabilities = noted  # type: ignore[method-assign, assignment] # noqa: SLF001
