"""Which blobs hold a needle: each is read once in its life, because its name is its content.

Beside that the folders of the last tree are remembered, so a search visits only folders that changed. The file is a
cache: with a wrong sum, another version or any damage it is built anew. Every blob is judged for all needles at once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from updater.git.limits import RepositoryLimits, exceeded
from updater.git.regular_files import read_regular
from updater.git.store import write_atomically
from updater.git.tree import EntryKind, RevisionTree, TreeEntry, normal, read_folder
from updater.model.text import is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

_VERSION: Final = 1
_FOLDER: Final = 0o040000
_REGULAR: Final = 0o100000
_SPARE: Final = 250
_SAVE_AFTER: Final = 500
_KEPT_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What to look for: files that *wants* by their path and that hold one of *needles*.

    *rule* names *wants* and everything it depends on: equal rules must want equal paths, now and after a restart.
    """

    rule: str
    wants: Callable[[str], bool]
    needles: tuple[bytes, ...]

    @property
    def key(self) -> str:
        """The same for every question with the same answers."""
        return f"{self.rule}\n{self.needles_key}"

    @property
    def needles_key(self) -> str:
        """Names the needles."""
        return ",".join(sorted(needle.hex() for needle in self.needles))


# A folder that was seen: the files in it that hold a needle (name, mode, id), and the folders in it (name, id).
_Seen = tuple[list[tuple[str, int, str]], list[tuple[str, str]]]


@dataclass(slots=True)
class _Walk:
    """One search on its way. *rows* has the folders that were read to judge them, a bounded number, until they are listed."""

    tree: RevisionTree
    question: SearchQuery
    hits: dict[str, bool]
    seen: dict[tuple[str, str], _Seen]
    found: list[TreeEntry] = field(default_factory=list)
    touched: dict[tuple[str, str], _Seen] = field(default_factory=dict)
    read: int = 0
    limits: RepositoryLimits = field(default_factory=RepositoryLimits)
    entries: int = 0
    rows: dict[str, list[tuple[str, int, str]]] = field(default_factory=dict)

    def enter(self, path: str, rows: int) -> None:
        """Count the *rows* of the folder *path*; raise `GitError` ``git-limit`` for a tree that is too large or too deep."""
        self.entries += rows
        if self.entries > self.limits.entries:
            what = f"the tree has more than {self.limits.entries:,} entries below the path that is searched"
            raise exceeded("entries", what, self.limits.entries)
        if path.count("/") >= self.limits.tree_depth:
            what = f"the tree has folders more than {self.limits.tree_depth:,} levels deep"
            raise exceeded("tree_depth", what, self.limits.tree_depth)

    def find(self, entry: TreeEntry) -> None:
        """Note a file that answers; raise `GitError` ``git-limit`` for too many."""
        if len(self.found) >= self.limits.files:
            what = f"more than {self.limits.files:,} files hold what is looked for"
            raise exceeded("files", what, self.limits.files)
        self.found.append(entry)


