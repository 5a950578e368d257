"""`updater pin`: keep a subscription at one tag."""

from __future__ import annotations

from typing import Any

import click

from updater.cli.asking import asking_options
from updater.cli.deciding import decision_options, row_of, run, same_but_when
from updater.errors import ConfigError
from updater.model.image import is_tag


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
    if not is_tag(tag):
        raise ConfigError(f"{tag!r} is not a tag", hint="letters, digits, '_', '.' and '-', at most 128", code="usage")
    row = row_of(options, tag=tag)

    def edit(entry: dict[str, Any]) -> dict[str, Any]:
        return entry if same_but_when(entry.get("pin"), row) else {**entry, "pin": row}

    return run(ctx, key, edit, **options)
