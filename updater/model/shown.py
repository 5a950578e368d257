"""Knows how a text that somebody else wrote is shown: what would move a cursor or reorder a line is spelled out."""

from __future__ import annotations

from typing import TypeVar

_Data = TypeVar("_Data")


def printable(text: str) -> str:
    r"""Return *text* with each character that is not printable as its escape, such as ``\x1b``; line ends too."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def printable_lines(text: str) -> str:
    """Return *text* as `printable` does, and keep its line ends: a traceback has many lines."""
    return "\n".join(map(printable, text.split("\n")))


def printable_data(data: _Data) -> _Data:
    """Return a copy of mappings, lists and texts in which every text is `printable`."""
    if isinstance(data, str):
        return printable(data)  # type: ignore[return-value]
    if isinstance(data, dict):
        return {key: printable_data(item) for key, item in data.items()}  # type: ignore[return-value]
    if isinstance(data, list):
        return [printable_data(item) for item in data]  # type: ignore[return-value]
    return data
