"""Knows how the words of a server are repeated: on one line, of bounded length, without what we showed it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHORTEST_SECRET: Final = 4  # a shorter one would be found inside ordinary words


def told(text: str, *, most: int, secrets: Iterable[str] = ()) -> str:
    """Give *text* without *secrets* and control characters, at most *most* characters.

    Secrets go first: cut in two, or with a blank inside, one would no longer be found.
    """
    shown = masked(text, secrets)
    return "".join(char if char.isprintable() else " " for char in shown)[:most].strip()


def masked(text: str, secrets: Iterable[str]) -> str:
    """Replace every one of *secrets* in *text*, longest first, in any case: some names are lower-cased when read."""
    for secret in sorted((secret for secret in secrets if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True):
        text = re.sub(re.escape(secret), "•••", text, flags=re.IGNORECASE)
    return text
