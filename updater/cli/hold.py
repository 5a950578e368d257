"""`updater hold`: let nothing be written for a subscription, until a time or until somebody releases it."""

from __future__ import annotations

from typing import Any

import click

from updater.cli.asking import asking_options
from updater.cli.deciding import decision_options, row_of, run


@click.command()
@click.argument("key")
@decision_options
@asking_options
@click.pass_context
def hold(ctx: click.Context, /, *, key: str, **options: Any) -> int:
    """Let nothing be written for KEY, until a time or until it is released.

    KEY is a subscription, or namespace/application with all its images. The decision is written to an annotation of the object
    that asked for the image, with your rights in the cluster; for subscriptions of the configuration file to the file that the
    setting holds names. Nothing is written to Git.
    """
    from updater.settings.decision_edits import held

    return run(ctx, key, held(row_of(options)), **options)
