"""The packs of a mirror: how objects come in, are read and proved by their names, and how packs are joined.

The size of an object is read and judged before it is inflated; see `updater.git.inflation`.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dulwich.object_store import DiskObjectStore

from updater.git.damage import is_foreign
from updater.git.intake import measured, require_small, take_in
from updater.git.limits import MEBIBYTE, Bounds
from updater.git.objects import NAMES, object_name, require_kind
from updater.git.scanning import Scan
from updater.git.sieve import Sieve

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from dulwich.objects import ShaFile

    from updater.git.damage import Damage

_MAX_PACKS: Final = 12  # each is four open files while its mirror is worked with
_MAX_GROWTH: Final = 4
_SLACK_BYTES: Final = 32 * 2**20
_SPOOL_BYTES: Final = 4 * 2**20
_CACHE_BYTES: Final = 8 * MEBIBYTE  # of bases that dulwich keeps for each pack
_LARGE: Final = MEBIBYTE


class Packs:
    """The objects below *folder*, in packs only, and reads them while it is open; what is broken is noted in *damage*.

    *count* is how many packs there were when they were counted last. *sought* are the needles that the next search will look
    for: files that come in are searched for them at once.
    """

    def __init__(self, folder: Path, damage: Damage, bounds: Bounds | None = None) -> None:
        self.folder = folder
        self.count = 0
        self.sought: Collection[bytes] = ()
        self._sieve: Sieve | None = None
        self._damage = damage
        self._bounds = bounds or Bounds()
        self._objects: DiskObjectStore | None = None

    @property
    def is_open(self) -> bool:
        """Whether objects can be read."""
        return self._objects is not None

    def make(self) -> None:
        """Make the empty folders."""
        DiskObjectStore.init(self.folder).close()

    def open(self) -> None:
        """Take hold of the files; what was seen of them before holds no longer."""
        self._sieve = None
        self._objects = DiskObjectStore(self.folder, delta_base_cache_limit=_CACHE_BYTES)

    def close(self) -> None:
        """Let go of the files."""
        if self._objects is not None:
            held = list(self._objects._pack_cache.values())  # noqa: SLF001 - no public name
            self._objects.close()
            _release(held)
        self._objects = self._sieve = None

    def __contains__(self, name: str) -> bool:
        """Return whether an object is here, by the indexes alone: nothing is proved, and nothing is called damage."""
        try:
            return self._objects is not None and name.encode() in self._objects  # type: ignore[operator]
        except Exception as error:
            if not is_foreign(error):
                raise
            return False

    def load(self, name: str, kind: int) -> bytes:
        """Read one object and prove it; raise `GitUnavailable` ``mirror-broken`` and notes it where that fails.

        Raises `GitError` ``git-limit`` for an object that is larger than objects in memory may be, and ``git-object`` for
        one that is of another kind.
        """
        with self._damage.noted(name):
            pack, size = measured(self._opened(), name)
            require_small(name, size, self._bounds)
            with self._bounds.memory(3 * size if size > _LARGE else 0):
                number, data = pack.get_raw(bytes.fromhex(name))  # type: ignore[arg-type]
        if number not in NAMES or object_name(number, data) != name:
            raise self._damage.broken(name, "the content does not fit its name")
        require_kind(name, kind, number)
        return data

    def size(self, name: str) -> int:
        """Return the length of an object without reading it; raise `GitUnavailable` ``mirror-broken`` where it is missing."""
        with self._damage.noted(name):
            return measured(self._opened(), name)[1]

    def holding(self, names: Collection[str], needles: Collection[bytes]) -> Iterator[tuple[str, bool]]:
        """Yield every blob of *names* and whether one of *needles* is in it, along the delta chains of the packs.

        What is no blob counts as a hit: whoever reads it finds out, and says so. Large blobs are read in pieces. Names are made
        from the bytes, which proves them; those that were searched as they came in were proved then. Raise `GitError`
        ``git-limit`` for more bytes than a search may read, and as `load` does for what is missing.
        """
        seen = {name: found for name in names if (found := self._sieve.verdict(name, needles)) is not None} if self._sieve else {}
        yield from seen.items()
        scan = Scan(set(names) - seen.keys(), needles, self._bounds)
        with self._damage.noted("many objects"):
            packs: list[Any] = self._opened().packs
            for pack in packs:
                yield from scan.of_pack(pack)
        if scan.left:
            raise self._damage.broken(min(scan.left), "it is missing")

    def receive(self, pack: Any, *, is_thin: bool) -> None:
        """Keep the pack in the file *pack*, read from its start; raise `GitError`."""
        objects = self._opened()
        with self._damage.noted():
            sieve = Sieve(self.sought) if self.sought else None
            take_in(self.folder / "pack", pack, self._bounds, objects if is_thin else None, sieve)
            self._sieve = sieve

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
            with self._damage.noted():
                _join(self._opened(), {name for name, _ in joined})
            self.count -= len(joined) - 1

    def _opened(self) -> DiskObjectStore:
        if self._objects is None:
            raise self._damage.broken("the store", "it is not open")
        return self._objects


def _join(objects: DiskObjectStore, names: set[str]) -> None:
    old = [pack for pack in objects.packs if Path(pack._basename).name in names]  # noqa: SLF001 - no public name
    items = {item.id: (item, None) for pack in old for item in pack.iterobjects()}
    kept = objects.add_objects(list(items.values()))
    for pack in old:
        if kept is None or pack.name() != kept.name():
            objects._remove_pack(pack)  # noqa: SLF001 - dulwich's own repack does so; nothing public does
            _release([pack])


def _release(packs: Iterable[Any]) -> None:
    """Let closed *packs* be freed at once, with up to 8 MiB of bases each: what opens a pack holds it, and is held by it."""
    for pack in packs:
        pack._idx_load = pack._data_load = None  # noqa: SLF001 - no public name


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
