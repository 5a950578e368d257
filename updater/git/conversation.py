"""What bounds one conversation with a Git server: its deadline, and how much may be said besides a pack."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from updater.git.faults import fault
from updater.git.limits import exceeded, shown_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from updater.errors import GitError
    from updater.git.access import GitAddress
    from updater.git.limits import RepositoryLimits

_OWN_DEADLINE: Final = "check the load of the server, or raise the timeout of the GitRepository"
_CHUNK: Final = 65536  # of a pack, which is read before it is kept


class Conversation:
    """One exchange with the server at *address* within *limits*, and within *deadline* seconds where that is less.

    What is read is spent; what of it was a pack is given back when it is kept, and is bounded by the size of packs instead.
    A server that never stops talking, or that sends a byte now and then, comes to an end by one of the two.
    """

    def __init__(self, address: GitAddress, limits: RepositoryLimits, *, deadline: float | None = None) -> None:
        self._address = address
        self._limits = limits
        self._deadline = limits.deadline if deadline is None else min(limits.deadline, deadline)
        self._left = limits.answer + _CHUNK
        self._packed = 0
        self.is_overdue = False

    @contextlib.contextmanager
    def bounded(self, abort: Callable[[], None]) -> Iterator[None]:
        """Call *abort* from another thread when the deadline passes; what it breaks raises `GitError` ``git-deadline``."""

        def end() -> None:
            self.is_overdue = True
            abort()

        timer = threading.Timer(self._deadline, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except BaseException as error:
            if self.is_overdue and isinstance(error, Exception):
                raise self._overdue() from error
            raise
        finally:
            timer.cancel()

    def spend(self, size: int) -> None:
        """Count *size* bytes of an answer; raise `GitError` ``git-limit`` when it is too much."""
        self._left -= size
        if self._left < 0:
            most = self._limits.answer
            raise exceeded("answer", f"{self._address} answered with more than {shown_size(most)} that is not a pack", most)

    def keep(self, size: int) -> None:
        """Count *size* bytes of a pack, which goes to disk; raise `GitError` ``git-limit`` when it is too much."""
        self._left += size
        self._packed += size
        if self._packed > self._limits.pack:
            most = self._limits.pack
            raise exceeded("pack", f"{self._address} sent a pack of more than {shown_size(most)}", most)

    def metered(self, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """Return *read* with its bytes counted."""

        def counted(size: int) -> bytes:
            data = read(size)
            self.spend(len(data))
            return data

        return counted

    def _overdue(self) -> GitError:
        hint = _OWN_DEADLINE if self._deadline < self._limits.deadline else ""
        return fault("git-deadline", f"{self._address} did not finish within {self._deadline:g} s", hint=hint)
