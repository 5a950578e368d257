"""How prose of a generated page is laid out: lines of at most 120 characters, so that a diff stays readable."""

from __future__ import annotations

import textwrap
from typing import Final

_WIDTH: Final = 120


def wrapped(text: str) -> str:
    """Return one paragraph in lines; words, and so links, stay whole."""
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def laid_out(text: str) -> str:
    """Return paragraphs and lists, apart by empty lines as in *text*, in lines; an item of a list begins with a dash."""
    return "\n\n".join(_listed(part) if part.startswith("- ") else wrapped(part) for part in text.split("\n\n"))


def _listed(text: str) -> str:
    items = text.removeprefix("- ").split("\n- ")
    return "\n".join(textwrap.indent(wrapped(" ".join(item.split())), "  ").replace("  ", "- ", 1) for item in items)
