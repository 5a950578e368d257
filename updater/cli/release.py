"""`updater release`: take back what people decided about a subscription."""

from __future__ import annotations

from typing import Any

import click

from updater.cli.asking import asking_options
from updater.cli.deciding import output_option, run


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
    from updater.settings.decision_edits import released

    return run(ctx, key, released, releases=True, **options)
