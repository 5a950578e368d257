"""How damage to a mirror's folder shows, and how it is told: lost or broken content heals by a fetch, a bad disk not."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, Final

from updater.errors import UpdaterError
from updater.git.faults import fault
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from updater.errors import GitError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# what a full or read-only disk says, or one that this user may not write: another fetch would end the same way
_OF_THE_DISK: Final = _FULL | {errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def is_foreign(error: BaseException) -> bool:
    """Return whether *error* may come from bytes that somebody else wrote.

    A Git library raises whatever the bytes lead it to (`OverflowError` for an odd number in an index, `MemoryError` for a
    length that lies), so no list of kinds is complete. A panic of its compiled parts is no `Exception`.
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


@contextlib.contextmanager
def renamed(make: Callable[[BaseException], GitError]) -> Iterator[None]:
    """Name what the Git library raises inside for bytes that somebody else wrote; our own errors pass as they are."""
    try:
        yield
    except UpdaterError:
        raise
    except BaseException as error:
        if not is_foreign(error):
            raise
        raise make(error) from error


class Damage:
    """Whether *folder* must be made anew since it was last read whole, and *why*: "" where it merely holds too much."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_found = False
        self.why = ""

    def broken(self, name: str, why: str) -> GitError:
        """Note that the folder cannot give *name*; return the error to raise, ``mirror-broken``."""
        self.note(f"{name[:12]}: {why}")
        return fault("mirror-broken", f"the mirror {self.folder} cannot give {name[:12]}: {why}")

    def note(self, why: str) -> None:
        """Note that the folder must be made anew."""
        self.is_found, self.why = True, self.why or why

    def clear(self) -> str:
        """Note that the folder is whole again; return what was wrong with it."""
        why, self.is_found, self.why = self.why, False, ""
        return why

    @contextlib.contextmanager
    def noted(self, name: str = "the store") -> Iterator[None]:
        """Note damage that shows while *name* is read or kept; raise `GitError` ``mirror-disk`` or ``mirror-broken`` for it."""
        try:
            yield
        except UpdaterError:
            raise
        except OSError as error:
            if error.errno in _OF_THE_DISK:
                self.is_found = self.is_found or error.errno in _FULL  # what was half-written must not stay
                raise self._of_disk(error) from error
            raise self.broken(name, reason_of(error)) from error
        except BaseException as error:
            if not is_foreign(error):
                raise
            raise self.broken(name, "it is missing" if isinstance(error, KeyError) else "its bytes are damaged") from error

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """Let the folder be made inside; raise `GitError` ``mirror-disk`` where the disk does not take it."""
        try:
            yield
        except OSError as error:
            raise self._of_disk(error) from error

    def _of_disk(self, error: OSError) -> GitError:
        return fault("mirror-disk", f"the mirror {self.folder}: {reason_of(error)}")
