"""Which files hold what is looked for, seen while they come in: a pack that was just inflated is not inflated again for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

MOST: Final = 50_000  # some 8 MB; what comes beyond is read again by the search


class Sieve:
    """Notes of each file of a pack whether one of *needles* is in it, of at most `MOST` files."""

    def __init__(self, needles: Collection[bytes]) -> None:
        self.needles = frozenset(needles)
        self._verdicts: dict[bytes, bool] = {}

    def note(self, raw: bytes, *, is_hit: bool) -> None:
        """Note the file that has the 20 bytes *raw* for its name."""
        if len(self._verdicts) < MOST:
            self._verdicts[raw] = is_hit

    def verdict(self, name: str, needles: Collection[bytes]) -> bool | None:
        """Return whether the file *name* holds one of *needles*; None where these were not looked for, or not in it."""
        return self._verdicts.get(bytes.fromhex(name)) if self.needles == frozenset(needles) else None


class Sought:
    """Looks for needles in a text that comes in pieces."""

    def __init__(self, needles: Collection[bytes]) -> None:
        self._needles = needles
        self._overlap = max(map(len, needles), default=1) - 1
        self._tail = b""
        self.is_found = False

    def take(self, data: bytes) -> None:
        """Look into the next piece, and where it meets the last one."""
        if self.is_found:
            return
        text = self._tail + data
        self.is_found = any(needle in text for needle in self._needles)
        self._tail = text[-self._overlap :] if self._overlap else b""
