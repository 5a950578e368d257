"""The packs of a mirror: how objects come in, are read and proved by their names, and how packs are joined."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.object_store import DiskObjectStore
from dulwich.pack import PackData, PackIndexer, UnpackedObjectIterator, iter_sha1, write_pack_index_v2

from updater.git.damage import is_foreign
from updater.git.objects import BLOB, object_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from dulwich.objects import ShaFile

    from updater.git.damage import Damage

_MAX_PACKS: Final = 12  # each is four open files while its mirror is worked with
_MAX_GROWTH: Final = 4
_MANY: Final = 1500  # from here on one inflation of every chain costs less than walking each chain anew
_SLACK_BYTES: Final = 32 * 2**20
_SPOOL_BYTES: Final = 4 * 2**20


class Packs:
    """The objects below *folder*, in packs only, and reads them while it is open; what is broken is noted in *damage*.

    *count* is how many packs there were when they were counted last.
    """

    def __init__(self, folder: Path, damage: Damage) -> None:
        self.folder = folder
        self.count = 0
        self._damage = damage
        self._objects: DiskObjectStore | None = None

    @property
    def is_open(self) -> bool:
        """Whether objects can be read."""
        return self._objects is not None

    def make(self) -> None:
        """Make the empty folders."""
        DiskObjectStore.init(self.folder).close()

    def open(self) -> None:
        """Take hold of the files."""
        self._objects = DiskObjectStore(self.folder)

    def close(self) -> None:
        """Let go of the files."""
        if self._objects is not None:
            self._objects.close()
        self._objects = None

    def __contains__(self, name: str) -> bool:
        """Return whether an object is here, by the indexes alone: nothing is proved, and nothing is called damage."""
        try:
            return self._objects is not None and name.encode() in self._objects  # type: ignore[operator]
        except Exception as error:
            if not is_foreign(error):
                raise
            return False

    def load(self, name: str, kind: int) -> bytes:
        """Read one object and prove it; raise `GitUnavailable` ``mirror-broken`` and notes it where that fails."""
        with self._damage.noted(name):
            number, data = self._opened().get_raw(name.encode())  # type: ignore[arg-type]
        if number != kind or object_name(kind, data) != name:
            raise self._damage.broken(name, "the content does not fit its name")
        return data

    def scan(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Return every blob of *names* with its bytes; many at once are read along the delta chains of the packs.

        The names are made from the bytes, which proves them. What is not found raises as `load` does.
        """
        if len(names) < _MANY:
            yield from ((name, self.load(name, BLOB)) for name in names)
            return
        left = set(names)
        with self._damage.noted("many objects"):
            packs: list[Any] = self._opened().packs
            for pack in packs:
                inside: Any = [name.encode() for name in left if name.encode() in pack]
                for item in UnpackedObjectIterator.for_pack_subset(pack, inside):
                    if (name := item.sha().hex()) in left:
                        left.remove(name)
                        yield name, b"".join(item.obj_chunks or ())
        if left:
            raise self._damage.broken(min(left), "it is missing")

    def receive(self, pack: Any, *, is_thin: bool) -> None:
        """Keep the pack in the file *pack*, read from its start; raise `GitError`."""
        objects = self._opened()
        with self._damage.noted():
            if is_thin:
                objects.add_thin_pack(pack.read, None)
                return
            self._take_in(pack)

    def add(self, objects: Sequence[ShaFile]) -> None:
        """Keep objects that we made, as one pack."""
        with self._damage.noted():
            self._opened().add_objects([(item, None) for item in objects])

    @contextlib.contextmanager
    def spool(self) -> Iterator[Spool]:
        """Return a file for an incoming pack, in memory while it is small, else beside the packs; gone afterwards."""
        with self._damage.noted(), tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=str(self.folder)) as file:
            yield Spool(file, self._damage)

    def tidy(self) -> None:
        """Join packs when there are many; let the next fetch start anew when most objects are old."""
        with self._damage.noted():
            packs = [(path.stem, path.stat().st_size) for path in (self.folder / "pack").glob("*.pack")]
        packs.sort(key=lambda item: item[1])
        self.count = len(packs)
        if sum(size for _, size in packs) > _MAX_GROWTH * packs[-1][1] + _SLACK_BYTES if packs else False:
            self._damage.is_found = True
        elif len(packs) > _MAX_PACKS:
            joined = _smallest(packs)
            self._join({name for name, _ in joined})
            self.count -= len(joined) - 1

    def _take_in(self, pack: Any) -> None:
        """Index a whole pack and move it in. Its sum is checked; each object is proved when it is read, so not here."""
        folder = self.folder / "pack"
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
            raise self._damage.broken("the store", "it is not open")
        return self._objects

    def _join(self, names: set[str]) -> None:
        objects = self._opened()
        with self._damage.noted():
            old = [pack for pack in objects.packs if Path(pack._basename).name in names]  # noqa: SLF001 - no public name
            items = {item.id: (item, None) for pack in old for item in pack.iterobjects()}
            kept = objects.add_objects(list(items.values()))
            for pack in old:
                if kept is None or pack.name() != kept.name():
                    objects._remove_pack(pack)  # noqa: SLF001 - dulwich's own repack does so; nothing public does


def _smallest(packs: Sequence[tuple[str, int]]) -> Sequence[tuple[str, int]]:
    """Choose what to join of *packs*, smallest first: half of them at least, and on up to one that is larger than those together.

    So an object is copied a few times in its life, not at every join; the largest pack is never copied.
    """
    total = 0
    for number, (_, size) in enumerate(packs):
        if number >= _MAX_PACKS // 2 and size > 2 * total:
            return packs[:number]
        total += size
    return packs[:-1]


class Spool:
    """A pack on its way in; a full disk is told as such, not as a broken connection."""

    def __init__(self, file: Any, damage: Damage) -> None:
        self._file = file
        self._damage = damage
        self.size = 0

    def write(self, data: bytes) -> int:
        """Take the next bytes of the pack."""
        with self._damage.noted():
            self.size += len(data)
            return int(self._file.write(data))

    def rewind(self) -> Any:
        """Return the file, to be read from its start."""
        self._file.seek(0)
        return self._file