class SearchIndex:
    """Answers searches over a mirror's trees, remembering in the file *path* what was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hits: dict[str, dict[str, bool]] = {}
        self._seen: dict[str, dict[tuple[str, str], _Seen]] = {}
        self._largest: dict[str, int] = {}
        self._is_read = False
        self._unsaved = 0

    def search(
        self, tree: RevisionTree, prefix: str, question: SearchQuery, limits: RepositoryLimits | None = None
    ) -> tuple[TreeEntry, ...]:
        """Return the files at or below *prefix* that answer *question*, in the order of Git; symlinks never do.

        Raises `GitError` ``git-limit`` for a tree with more in it than *limits* allow.
        """
        self._read()
        hits = self._hits.setdefault(question.needles_key, {})
        walk = _Walk(tree=tree, question=question, hits=hits, seen=self._seen.setdefault(question.key, {}))
        walk.limits = limits or walk.limits
        start = normal(prefix)
        found = tree.find(start)
        if found is not None and found[0] == _FOLDER:
            _judge(walk, _unjudged(walk, start, found[1]))
            walk.entries = 0
            self._visit(walk, start, found[1])
        elif found is not None and _answers(walk, start, *found):
            walk.found.append(TreeEntry(path=start, id=found[1], kind=EntryKind.FILE, mode=found[0]))
        self._remember(walk)
        return tuple(walk.found)

    def learn(self, blobs: Mapping[str, bytes]) -> None:
        """Judge *blobs*, which are at hand, for everything that was ever looked for: no search reads them again."""
        self._read()
        for key, hits in self._hits.items():
            needles = [bytes.fromhex(needle) for needle in key.split(",") if needle]
            hits.update((name, any(needle in data for needle in needles)) for name, data in blobs.items())
        self._unsaved += len(blobs)

    def save(self) -> None:
        """Write what is known, where there is anything new."""
        if not self._unsaved:
            return
        self._unsaved = 0
        data = orjson.dumps(
            {
                "version": _VERSION,
                "largest": self._largest,
                "hits": {key: _split(hits) for key, hits in self._hits.items()},
                "seen": {
                    key: [[*at, *what] for at, what in seen.items() if _can_be_kept(at[0], what)]
                    for key, seen in self._seen.items()
                },
            }
        )
        try:
            write_atomically(self._path, hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
        except OSError:  # an index that cannot be kept costs one search after the next start
            return

    def _visit(self, walk: _Walk, path: str, name: str) -> None:
        key = (path, name)
        seen = walk.seen.get(key) or _look_into(walk, path, name)
        walk.touched[key] = seen
        files, folders = seen
        walk.enter(path, len(files) + len(folders))
        above = f"{path}/" if path else ""
        rows: list[tuple[str, int, str]] = [*files, *((part + "/", _FOLDER, child) for part, child in folders)]
        for part, mode, child in sorted(rows):  # a folder sorts as if its name ended in a slash, which is Git's order
            if mode == _FOLDER:
                self._visit(walk, above + part[:-1], child)
            else:
                walk.find(TreeEntry(path=above + part, id=child, kind=EntryKind.FILE, mode=mode))

    def _remember(self, walk: _Walk) -> None:
        """Keep what was learned; the file is written only now and then, for losing it costs no more than reading again."""
        fresh = [key for key in walk.touched if key not in walk.seen]
        self._forget_blobs(walk)
        if fresh and _rows(walk.seen) > 2 * _rows(walk.touched) + _SPARE:  # most is of trees of the past
            walk.seen.clear()
            fresh = list(walk.touched)
        walk.seen.update((key, walk.touched[key]) for key in fresh)
        self._unsaved += walk.read + len(fresh)
        if self._unsaved >= _SAVE_AFTER:
            self.save()

    def _forget_blobs(self, walk: _Walk) -> None:
        """Forget blobs where most are of trees that nobody looks at again; what answers in this tree stays.

        Each commit of a long-lived process brings blobs. Others of this tree are read again where their folder changes.
        """
        key = walk.question.needles_key
        self._largest[key] = max(self._largest.get(key, 0), walk.read)
        if len(walk.hits) > 2 * self._largest[key] + _SPARE:
            kept = {name for files, _ in walk.touched.values() for _, _, name in files}
            for name in walk.hits.keys() - kept:
                del walk.hits[name]

    def _read(self) -> None:
        if self._is_read:
            return
        self._is_read = True
        try:
            digest, _, data = read_regular(self._path).partition(b"\n")
            if hashlib.sha256(data).hexdigest().encode() != digest:
                return
            known: dict[str, Any] = orjson.loads(data)
            if known["version"] != _VERSION:
                return
            self._hits = {key: _join(*texts) for key, texts in known["hits"].items()}
            largest = known.get("largest", {})
            self._largest = {key: int(largest.get(key, len(hits))) for key, hits in self._hits.items()}
            self._seen = {key: {(row[0], row[1]): _row(row) for row in rows} for key, rows in known["seen"].items()}
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
            self._hits, self._seen, self._largest = {}, {}, {}


def _rows(seen: Mapping[tuple[str, str], _Seen]) -> int:
    """Count what folders hold, which is what they cost in memory."""
    return sum(1 + len(files) + len(folders) for files, folders in seen.values())


def _unjudged(walk: _Walk, path: str, name: str) -> Iterator[str]:
    """Return every blob below a folder that must be read before the question can be answered there."""
    if (path, name) in walk.seen:
        folders = walk.seen[path, name][1]
        walk.enter(path, len(folders))
        for part, child in folders:
            yield from _unjudged(walk, f"{path}/{part}" if path else part, child)
        return
    above = f"{path}/" if path else ""
    rows = read_folder(walk.tree.store, name)
    walk.enter(path, len(rows))
    if walk.entries <= _KEPT_ROWS:
        walk.rows[name] = rows
    for part, mode, child in rows:
        if mode == _FOLDER:
            yield from _unjudged(walk, above + part, child)
        elif mode & 0o170000 == _REGULAR and child not in walk.hits and walk.question.wants(above + part):
            yield child


def _judge(walk: _Walk, names: Iterable[str]) -> None:
    """Read blobs, in the order of the packs, and remember whether they hold a needle."""
    wanted = set(names)
    if wanted:
        walk.hits.update(walk.tree.store.holding(wanted, walk.question.needles))
    walk.read += len(wanted)


def _look_into(walk: _Walk, path: str, name: str) -> _Seen:
    above = f"{path}/" if path else ""
    rows = walk.rows.pop(name, None) or read_folder(walk.tree.store, name)
    files = [row for row in rows if row[1] & 0o170000 == _REGULAR and _answers(walk, above + row[0], row[1], row[2])]
    return files, [(part, child) for part, mode, child in rows if mode == _FOLDER]


def _answers(walk: _Walk, path: str, mode: int, name: str) -> bool:
    if mode & 0o170000 != _REGULAR or not walk.hits.get(name, True) or not walk.question.wants(path):
        return False
    if name not in walk.hits:
        _judge(walk, [name])
    return walk.hits[name]


def _can_be_kept(path: str, what: _Seen) -> bool:
    """Return whether the file can hold this folder: one with a name that is no UTF-8 is looked into again after a restart."""
    files, folders = what
    return is_plain(path) and all(is_plain(row[0]) for row in files) and all(is_plain(part) for part, _ in folders)


def _split(hits: dict[str, bool]) -> list[str]:
    return ["".join(name for name, is_hit in hits.items() if is_hit is which) for which in (False, True)]


def _join(clean: str, hit: str) -> dict[str, bool]:
    return {text[at : at + 40]: text is hit for text in (clean, hit) for at in range(0, len(text), 40)}


def _row(row: list[Any]) -> _Seen:
    return [(str(part), int(mode), str(name)) for part, mode, name in row[2]], [(str(part), str(name)) for part, name in row[3]]
