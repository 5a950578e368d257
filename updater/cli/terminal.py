"""How text fits a terminal: lines fold between words, below where their own text began. Elsewhere nothing is folded."""

from __future__ import annotations

import shutil
import sys
from typing import IO, Final

import click

_FURTHEST: Final = 3  # a part of the columns: text that begins further to the right goes on there


def columns_of(stream: IO[str]) -> int | None:
    """Return the columns of the terminal that *stream* writes to; None where it is a file or a pipe, read by a program."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def say(text: str, *, err: bool = False) -> None:
    """Write *text* and a line end, folded where it goes to a terminal."""
    click.echo(folded(text, columns_of(sys.stderr if err else sys.stdout)), err=err)


def folded(text: str, columns: int | None) -> str:
    """Return *text* with lines of at most *columns* where their words allow it; styles stay, no word is cut."""
    return text if columns is None else "\n".join(_folded(line, columns) for line in text.split("\n"))


def _folded(line: str, columns: int) -> str:
    plain = click.unstyle(line)
    if len(plain) <= columns:
        return line
    indent = " " * min(_text_begins(plain), columns // _FURTHEST)
    lines, current = list[str](), ""
    for number, word in enumerate(line.split(" ")):
        longer = word if number == 0 else f"{current} {word}"
        if click.unstyle(current).strip() and len(click.unstyle(longer)) > columns:
            lines.append(current.rstrip(" "))
            longer = f"{indent}{word}"
        current = longer
    return "\n".join([*lines, current])


def _text_begins(plain: str) -> int:
    """Return the column after a line's first word and its gap, or two beyond its indentation where there is no gap."""
    begin = len(plain) - len(plain.lstrip(" "))
    gap = plain.find("  ", begin)
    if gap < 0:
        return begin + 2
    return len(plain) - len(plain[gap:].lstrip(" "))
