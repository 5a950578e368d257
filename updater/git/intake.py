"""How a received pack is indexed and moved in, and how long an object of a pack is before it is read."""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.pack import PackData, extend_pack, iter_sha1, write_pack_index_v2

from updater.git.inflation import index_entries, read_header, result_size
from updater.git.limits import exceeded, shown_size

if TYPE_CHECKING:
    from dulwich.object_store import DiskObjectStore
    from dulwich.pack import Pack

    from updater.git.limits import Bounds
    from updater.git.sieve import Sieve


def take_in(folder: Path, pack: Any, bounds: Bounds, bases: DiskObjectStore | None, sieve: Sieve | None = None) -> None:
    """Index a pack and move it in, with what it builds on of *bases*; its sum is checked, its objects have their limits.

    Its files go through *sieve* on the way.
    """

    def give(wanted: Any) -> tuple[int, bytes]:
        found, size = measured(bases, wanted.hex())
        require_small(wanted.hex(), size, bounds)
        return found.get_raw(wanted)

    descriptor, name = tempfile.mkstemp(dir=folder, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w+b") as file:
            shutil.copyfileobj(pack, file)
            file.flush()
            with contextlib.closing(PackData(name, DEFAULT_OBJECT_FORMAT, file=file)) as data:
                data.check()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as contents:
                entries, borrowed = index_entries(contents, bounds, give if bases is not None else None, sieve)
            sum_of_pack, extra = extend_pack(file, set(borrowed), give, DEFAULT_OBJECT_FORMAT)  # type: ignore[arg-type]
            file.flush()
        entries = sorted([*entries, *extra])
        base = folder / f"pack-{iter_sha1(entry[0] for entry in entries).decode()}"
        if base.with_suffix(".pack").exists() and base.with_suffix(".idx").exists():
            return  # the same objects are here, and perhaps open: neither file may change
        with base.with_suffix(".idx").open("wb") as index:
            write_pack_index_v2(index, entries, sum_of_pack)
        Path(name).replace(base.with_suffix(".pack"))
    finally:
        Path(name).unlink(missing_ok=True)


def measured(objects: DiskObjectStore | None, name: str) -> tuple[Pack, int]:
    """Return the pack that holds an object, and the object's length; raise `KeyError` where none does."""
    raw: Any = bytes.fromhex(name)
    if objects is None or len(raw) != 20:
        raise KeyError(name)

    def find(pack: Pack) -> tuple[Pack, int]:
        offset, contents = pack.index.object_offset(raw), pack.data._buffer()  # noqa: SLF001 - nothing public gives them
        return pack, result_size(contents, read_header(contents, offset))

    return objects._lookup_in_packs(find)  # noqa: SLF001


def require_small(name: str, size: int, bounds: Bounds) -> None:
    """Raise `GitError` ``git-limit`` where an object is too large to be held in memory."""
    if size > bounds.limits.object:
        raise exceeded("object", f"the object {name[:12]} is {shown_size(size)} long", bounds.limits.object)
