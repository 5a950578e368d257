"""Knows how a selection is shown to people: the winner with its reason, then who lost and why."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final

from updater.cli.check_lines import selection_as_json

if TYPE_CHECKING:
    from updater.model.selection import Selection

_HEAD: Final = ("TAG", "CODE", "WHY")
_COLOURS: Final = {"updated": "green", "unchanged": "cyan", "held": "yellow", "no-match": "yellow"}
_WIDEST_TAG: Final = 48


def as_json(selection: Selection, image: str) -> dict[str, Any]:
    """Give the answer of a batch line, with the image and every sentence."""
    return {
        "image": image,
        **selection_as_json(selection),
        "code": selection.code,
        "detail": selection.detail,
        "reasons": {tag: rejection.sentence for tag, rejection in selection.rejections.items()},
        "error": None,
    }


def show(selection: Selection, stream: IO[str]) -> None:
    """Write the selection as text, as a coloured table where *stream* is a terminal."""
    rows = [tuple(map(_printable, (row.tag, str(row.code), row.sentence))) for row in selection.rejections.values()]
    status, detail = str(selection.status), _printable(selection.detail)
    if stream.isatty():
        _draw(status, detail, rows, stream)
        return
    stream.write(f"{status}: {detail}\n")
    if rows:
        widths = [min(_WIDEST_TAG, max(len(row[column]) for row in (_HEAD, *rows))) for column in (0, 1)]
        stream.write("\n")
        for tag, code, why in (_HEAD, *rows):
            stream.write(f"{tag:<{widths[0]}}  {code:<{widths[1]}}  {why}\n")


def _draw(status: str, detail: str, rows: list[tuple[str, ...]], stream: IO[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False)  # NO_COLOR is heard there
    console.print(Text.assemble((status, f"bold {_COLOURS.get(status, 'white')}"), ": ", detail))
    if rows:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column(_HEAD[0], max_width=_WIDEST_TAG, overflow="fold")
        table.add_column(_HEAD[1], style="dim", no_wrap=True)
        table.add_column(_HEAD[2])
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)


def _printable(text: str) -> str:
    """Spell out what would move a terminal's cursor or cannot be encoded."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
