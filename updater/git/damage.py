"""Knows how damage to a mirror's folder shows, and how it is told: broken content heals by a fetch, a bad disk does not."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from typing import TYPE_CHECKING, Final

from dulwich.errors import ApplyDeltaError, ChecksumMismatch, FileFormatException
from dulwich.pack import PackFileDisappeared, UnresolvedDeltas

from updater.errors import GitError
from updater.git.faults import fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# what reading broken or vanished objects raises
DAMAGE: Final = (
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


class Damage:
    """Knows whether *folder* was found damaged since it was last made or read whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_found = False

    def broken(self, name: str, why: str) -> GitError:
        """Note that the folder cannot give *name*; gives the error to raise, ``mirror-broken``."""
        self.is_found = True
        return fault("mirror-broken", f"the mirror {self.folder} cannot give {name[:12]}: {why}")

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note damage that shows inside; raises `GitError` ``mirror-disk`` or ``mirror-broken`` for it."""
        try:
            yield
        except GitError:
            raise
        except OSError as error:
            self.is_found = True
            raise fault("mirror-disk", f"the mirror {self.folder}: {os.strerror(error.errno or 0)}") from error
        except DAMAGE as error:
            raise self.broken("the store", type(error).__name__) from error
