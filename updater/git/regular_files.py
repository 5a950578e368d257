"""How the files of the state are opened: only regular ones, so that a pipe or a device in place of one never blocks a landing."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


LARGEST: Final = 256 * 2**20
"""A file of the state that is larger is damaged: reading it would end the process, at every start anew."""


def open_regular(path: Path, mode: str = "rb") -> IO[Any]:
    """Open the file at *path*; raise `OSError` for what is no regular file. It never waits for the other end of a pipe."""
    return open(path, mode, opener=_opener)


def read_regular(path: Path) -> bytes:
    """Return the bytes of the file at *path*; raise `OSError` as `open_regular` does, and for more than `LARGEST` bytes."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise OSError(errno.EFBIG, "is larger than any that is written here", str(path))
        data: bytes = file.read()
    return data


def first_irregular(folder: Path) -> str:
    """Return the path, from *folder*, of anything below it that is neither a folder nor a regular file; "" for none.

    A link counts as what it points to, except that links to folders are not entered.
    """
    return next(_irregular(folder, ""), "")


def _irregular(folder: Path, above: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as found:
            items = list(found)
    except OSError:  # whoever reads there says why that fails
        return
    for item in items:
        name = f"{above}{item.name}"
        if item.is_dir(follow_symlinks=False):
            yield from _irregular(Path(item.path), f"{name}/")
        elif not _leads_to_content(item):
            yield name


def _leads_to_content(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_file() or item.is_dir()
    except OSError:  # a link to itself
        return False


def _opener(name: str, flags: int) -> int:
    descriptor = os.open(name, flags | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a regular file", name)
    return descriptor
