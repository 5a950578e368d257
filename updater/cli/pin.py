"""`updater pin`: keep a subscription at one tag."""

from __future__ import annotations

from typing import Any

import click

from updater.cli.asking import asking_options
from updater.cli.deciding import decision_options, row_of, run


@click.command()
@click.argument("key")
@click.argument("tag")
@decision_options
@asking_options
@click.pass_context
def pin(ctx: click.Context, /, *, key: str, tag: str, **options: Any) -> int:
    """Write TAG for KEY and stay there, whatever its policy says, until it is released.

    The tag may be lower than what is written. As long as the registry does not list it, nothing is written, and the outcome is
    `held` with the code pinned.
    """
    from updater.settings.decision_edits import named_tag, pinned

    return run(ctx, key, pinned(row_of(options, **named_tag(tag))), **options)
