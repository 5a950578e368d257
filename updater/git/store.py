"""Knows the folder of a mirror: a bare object store whose every object is proved by its name when it is read.

The folder is a cache. It may vanish, be truncated or be filled with rubbish between any two calls; because each
object is hashed again as it is read, damage shows as `GitUnavailable` ``mirror-broken`` and never as a wrong tree.
The heads that were fetched stand in `packed-refs` and the cut of their history in `shallow`, so that the folder is
a repository which ``git --git-dir`` reads. Objects live in packs only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import struct
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from dulwich.errors import ApplyDeltaError, ChecksumMismatch, FileFormatException
from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, Tree
from dulwich.pack import (
    PackData,
    PackFileDisappeared,
    PackIndexer,
    UnpackedObjectIterator,
    UnresolvedDeltas,
    iter_sha1,
    write_pack_index_v2,
)

from updater.errors import GitError, GitUnavailable
from updater.git.faults import fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from dulwich.objects import ShaFile

BLOB: Final = Blob.type_num
COMMIT: Final = Commit.type_num
TREE: Final = Tree.type_num
_NAMES: Final = {BLOB: b"blob", COMMIT: b"commit", TREE: b"tree"}
_MAX_PACKS: Final = 24
_MAX_GROWTH: Final = 4
_MANY: Final = 1500  # from here on one inflation of every chain costs less than walking each chain anew
_SLACK_BYTES: Final = 32 * 2**20
_SPOOL_BYTES: Final = 4 * 2**20
_CONFIG: Final = b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
_DAMAGE: Final = (
    KeyError,
    ValueError,
    AssertionError,
    IndexError,
    OSError,
    EOFError,
    TypeError,
    struct.error,
    zlib.error,
    ApplyDeltaError,
    ChecksumMismatch,
    FileFormatException,
    PackFileDisappeared,
    UnresolvedDeltas,
)


class Objects(Protocol):
    """Where objects are read from."""

    def load(self, name: str, kind: int) -> bytes:
        """Read and prove one object; raises `GitUnavailable` where it is missing or broken."""
        ...

    def scan(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Read and prove many objects, in any order."""
        ...


