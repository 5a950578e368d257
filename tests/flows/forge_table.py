"""The table of docs/reference/forges.md, by kind: what a flow expects of a forge is what people are told of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PAGE = Path(__file__).resolve().parents[2] / "docs/reference/forges.md"


@cache
def row(name: str) -> dict[str, str]:
    """Return the cells of a row by kind."""
    lines = [line.strip("|\n").split("|") for line in _PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = {line[0].strip(): [cell.strip() for cell in line[1:]] for line in lines}
    kinds = [cell.strip("`") for cell in cells["`kind`"]]
    return dict(zip(kinds, cells[name], strict=True))


def has(kind: str, name: str) -> bool:
    """Return whether the forge has what a row is about."""
    return row(name)[kind] != "–"
