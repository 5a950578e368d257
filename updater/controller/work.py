"""How work on the objects of a cluster goes on for ever: a bug ends one piece of it, and never the watch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator


async def repeat(work: Callable[[], Awaitable[None]], *, detail: str) -> None:
    """Do one piece of work after the other until cancelled; *detail* says what was not done where a piece ended in a bug."""
    while True:
        with bugs_logged(detail):
            await work()


@contextmanager
def bugs_logged(detail: str) -> Iterator[None]:
    """Log a bug with its traceback: who is not told must not cost those who are kept current."""
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever it is, it is only about telling
        structlog.get_logger().exception("bug", detail=detail)