class Store:
    """The objects, heads and cut commits kept in *folder*; used by one writer at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heads: dict[str, str] = {}
        self.shallow: set[str] = set()
        self._objects: DiskObjectStore | None = None
        self._stamp: tuple[int, int] | None = None
        self.is_broken = False

    def open(self) -> None:
        """Make the store usable: read it where it is whole, make it anew where it is missing or broken."""
        if self.is_broken or (self._objects is not None and self._stamp != self._read_stamp()):
            self.close()
        if self._objects is not None:
            return
        with self._on_disk():
            if self.is_broken or not self._read():
                self._make()
            self._objects = DiskObjectStore(self.folder / "objects")
            self._stamp = self._read_stamp()
            self.is_broken = False

    def holds(self, revision: str) -> bool:
        """Say whether *revision* was fetched whole and its commit and root tree can be read."""
        if revision not in self.heads.values():
            return False
        try:
            self.load(commit_tree(self.load(revision, COMMIT)), TREE)
        except GitUnavailable:
            return False
        return True

    def load(self, name: str, kind: int) -> bytes:
        """Read one object and prove it; raises `GitUnavailable` ``mirror-broken`` and marks the store where that fails."""
        try:
            if self._objects is None:
                raise KeyError(name)
            number, data = self._objects.get_raw(name.encode())  # type: ignore[arg-type]
        except _DAMAGE as error:
            raise self._broken(name, type(error).__name__) from error
        if number != kind or object_name(kind, data) != name:
            raise self._broken(name, "the content does not fit its name")
        return data

    def receive(self, pack: Any, *, is_thin: bool) -> None:
        """Keep the pack in the file *pack*, read from its start; raises `GitError`."""
        objects = self._opened()
        with self._on_disk():
            if is_thin:
                objects.add_thin_pack(pack.read, None)
                return
            self._take_in(pack)

    def add(self, objects: Sequence[ShaFile]) -> None:
        """Keep objects that we made, as one pack."""
        with self._on_disk():
            self._opened().add_objects([(item, None) for item in objects])

    def settle(self, heads: dict[str, str]) -> None:
        """Write down the heads that are whole; atomic. Nothing below a head is promised, so each is a cut commit too."""
        self.heads, self.shallow = heads, set(heads.values())
        lines = [f"{heads[branch]} refs/heads/{branch}\n" for branch in sorted(heads)]
        text = "# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines)
        with self._on_disk():
            write_atomically(self.folder / "shallow", "".join(f"{name}\n" for name in sorted(self.shallow)).encode())
            write_atomically(self.folder / "packed-refs", text.encode("utf-8", "surrogateescape"))
            self._stamp = self._read_stamp()

    def tidy(self) -> None:
        """Join packs when there are many; mark a store that holds mostly old objects, so that the next fetch starts anew."""
        packs = sorted(self._pack_sizes(), key=lambda item: item[1])
        if sum(size for _, size in packs) > _MAX_GROWTH * packs[-1][1] + _SLACK_BYTES if packs else False:
            self.is_broken = True
        elif len(packs) > _MAX_PACKS:
            self._join({name for name, _ in packs[:-1]})

    def wipe(self) -> None:
        """Forget everything; the next `open` makes an empty store."""
        self.is_broken = True
        self.open()

    def close(self) -> None:
        """Let go of the files."""
        if self._objects is not None:
            self._objects.close()
        self._objects, self.heads, self.shallow = None, {}, set()

    @contextlib.contextmanager
    def spool(self) -> Iterator[Spool]:
        """Give a file for an incoming pack, in memory while it is small, else beside the mirror; gone afterwards."""
        with self._on_disk(), tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=str(self.folder)) as file:
            yield Spool(self, file)

    def scan(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Give every blob of *names* with its bytes; many at once are read along the delta chains of the packs.

        The names are made from the bytes, which proves them. What is not found raises as `load` does.
        """
        if len(names) < _MANY:
            yield from ((name, self.load(name, BLOB)) for name in names)
            return
        left = set(names)
        try:
            packs: list[Any] = self._opened().packs
            for pack in packs:
                inside: Any = [name.encode() for name in left if name.encode() in pack]
                for item in UnpackedObjectIterator.for_pack_subset(pack, inside):
                    if (name := item.sha().hex()) in left:
                        left.remove(name)
                        yield name, b"".join(item.obj_chunks or ())
        except _DAMAGE as error:
            raise self._broken("many objects", type(error).__name__) from error
        if left:
            raise self._broken(min(left), "it is missing")

    def _take_in(self, pack: Any) -> None:
        """Index a whole pack and move it in. Its sum is checked; each object is proved when it is read, so not here."""
        folder = self.folder / "objects" / "pack"
        descriptor, name = tempfile.mkstemp(dir=folder, suffix=".tmp")
        try:
            with os.fdopen(descriptor, "w+b") as file:
                shutil.copyfileobj(pack, file)
                file.flush()
                with contextlib.closing(PackData(name, DEFAULT_OBJECT_FORMAT, file=file)) as data:
                    data.check()
                    entries = sorted(PackIndexer.for_pack_data(data))
                    sum_of_pack = data.get_stored_checksum()
            base = folder / f"pack-{iter_sha1(entry[0] for entry in entries).decode()}"
            with base.with_suffix(".idx").open("wb") as index:
                write_pack_index_v2(index, entries, sum_of_pack)
            Path(name).replace(base.with_suffix(".pack"))
        finally:
            Path(name).unlink(missing_ok=True)

    def _opened(self) -> DiskObjectStore:
        if self._objects is None:
            raise self._broken("the store", "it is not open")
        return self._objects

    def _read(self) -> bool:
        try:
            lines = (self.folder / "packed-refs").read_bytes().decode("utf-8", "surrogateescape").splitlines()
            rows = [line.split(" ", 1) for line in lines if not line.startswith("#")]
            self.heads = {name.removeprefix("refs/heads/"): revision for revision, name in rows}
            self.shallow = set((self.folder / "shallow").read_text("ascii").split())
        except (OSError, ValueError):
            return False
        names = (*self.heads.values(), *self.shallow)
        return all(is_object_name(name) for name in names) and (self.folder / "objects" / "pack").is_dir()

    def _make(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.folder.is_dir() and not self.folder.is_symlink():
                shutil.rmtree(self.folder)
            else:
                self.folder.unlink()
        (self.folder / "refs" / "heads").mkdir(parents=True, exist_ok=True)
        DiskObjectStore.init(self.folder / "objects").close()
        for name, text in (("HEAD", b"ref: refs/heads/main\n"), ("config", _CONFIG), ("shallow", b""), ("packed-refs", b"")):
            write_atomically(self.folder / name, text)
        self.heads, self.shallow = {}, set()

    def _read_stamp(self) -> tuple[int, int] | None:
        try:
            stat = (self.folder / "packed-refs").stat()
            (self.folder / "objects" / "pack").stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def _pack_sizes(self) -> list[tuple[str, int]]:
        with self._on_disk():
            return [(path.stem, path.stat().st_size) for path in (self.folder / "objects" / "pack").glob("*.pack")]

    def _join(self, names: set[str]) -> None:
        objects = self._opened()
        with self._on_disk():
            old = [pack for pack in objects.packs if Path(pack._basename).name in names]  # noqa: SLF001 - no public name
            items = {item.id: (item, None) for pack in old for item in pack.iterobjects()}
            kept = objects.add_objects(list(items.values()))
            for pack in old:
                if kept is None or pack.name() != kept.name():
                    objects._remove_pack(pack)  # noqa: SLF001 - dulwich's own repack does so; nothing public does

    def _broken(self, name: str, why: str) -> GitError:
        self.is_broken = True
        return fault("mirror-broken", f"the mirror {self.folder} cannot give {name[:12]}: {why}")

    @contextlib.contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except GitError:
            raise
        except OSError as error:
            self.is_broken = True
            raise fault("mirror-disk", f"the mirror {self.folder}: {os.strerror(error.errno or 0)}") from error
        except _DAMAGE as error:
            raise self._broken("the store", type(error).__name__) from error


class Spool:
    """A pack on its way in; a full disk is told as such, not as a broken connection."""

    def __init__(self, store: Store, file: Any) -> None:
        self._store = store
        self._file = file
        self.size = 0

    def write(self, data: bytes) -> int:
        """Take the next bytes of the pack."""
        with self._store._on_disk():  # noqa: SLF001 - one part of the store
            self.size += len(data)
            return int(self._file.write(data))

    def rewind(self) -> Any:
        """Give the file, to be read from its start."""
        self._file.seek(0)
        return self._file


def write_atomically(path: Path, data: bytes) -> None:
    """Replace *path* by *data* so that a reader sees the old or the new text, never a part."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def object_name(kind: int, data: bytes) -> str:
    """The name Git gives an object of this *kind* (a number of `BLOB`, `COMMIT`, `TREE`)."""
    return hashlib.sha1(b"%s %d\0" % (_NAMES[kind], len(data)) + data, usedforsecurity=False).hexdigest()


def commit_tree(raw: bytes) -> str:
    """The tree that a raw commit names, in its first line."""
    return raw[5:45].decode("ascii", "replace")


def is_object_name(text: str) -> bool:
    """Say whether *text* is a full SHA-1 name."""
    return len(text) == 40 and set(text) <= set("0123456789abcdef")
