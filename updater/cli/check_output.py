"""How a selection is shown to people: the winner with its reason, then who lost and why."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any, Final

import click

from updater.cli.check_lines import selection_as_json
from updater.cli.report import WOULD_UPDATE
from updater.model.outcome import Status
from updater.model.text import printable

if TYPE_CHECKING:
    from updater.model.selection import Selection

_HEAD: Final = ("TAG", "CODE", "WHY")
_COLOURS: Final = {"updated": "green", "unchanged": "cyan", "held": "yellow", "no-match": "yellow"}
_WIDEST_TAG: Final = 48


def as_json(selection: Selection, image: str) -> dict[str, Any]:
    """Return the answer of a batch line, with the image and every sentence."""
    return {
        "image": image,
        **selection_as_json(selection),
        "code": selection.code,
        "detail": selection.detail,
        "hint": selection.hint or None,
        "reasons": {tag: rejection.sentence for tag, rejection in selection.rejections.items()},
        "error": None,
    }


def show(selection: Selection, stream: IO[str], *, is_written: bool = True, most: int | None = None) -> None:
    """Write the selection as text: the winner with its reason, then an aligned table of the first *most* that lost.

    *is_written* says that there was a tag to compare with. Colours only on a terminal.
    """
    losers = list(selection.rejections.values())
    rows = [tuple(map(printable, (row.tag, str(row.code), row.sentence))) for row in losers[:most]]
    has_colours = stream.isatty() and not os.environ.get("NO_COLOR")
    status = str(selection.status)
    chosen = WOULD_UPDATE if is_written else "would choose"  # nothing is written here
    word = chosen if selection.status == Status.UPDATED else status
    shown = click.style(word, fg=_COLOURS.get(status, "white"), bold=True) if has_colours else word
    stream.write(f"{shown}: {printable(selection.detail)}\n")
    if selection.hint:
        stream.write(f"hint: {printable(selection.hint)}\n")
    if not rows:
        return
    widths = [min(_WIDEST_TAG, max(len(row[column]) for row in (_HEAD, *rows))) for column in (0, 1)]
    stream.write("\n")
    for number, (tag, code, why) in enumerate((_HEAD, *rows)):
        line = f"{tag:<{widths[0]}}  {code:<{widths[1]}}  {why}"
        stream.write(f"{click.style(line, bold=True) if has_colours and number == 0 else line}\n")
    if len(losers) > len(rows):
        stream.write(f"… and {len(losers) - len(rows)} more; --all shows them\n")
