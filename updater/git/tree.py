"""How the files of one revision, or of a checkout, are listed and read, and which paths may never be written."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from dulwich.objects import parse_tree

from updater.errors import EditError, GitError
from updater.git.damage import renamed
from updater.git.faults import fault
from updater.git.limits import shown_size
from updater.git.objects import BLOB, COMMIT, TREE, Objects, commit_tree, object_name
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_LFS: Final = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
_MAX_POINTER: Final = 1024
_REMEMBERED: Final = 256
_REMEMBERED_ROWS: Final = 100_000
_FOLDER: Final = 0o040000
_LINK: Final = 0o120000
_MODULE: Final = 0o160000
# Code points that HFS+ drops when it compares names (git, utf8.c: next_hfs_char).
_IGNORED_BY_HFS: Final = dict.fromkeys(
    (*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF),
)


class EntryKind(StrEnum):
    """What stands at a path."""

    FILE = "file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """One path of a tree, with `/` between its parts; *id* is the object's name, "" in a checkout."""

    path: str
    id: str
    kind: EntryKind
    mode: int


class Tree(Protocol):
    """The files of one revision or checkout; every method blocks, and reads only what it is asked for."""

    def entries(self, prefix: str = ".") -> Iterator[TreeEntry]:
        """Return every file, symlink and submodule at or below *prefix*, in the order of Git; folders are not entries."""
        ...

    def entry(self, path: str) -> TreeEntry | None:
        """Return what stands at *path*; None where nothing does, or a folder."""
        ...

    def read(self, path: str) -> bytes:
        """Return the bytes of the file at *path*; `EditError` ``no-file``, ``symlink`` or ``submodule`` otherwise."""
        ...


class RevisionTree:
    """The tree of one revision in a mirror or in the objects of a checkout.

    Raises `GitUnavailable` ``mirror-broken`` where an object is lost, and `EditError` ``file-too-large`` where `read` is asked
    for a file of more than *most* bytes.
    """

    def __init__(self, store: Objects, revision: str, most: int | None = None) -> None:
        self.store = store
        self.revision = revision
        self._most = most
        self.root = commit_tree(store.load(revision, COMMIT))
        self._folders: dict[str, dict[str, tuple[int, str]]] = {}

    def entries(self, prefix: str = ".") -> Iterator[TreeEntry]:
        """See `Tree.entries`."""
        start = normal(prefix)
        found = self.find(start)
        if found is None:
            return
        mode, name = found
        if mode == _FOLDER:
            yield from self._walk(f"{start}/" if start else "", name)
        else:
            yield _entry(start, mode, name)

    def entry(self, path: str) -> TreeEntry | None:
        """See `Tree.entry`."""
        found = self.find(normal(path))
        return None if found is None or found[0] == _FOLDER else _entry(normal(path), *found)

    def read(self, path: str) -> bytes:
        """See `Tree.read`."""
        name = require_file(path, self.entry(path)).id
        if self._most is not None and (size := self.store.size(name)) > self._most:
            hint = f"the limit is {shown_size(self._most)}: split the file, or raise git.limits.file"
            raise EditError(f"{path} is {shown_size(size)} long", hint=hint, code="file-too-large", path=path)
        try:
            return self.store.load(name, BLOB)
        except GitError as error:
            if error.code != "git-object":
                raise
            raise EditError(f"{path}: {error.message}", hint=error.hint, code="not-a-blob", path=path) from error

    def find(self, path: str) -> tuple[int, str] | None:
        """Return mode and object of what stands at *path*, folders too; None where nothing does."""
        mode, name = _FOLDER, self.root
        for part in path.split("/") if path else ():
            if mode != _FOLDER:
                return None
            child = self._folder(name).get(part)
            if child is None:
                return None
            mode, name = child
        return mode, name

    def _folder(self, name: str) -> dict[str, tuple[int, str]]:
        """A folder's rows by name, remembered while few are: most reads go to neighbours."""
        if name not in self._folders:
            if len(self._folders) >= _REMEMBERED or sum(map(len, self._folders.values())) > _REMEMBERED_ROWS:
                self._folders.clear()
            self._folders[name] = {part: (mode, child) for part, mode, child in read_folder(self.store, name)}
        return self._folders[name]

    def _walk(self, prefix: str, name: str) -> Iterator[TreeEntry]:
        for part, mode, child in read_folder(self.store, name):
            if mode == _FOLDER:
                yield from self._walk(f"{prefix}{part}/", child)
            else:
                yield _entry(prefix + part, mode, child)


def read_folder(store: Objects, name: str) -> list[tuple[str, int, str]]:
    """Return (name, mode, object) of everything directly in the tree *name*; folders have mode 0o040000."""
    raw = store.load(name, TREE)
    with renamed(lambda _: fault("mirror-broken", f"the tree {name[:12]} cannot be read")):
        rows = list(parse_tree(raw, 20))
    return [(part.decode("utf-8", "surrogateescape"), mode, sha.decode()) for part, mode, sha in rows]


