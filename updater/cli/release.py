"""`updater release`: take back what people decided about a subscription."""

from __future__ import annotations

from typing import Any

import click

from updater.cli.asking import asking_options
from updater.cli.deciding import output_option, run

_KEPT = frozenset({"readmit"})


@click.command()
@click.argument("key")
@output_option
@asking_options
@click.pass_context
def release(ctx: click.Context, /, *, key: str, **options: Any) -> int:
    """Take back the hold, the pin and the rejections of KEY, and let what people reverted in Git be written again.

    For that the branches of KEY are read, and the commits that people took back are named; one that is taken back later counts
    anew. Exit code 1 if a branch could not be read; the rest is released.
    """

    def edit(entry: dict[str, Any]) -> dict[str, Any]:
        return {kind: value for kind, value in entry.items() if kind in _KEPT}

    return run(ctx, key, edit, releases=True, **options)
