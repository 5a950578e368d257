"""What stands behind a reference, read anew when it is old: who asks waits a moment, then goes on with what is known."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from updater.errors import UpdaterError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from updater.model.subscription import CredentialRef

READ_AGAIN: Final = 2.0
#: for how long who asks waits for what is read anew, where something is known
RENEWED_WITHIN: Final = 1.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _KnownValue(Generic[_T]):
    ref: CredentialRef | None
    value: _T
    read_at: float

    @property
    def is_old(self) -> bool:
        """Whether it is to be read anew; what has no reference is our own and stays."""
        return self.ref is not None and time.monotonic() - self.read_at >= READ_AGAIN


class RenewedValue(Generic[_T]):
    """*read* returns the value of a reference; where that fails, *tell* hears why, with a hint, and the last one stays."""

    def __init__(self, read: Callable[[CredentialRef | None], Awaitable[_T]], tell: Callable[[str, str], None]) -> None:
        self._read = read
        self._tell = tell
        self._known: _KnownValue[_T] | None = None
        self._reading: tuple[CredentialRef | None, asyncio.Task[_T]] | None = None
        self._late: asyncio.Task[_T] | None = None

    async def get(self, ref: CredentialRef | None) -> _T:
        """Return the value as it is, or where it cannot be read, as it was last; raise `UpdaterError` without one."""
        known = self._known if self._known is not None and self._known.ref == ref else None
        if known is not None and not known.is_old:
            return known.value
        task = self._task(ref, known)
        if known is None:
            await asyncio.wait({task})
        elif self._late is task:
            return known.value
        else:
            await asyncio.wait({task}, timeout=RENEWED_WITHIN)
            if not task.done():  # it goes on without us: a slow answer counts when it comes
                self._late = task
                return known.value
        return task.result()

    def _task(self, ref: CredentialRef | None, known: _KnownValue[_T] | None) -> asyncio.Task[_T]:
        """Return who reads the value now; there is one at a time."""
        if self._reading is None or self._reading[0] != ref or self._reading[1].done():
            task = asyncio.create_task(self._renewed(ref, known))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever waited may be gone
            self._reading = ref, task
        return self._reading[1]

    async def _renewed(self, ref: CredentialRef | None, known: _KnownValue[_T] | None) -> _T:
        try:
            value = await self._read(ref)
        except UpdaterError as error:
            if known is None:
                raise
            self._tell(error.message, error.hint)
            value = known.value
        if self._reading is not None and self._reading[1] is asyncio.current_task():  # else another reference is in force
            self._known = _KnownValue(ref, value, time.monotonic())
        return value
