"""Split the pieces of an endless response into lines of bounded length."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class LineTooLong(Exception):  # noqa: N818 - a sign for the reader of the stream, which knows whose line it is
    """A line exceeded its maximum length. Never leaves this package."""


class Lines:
    """Take pieces as they arrive and return the complete lines; the rest is kept for the next piece.

    So a line that broke off in the middle is never taken for a whole one. aiohttp's own reader of lines ends at 64 KiB.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Return the lines that are whole with *piece*, without their line ends; empty ones are left out."""
        first, *others = piece.split(b"\n")
        self._hold(first)
        for following in others:
            line = b"".join(self._parts)
            self._parts, self._size = [], 0
            if line.strip():
                yield line
            self._hold(following)

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._longest:
            raise LineTooLong
        if part:
            self._parts.append(part)
