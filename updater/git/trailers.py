"""How our commits are recognised in a history: the trailers they carry, and the commits that were read once.

A commit is ours when its committer's address is one of ours *and* its last paragraph holds a trailer
``Updater-Subscription:``. A person's commit that quotes our trailers is a person's commit. What GitHub committed itself for a bot
that asked its API is that bot's.
"""

from __future__ import annotations

import contextlib
import heapq
import re
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from updater.git.objects import COMMIT, commit_tree, object_name
from updater.git.regular_files import open_regular, read_regular
from updater.git.store import write_atomically
from updater.model.view import PastCommit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

SUBSCRIPTION: Final = "Updater-Subscription"
POLICY: Final = "Updater-Policy"
IMAGE: Final = "Updater-Image"
REJECTED: Final = "Updater-Rejected"
REPLACED: Final = "Updater-Replaced"
CHANGE: Final = "Updater-Change"
BRANCH: Final = "Updater-Branch"
PLACE: Final = "Updater-Place"
TRAILERS: Final = {
    "subscriptions": SUBSCRIPTION,
    "policies": POLICY,
    "images": IMAGE,
    "rejected": REJECTED,
    "replaced": REPLACED,
    "changes": CHANGE,
    "branches": BRANCH,
    "places": PLACE,
}
_KEYS: Final = frozenset(TRAILERS.values())
_TRAILER: Final = re.compile(r"([A-Za-z0-9-]+)\s*:\s*+(.*)")
_PERSON: Final = re.compile(rb"^committer ([^\n<>]*?) ?<([^<>\n]*)> (-?\d+) ([+-]\d{4})$", re.MULTILINE)
#: GitHub commits and signs what bots ask its API for itself, as noreply: then the bot is who committed
_SERVER: Final = "noreply@"
_BOT: Final = re.compile(rb"^author [^\n<>]*? ?<([^<>\n]{1,200}\[bot\]@users\.noreply\.[^<>\n]{1,200})> ", re.MULTILINE)
_MAX_FILE: Final = 2 * 2**20
_ROOM: Final = 4  # a file that grew to so many times its limit is shortened while the program runs
KEPT: Final = 1000
_GROWTH: Final = 100
_MOST_TEXT: Final = 8 * 2**20

