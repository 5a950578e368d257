"""Runs what is asynchronous in a thread of its own, so that it serves while a test or a person does something else."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractAsyncContextManager


class Background:
    """An event loop in a thread. `call` waits for a coroutine in it, `enter` keeps a context open until the end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="background", daemon=True)
        self._open: list[AbstractAsyncContextManager[Any]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            while self._open:
                self.call(self._open.pop().__aexit__(None, None, None))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    def call(self, work: Coroutine[Any, Any, Any], *, seconds: float = 30.0) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def enter(self, context: AbstractAsyncContextManager[Any]) -> Any:
        entered = self.call(context.__aenter__())
        self._open.append(context)
        return entered
