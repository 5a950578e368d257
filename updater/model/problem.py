"""Knows how to say that something in a source or a file is wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, where, and what helps. *code* is a stable word, *line* is 1-based."""

    path: str
    line: int | None = None
    code: str
    message: str
    hint: str = ""
    origin: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.message}" if place else self.message
