"""How much a Git server and a repository may ask of this process: in bytes, objects, files and seconds.

Every limit is a setting below `git.limits`, and is checked before anything is allocated for what exceeds it.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from updater.git.faults import fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from updater.errors import GitError

MEBIBYTE: Final = 2**20
_SMALL: Final = MEBIBYTE  # what every conversation needs anyway is not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryLimits:
    """The limits of one repository; sizes are bytes, *deadline* is seconds. Each has the name of its setting.

    *deadline* bounds one conversation with a server, *answer* what it may say besides a pack, *pack* a pack as it is sent.
    *unpacked*, *objects* and *delta_depth* bound what is in a pack. *object* is the largest object that is held in memory,
    *file* the largest file that is edited, *history* what is fetched to read commits. *entries*, *tree_depth*, *files* and
    *search* bound one search: the entries and levels of the tree, the files that it finds, and the bytes of files that it
    reads. *memory* is shared by all repositories.
    """

    deadline: float = 120.0
    answer: int = 32 * MEBIBYTE
    pack: int = 1024 * MEBIBYTE
    unpacked: int = 4096 * MEBIBYTE
    objects: int = 500_000
    delta_depth: int = 512
    object: int = 20 * MEBIBYTE
    file: int = 8 * MEBIBYTE
    history: int = 256 * MEBIBYTE
    entries: int = 300_000
    tree_depth: int = 100
    files: int = 20_000
    search: int = 1024 * MEBIBYTE
    memory: int = 160 * MEBIBYTE


class MemoryBudget:
    """The memory that large objects of all repositories may take at one time; threads wait for their turn."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._taken = 0

    @contextlib.contextmanager
    def taken(self, size: int, most: int) -> Iterator[None]:
        """Hold *size* bytes of *most*; waits until they are free. A *size* above *most* waits until nothing else is held."""
        size = min(size, most)
        if size <= _SMALL:
            yield
            return
        with self._free:
            self._free.wait_for(lambda: self._taken + size <= most or not self._taken)
            self._taken += size
        try:
            yield
        finally:
            with self._free:
                self._taken -= size
                self._free.notify_all()


@dataclass(slots=True)
class Bounds:
    """The limits in force, which a reload may replace, and the budget that all repositories of a process share."""

    limits: RepositoryLimits = field(default_factory=RepositoryLimits)
    budget: MemoryBudget = field(default_factory=MemoryBudget)

    @contextlib.contextmanager
    def memory(self, size: int) -> Iterator[None]:
        """Hold *size* bytes of the shared memory; raise `GitError` ``git-limit`` where that is more than all of it."""
        if size > self.limits.memory:
            raise exceeded("memory", f"one object needs {shown_size(size)} of memory at one time", self.limits.memory)
        with self.budget.taken(size, self.limits.memory):
            yield


def exceeded(setting: str, what: str, most: float) -> GitError:
    """Make the error ``git-limit``: *what* happened, and which *setting* allows at *most* how much."""
    amount = f"{most:g} s" if setting == "deadline" else f"{most:,}" if setting in _COUNTS else shown_size(int(most))
    hint = f"the limit is {amount}: if this repository is meant to be so large, raise git.limits.{setting}"
    return fault("git-limit", what, hint=hint)


def shown_size(size: int) -> str:
    """Return *size* for people, in the largest unit that it fills."""
    for unit, name in ((1024 * MEBIBYTE, "GiB"), (MEBIBYTE, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"


_COUNTS: Final = frozenset({"objects", "delta_depth", "entries", "tree_depth", "files"})
