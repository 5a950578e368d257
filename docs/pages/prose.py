"""How prose of a generated page is laid out: lines of at most 120 characters, so that a diff stays readable."""

from __future__ import annotations

import textwrap
from typing import Final

_WIDTH: Final = 120


def wrapped(text: str) -> str:
    """Return one paragraph in lines; words, and so links, stay whole."""
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
