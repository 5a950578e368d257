"""Small files that the program makes once in its state and reads ever after: whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LONGEST: Final = 4096
_TRIES: Final = 3


def made_once(path: Path, make: Callable[[], bytes], *, is_cut: Callable[[bytes], bool], mode: int = 0o600) -> bytes | None:
    """Return what stands at *path*; where there is nothing, *make* says what is written, for who *mode* lets read.

    What *is_cut* calls cut short, as by a full disk or a crash, is made anew. Returns None where somebody else removes it all the
    time. Raises `OSError`.
    """
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):
            with path.open("rb") as file:
                found = file.read(_LONGEST)
            if not is_cut(found):
                return found
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, make(), mode)
    return None


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a new file, whole or not at all, unless somebody else just did."""
    part = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    _create(part, content, mode)
    try:
        os.link(part, path)
    except FileExistsError:
        return
    except OSError:  # no hard links in this file system: a crash may cut it short, which the next reader mends
        with suppress(FileExistsError):
            _create(path, content, mode)
    finally:
        part.unlink()


def _create(path: Path, content: bytes, mode: int) -> None:
    """Write a new file and wait for the disk; one that cannot be written is removed. Raises `FileExistsError`."""
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink()
        raise
