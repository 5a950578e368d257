"""What an answer says of further pages, and the answers that are kept for the next question: those with an ETag."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from updater.http.exchange import Response

_MOST_KEPT: Final = 2**20  # bytes for each repository, compressed: a page of GitHub is 1 MiB, of which a tenth remains
_LEVEL: Final = 1
_LONGEST_TOTAL: Final = 10


@dataclass(frozen=True, slots=True)
class Remaining:
    """What an answer says of further pages: how many items there are in all, whether a page follows; None where it does not."""

    total: int | None = None
    has_next: bool | None = None

    @classmethod
    def of(cls, answer: Response) -> Remaining:
        """Read the headers of an answer."""
        total, link = answer.header("X-Total-Count") or "", answer.header("Link")
        is_number = total.isascii() and total.isdigit() and len(total) < _LONGEST_TOTAL
        return cls(int(total) if is_number else None, None if link is None else 'rel="next"' in link)

    def is_after(self, count: int, *, is_full: bool) -> bool:
        """Return whether more follows *count* items: a server may give fewer in a page than it is asked for."""
        if self.total is not None:
            return count < self.total
        return is_full if self.has_next is None else self.has_next


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer with its ETag; *packed* is its body, compressed."""

    tag: str
    packed: bytes
    remaining: Remaining

    @classmethod
    def of(cls, answer: Response, tag: str) -> KeptAnswer:
        """Compress an answer."""
        return cls(tag, zlib.compress(answer.body, _LEVEL), Remaining.of(answer))

    @property
    def body(self) -> bytes:
        """The body as it was read."""
        return zlib.decompress(self.packed)


class KeptAnswers:
    """The answers by URL, what was asked longest ago first; together they take `size` bytes."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptAnswer] = {}
        self.size = 0

    @property
    def urls(self) -> tuple[str, ...]:
        """What is kept, what was asked longest ago first."""
        return tuple(self._kept)

    def get(self, url: str) -> KeptAnswer | None:
        """Return what is kept of *url*."""
        return self._kept.get(url)

    def keep(self, url: str, answer: KeptAnswer) -> None:
        """Keep an answer; what was asked longest ago makes room."""
        self._drop(url)
        self._kept[url] = answer
        self.size += len(answer.packed)
        while self._kept and self.size > _MOST_KEPT:
            self._drop(next(iter(self._kept)))

    def _drop(self, url: str) -> None:
        before = self._kept.pop(url, None)
        self.size -= len(before.packed) if before else 0
