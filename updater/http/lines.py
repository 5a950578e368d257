"""How pieces of an endless answer become its lines, each of a bounded length."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class LineTooLong(Exception):  # noqa: N818 - a sign for the reader of the stream, which knows whose line it is
    """A line outgrew its cap. Never leaves this package."""


class Lines:
    """Takes pieces as they come and gives the lines that they end. What stands after the last line end is kept back.

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
