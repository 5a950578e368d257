"""`updater reject`: never choose one image for a subscription."""

from __future__ import annotations

from typing import Any

import click

from updater.cli.asking import asking_options
from updater.cli.deciding import decision_options, row_of, run


@click.command()
@click.argument("key")
@click.argument("image", metavar="TAG|DIGEST")
@decision_options
@asking_options
@click.pass_context
def reject(ctx: click.Context, /, *, key: str, image: str, **options: Any) -> int:
    """Never choose a tag, or a digest under any tag, for KEY.

    What is written stays as it is: to go back, pin the version that you want.
    """
    from updater.settings.decision_edits import named_image, rejected

    named = named_image(image)
    return run(ctx, key, rejected(row_of(options, **named), named), **options)
