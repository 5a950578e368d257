"""Quote the text of a server: on one line, of bounded length, without credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.http.masking import clipped, masked

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["masked", "told"]


def told(text: str, *, most: int, secrets: Iterable[str] = ()) -> str:
    """Return *text* without *secrets*, in any encoding, and without control characters, at most *most* characters.

    Secrets go first: cut in two, or with a blank inside, one would no longer be found.
    """
    shown = clipped(text, most, secrets)
    return "".join(char if char.isprintable() else " " for char in shown)[:most].strip()
