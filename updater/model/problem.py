"""Say that something in a source or a file is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from updater.model.text import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, where, and what helps. *code* is a stable word, *line* is 1-based; it is made to be shown.

    *setter* is the name in the marker that it is about, "" where it is about no marker.
    """

    path: str
    line: int | None = None
    code: str
    message: str
    hint: str = ""
    origin: str = ""
    setter: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", shown(self.path))
        object.__setattr__(self, "message", shown(self.message))

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.message}" if place else self.message