def _entry(path: str, mode: int, name: str) -> TreeEntry:
    kinds = {_LINK: EntryKind.SYMLINK, _MODULE: EntryKind.SUBMODULE}
    return TreeEntry(path=path, id=name, kind=kinds.get(stat.S_IFMT(mode), EntryKind.FILE), mode=mode)


class CheckoutTree:
    """The files below a folder on disk; `.git` is never entered and no symlink is followed, not even by a part of a path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self, prefix: str = ".") -> Iterator[TreeEntry]:
        """See `Tree.entries`; untracked files count too."""
        start = normal(prefix)
        if (one := self.entry(start) if start else None) is not None:
            yield one
        elif not self._passes_link(start):
            yield from self._walk(start)

    def entry(self, path: str) -> TreeEntry | None:
        """See `Tree.entry`."""
        name = normal(path)
        if self._passes_link(name):
            return None
        try:
            mode = (self.folder / name).lstat().st_mode
        except (OSError, ValueError):
            return None
        if stat.S_ISLNK(mode):
            return TreeEntry(path=name, id="", kind=EntryKind.SYMLINK, mode=_LINK)
        if not stat.S_ISREG(mode):
            return None
        return TreeEntry(path=name, id="", kind=EntryKind.FILE, mode=0o100755 if mode & 0o100 else 0o100644)

    def read(self, path: str) -> bytes:
        """See `Tree.read`."""
        entry = require_file(path, self.entry(path))
        try:
            return (self.folder / entry.path).read_bytes()
        except OSError as error:
            raise EditError(f"{path}: {reason_of(error)}", code="no-file", path=path) from error

    def replace(self, path: str, data: bytes) -> None:
        """Write *data* to the file at *path* at once or not at all, keeping its rights; raise `EditError`."""
        check_path(path)
        name = normal(path)
        target = self.folder / name
        if self._passes_link(name) or target.is_symlink():
            raise EditError(f"{path} is a symlink, or below one", hint="edit the file it points to", code="symlink", path=path)
        try:
            mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".updater-", delete=False) as file:
                file.write(data)
                os.fchmod(file.fileno(), mode)
            Path(file.name).replace(target)
        except OSError as error:
            hint = "check the rights and the free space of the checkout"
            raise EditError(f"{path}: {reason_of(error)}", hint=hint, code="not-written", path=path) from error

    def _passes_link(self, name: str) -> bool:
        parts = name.split("/")[:-1]
        return any((self.folder / "/".join(parts[: end + 1])).is_symlink() for end in range(len(parts)))

    def _walk(self, start: str) -> Iterator[TreeEntry]:
        try:
            names = sorted(os.scandir(self.folder / start), key=lambda item: item.name + "/" * item.is_dir(follow_symlinks=False))
        except (OSError, ValueError):
            return
        for item in names:
            path = f"{start}/{item.name}" if start else item.name
            if item.name == ".git":
                continue
            if item.is_dir(follow_symlinks=False):
                yield from self._walk(path)
            elif (found := self.entry(path)) is not None:
                yield found


def require_file(path: str, entry: TreeEntry | None) -> TreeEntry:
    """Return *entry* where it is a file; raise `EditError` that says what stands there instead."""
    if entry is None:
        raise EditError(
            f"there is no file {path}", hint="check the path, from the root of the repository", code="no-file", path=path
        )
    if entry.kind is not EntryKind.FILE:
        hint = "edit the file it points to" if entry.kind is EntryKind.SYMLINK else "edit the repository it belongs to"
        raise EditError(f"{path} is a {entry.kind}", hint=hint, code=str(entry.kind), path=path)
    return entry


def is_lfs_pointer(data: bytes) -> bool:
    """Return whether *data* only points to a file in large file storage (Git LFS specification, "The Pointer")."""
    return len(data) < _MAX_POINTER and data.startswith(_LFS)


def normal(path: str) -> str:
    """Return *path* without `.` parts and doubled or trailing slashes; "" is the root."""
    return "/".join(part for part in path.split("/") if part not in {"", "."})


def check_path(path: str) -> None:
    """Refuse a path that leaves the tree or touches `.git` in any spelling; raise `EditError` ``path``."""
    parts = path.removeprefix("./").split("/")
    if path.startswith("/") or "\0" in path or not normal(path) or any(_is_unsafe(part) for part in parts):
        hint = "a path is relative to the root of the repository, without .. and outside .git"
        raise EditError(f"{path!r} is not a path that may be written", hint=hint, code="path", path=path)


def _is_unsafe(part: str) -> bool:
    """Judge one part of a path as the strictest file system would (git, path.c: is_ntfs_dotgit and is_hfs_dotgit)."""
    pieces = part.split("\\")
    if ".." in pieces or "" in pieces:
        return True
    plain = (piece.translate(_IGNORED_BY_HFS).split(":")[0].rstrip(". ").lower() for piece in pieces)
    return any(piece in {".git", "git~1"} for piece in plain)


__all__ = [
    "CheckoutTree",
    "EntryKind",
    "RevisionTree",
    "Tree",
    "TreeEntry",
    "check_path",
    "is_lfs_pointer",
    "normal",
    "object_name",
    "read_folder",
    "require_file",
]