# What `git revert` writes into the body (git, sequencer.c); of a merge also the parent whose state came back.
_REVERTS: Final = re.compile(
    r"^This reverts commit ([0-9a-f]{40})(?:,\s+reversing\s+changes\s+made\s+to\s+([0-9a-f]{40}))?", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitInfo:
    """What is kept of a commit; *committer* is an address in lower case.

    *message* holds its subject, what it says that it reverts, and our trailers; "" where it has neither of the two.
    """

    revision: str
    parents: tuple[str, ...]
    tree: str
    committer: str
    when: datetime
    message: str

    @property
    def text_bytes(self) -> int:
        """How much memory the text takes: one character that is not Latin makes all of them wider."""
        return sys.getsizeof(self.message) if self.message else 0


def add_trailers(message: str, **values: Sequence[str]) -> str:
    """Return *message* with our trailers in its last paragraph, each once; line breaks inside a value become spaces.

    *values* are by the words of `TRAILERS`, and stand in that order.
    """
    rows = ((key, values.get(word, ())) for word, key in TRAILERS.items())
    lines = [f"{key}: {' '.join(value.split())}" for key, values in rows for value in dict.fromkeys(values)]
    body = message.strip("\n")
    if not lines:
        return body + "\n"
    last = body.rsplit("\n\n", 1)[-1].splitlines()
    is_block = "\n\n" in body and all(_TRAILER.fullmatch(line) for line in last)
    return body + ("\n" if is_block else "\n\n") + "\n".join(lines) + "\n"


def without_trailers(message: str) -> str:
    """Return *message* as people wrote it: without our trailers in its last paragraph."""
    body, gap, last = message.strip("\n").rpartition("\n\n")
    ours = tuple(f"{key}:" for key in TRAILERS.values())
    kept = [line for line in last.splitlines() if not gap or not line.startswith(ours)]
    return (body + gap + "\n".join(kept)).strip("\n")


def read_trailers(message: str) -> dict[str, tuple[str, ...]]:
    """Return the trailers of the last paragraph by key; keys are compared without case by Git, ours are written one way."""
    paragraphs = re.split(r"\n[ \t]*\n", message.replace("\r\n", "\n").strip())
    if len(paragraphs) < 2:
        return {}
    found: dict[str, list[str]] = {}
    for line in paragraphs[-1].splitlines():
        if (match := _TRAILER.fullmatch(line)) is not None and match[2].strip():
            found.setdefault(match[1], []).append(match[2].strip())
    return {key: tuple(values) for key, values in found.items()}


def read_past(info: CommitInfo, ours: AbstractSet[str]) -> PastCommit | None:
    """Read one of our own commits; None where it is somebody else's. *ours* holds addresses in lower case."""
    if info.committer not in ours:
        return None
    trailers = read_trailers(info.message)
    if not trailers.get(SUBSCRIPTION):
        return None
    return PastCommit(
        revision=info.revision,
        when=info.when,
        subject=info.message.strip().splitlines()[0],
        subscriptions=trailers[SUBSCRIPTION],
        images=trailers.get(IMAGE, ()),
        policies=trailers.get(POLICY, ()),
        rejected=trailers.get(REJECTED, ()),
        replaced=trailers.get(REPLACED, ()),
        changes=trailers.get(CHANGE, ()),
        branches=trailers.get(BRANCH, ()),
        places=trailers.get(PLACE, ()),
    )


def named_reverts(info: CommitInfo) -> list[tuple[str, str]]:
    """Return what a commit says that it reverts: revisions, each with the parent whose state came back, "" if none is named."""
    return _REVERTS.findall(info.message)


def undone(
    commits: Iterable[CommitInfo], brought: Mapping[tuple[str, str], Iterable[str]] = MappingProxyType({})
) -> dict[str, str]:
    """Return which commits were taken back, and by which: *commits* are newest first, as `git revert` writes them.

    A reverted merge takes back what it brought in: all that its other parents reach and the kept one does not; *brought* has
    it for merges that are not among *commits*. A revert that was itself reverted takes nothing back.
    """
    known = {info.revision: info for info in commits}
    taken_back: dict[str, str] = {}
    for info in known.values():
        if info.revision in taken_back:
            continue
        for name, kept in named_reverts(info):
            for gone in (name, *brought.get((name, kept), ()), *brought_in(known, name, kept)):
                taken_back.setdefault(gone, info.revision)
    return taken_back


def brought_in(known: Mapping[str, CommitInfo], merge: str, kept: str) -> AbstractSet[str]:
    """What *merge* added to its parent *kept*, as far as it is *known*; to the first one where *kept* is none of them."""
    parents = known[merge].parents if merge in known else ()
    if len(parents) < 2:
        return frozenset()
    main = kept if kept in parents else parents[0]
    return _reached(known, [name for name in parents if name != main]) - _reached(known, [main])


def _reached(known: Mapping[str, CommitInfo], starts: Iterable[str]) -> AbstractSet[str]:
    found: set[str] = set()
    queue = [name for name in starts if name in known]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(parent for parent in known[name].parents if parent in known)
    return found


def read_commit(raw: bytes) -> CommitInfo:
    """Take a raw commit apart; a malformed committer or time becomes "" or 1970, and is then nobody's commit of ours."""
    head, _, message = raw.partition(b"\n\n")
    person = _PERSON.search(head)
    text = message.decode("utf-8", "replace")
    return CommitInfo(
        revision=object_name(COMMIT, raw),
        parents=tuple(line[7:47].decode("ascii", "replace") for line in head.split(b"\n") if line.startswith(b"parent ")),
        tree=commit_tree(raw),
        committer=_committer(person[2], head) if person else "",
        when=_when(int(person[3])) if person else _when(0),
        message=_kept(text),
    )


def _kept(message: str) -> str:
    """Return what is needed of *message* later; the table that people read may be far longer."""
    if SUBSCRIPTION not in message and "This reverts commit" not in message:
        return ""
    reverts = [found[0] for found in _REVERTS.finditer(message)]
    trailers = [f"{key}: {value}" for key, values in read_trailers(message).items() if key in _KEYS for value in values]
    if not reverts and not trailers:
        return ""
    return "\n\n".join(filter(None, [message.strip().splitlines()[0], "\n".join(reverts), "\n".join(trailers)]))


def _committer(address: bytes, head: bytes) -> str:
    """Return who committed, in lower case: *address*, or the bot in whose name a server did."""
    committer = address.decode("utf-8", "replace").lower()
    bot = _BOT.search(head) if committer.startswith(_SERVER) else None
    return bot[1].decode("utf-8", "replace").lower() if bot else committer


def _when(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


class CommitLog:
    """The commits that were read once, kept in a file of raw commits; each is proved by its name, which is its hash.

    A process of weeks sees every commit of its branches: after each `_GROWTH` of them those that nobody walked over meanwhile are
    let go. What is asked for again is asked of the server. Where what commits say comes to more than `_MOST_TEXT`, the oldest
    count as nobody's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, CommitInfo] = {}
        self._used: set[str] = set()
        self._grown = 0
        self._texts = 0
        self._untold: set[str] = set()
        self._ends: set[str] = set()
        self._is_read = False
        self._size = 0

    def add(self, commits: Iterable[bytes], *, reaches_end: bool = False) -> None:
        """Remember raw *commits*; with *reaches_end* parents that are still missing are not asked for again."""
        self._read()
        fresh = {info.revision: (info, raw) for raw in commits if (info := read_commit(raw)).revision not in self._known}
        self._take(info for info, _ in fresh.values())
        self._grown += len(fresh)
        if reaches_end:
            self._ends.update(parent for info in self._known.values() for parent in info.parents if parent not in self._known)
        if fresh:
            self._append([raw for _, raw in fresh.values()])
        if self._size > _MAX_FILE * _ROOM:
            with contextlib.suppress(OSError):
                self._shrink(list(_records(read_regular(self._path))))

    def get(self, revision: str) -> CommitInfo | None:
        """Return a known commit."""
        self._read()
        return self._known.get(revision)

    def told(self, revision: str) -> CommitInfo | None:
        """Return a known commit where what it says was not let go."""
        return None if revision in self._untold else self.get(revision)

    def walk(self, revision: str, limit: int) -> tuple[list[CommitInfo], bool]:
        """Return up to *limit* known commits down from *revision*, newest first, and whether none of them is missing."""
        self._read()
        found, missing = newest_first(self._known, revision, limit)
        self._used.update(info.revision for info in found)
        self._let_go()
        return found, missing <= self._ends or len(found) >= limit

    def _let_go(self) -> None:
        """Forget what no walk met since this was done last, where enough came meanwhile."""
        if self._grown < _GROWTH:
            return
        self._known = {name: info for name, info in self._known.items() if name in self._used}
        self._ends.intersection_update(parent for info in self._known.values() for parent in info.parents)
        self._used, self._grown = set(), 0
        self._untold.intersection_update(self._known)
        self._texts = sum(info.text_bytes for info in self._known.values())

    def _take(self, infos: Iterable[CommitInfo]) -> None:
        """Take *infos* in; where all say more than is kept, the oldest are forgotten, until half of that is left."""
        for info in infos:
            self._known[info.revision] = info
            self._texts += info.text_bytes
        if self._texts <= _MOST_TEXT:
            return
        self._texts = 0
        for info in sorted(self._known.values(), key=lambda info: info.when, reverse=True):
            if self._texts + info.text_bytes > _MOST_TEXT // 2 and self._texts:
                self._known[info.revision] = replace(info, message="")
                self._untold.update([info.revision] if info.message else [])
            else:
                self._texts += info.text_bytes

    def _read(self) -> None:
        if self._is_read:
            return
        self._is_read = True
        try:
            is_usable = self._path.stat().st_size <= _MAX_FILE * _ROOM * 2
            text = read_regular(self._path) if is_usable else b""
        except OSError:
            return
        raws = list(_records(text))
        self._size = len(text)
        if len(text) > _MAX_FILE or not is_usable:
            raws = self._shrink(raws)
        self._take(map(read_commit, raws))

    def _shrink(self, raws: list[bytes]) -> list[bytes]:
        """Write the newest of *raws* in place of the file, and return them."""
        newest = _newest(raws)
        self._size = sum(map(len, newest))
        with contextlib.suppress(OSError):  # a history that cannot be kept is asked for again after the next start
            write_atomically(self._path, b"".join(map(_record, newest)))
        return newest

    def _append(self, raws: list[bytes]) -> None:
        try:
            with open_regular(self._path, "ab") as file:
                self._size += file.write(b"".join(map(_record, _newest(raws))))
        except OSError:  # see _shrink
            return


def _newest(raws: Sequence[bytes]) -> list[bytes]:
    """Return the newest of *raws*, as many as the file is shortened to where it grew too large."""
    if len(raws) <= KEPT and sum(map(len, raws)) <= _MAX_FILE * _ROOM // 2:
        return list(raws)
    found, left = [], _MAX_FILE * _ROOM // 2
    for raw in sorted(raws, key=lambda raw: read_commit(raw).when, reverse=True)[:KEPT]:
        left -= len(raw)
        if left < 0:
            break
        found.append(raw)
    return found


def newest_first(known: Mapping[str, CommitInfo], revision: str, limit: int) -> tuple[list[CommitInfo], set[str]]:
    """Return up to *limit* of the *known* commits down from *revision*, newest first, and the parents met that are not known."""
    found: list[CommitInfo] = []
    missing = set() if revision in known else {revision}
    queue = [_order(known[revision])] if revision in known else []
    seen = {revision}
    while queue and len(found) < limit:
        info = heapq.heappop(queue)[2]
        found.append(info)
        for parent in info.parents:
            if parent in seen:
                continue
            seen.add(parent)
            if parent in known:
                heapq.heappush(queue, _order(known[parent]))
            else:
                missing.add(parent)
    return found, missing


def _order(info: CommitInfo) -> tuple[float, str, CommitInfo]:
    return -info.when.timestamp(), info.revision, info


def _record(raw: bytes) -> bytes:
    return b"%d %s\n%s" % (len(raw), object_name(COMMIT, raw).encode(), raw)


def _records(text: bytes) -> Iterable[bytes]:
    """Read records up to the first that is cut or damaged."""
    start = 0
    while (end := text.find(b"\n", start, start + 60)) > 0:
        length, _, name = text[start:end].partition(b" ")
        raw = text[end + 1 : end + 1 + int(length)] if length.isdigit() else b""
        if object_name(COMMIT, raw).encode() != name:
            return
        yield raw
        start = end + 1 + len(raw)
