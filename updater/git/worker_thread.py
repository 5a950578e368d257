"""How blocking work is done one piece at a time beside the event loop, and how some waits until no other comes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")


class WorkerThread:
    """One thread that lives while there is work.

    Work that waits and is cancelled never starts; work that runs is finished, and what comes next waits for it. The
    thread does not hold up the end of the program: a hung server must not, and what it leaves behind is a cache.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lock = threading.Lock()
        self._is_running = False

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Queue *work*."""
        future: Future[_T] = Future()
        with self._lock:
            self._waiting.append((future, work))
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._drain, name="git", daemon=True).start()
        return future

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do *work* in its turn and return what it gives."""
        return await asyncio.wrap_future(self.submit(work))

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_running = False
                    return
                future, work = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - whoever awaits it decides
                future.set_exception(error)
            else:
                future.set_result(result)


class Later:
    """Calls *act* on the event loop once nothing has put it off for *seconds*."""

    def __init__(self, seconds: float, act: Callable[[], object]) -> None:
        self._seconds = seconds
        self._act = act
        self._handle: asyncio.TimerHandle | None = None
        self._busy = 0

    @contextlib.contextmanager
    def put_off(self) -> Iterator[None]:
        """Wait until the block ends, and all others of its kind, then begin to wait again."""
        self._busy += 1
        self.cancel()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._handle = asyncio.get_running_loop().call_later(self._seconds, self._act)

    def cancel(self) -> None:
        """Wait no more."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None
