"""`updater run`: the daemon."""

from __future__ import annotations

import asyncio

import click

from updater.cli.allocator import bound_arenas
from updater.cli.collector import importing
from updater.cli.main import config_paths


@click.command()
@click.pass_context
def run(ctx: click.Context) -> None:
    """Run the daemon: schedule, metrics, health.

    SIGHUP or a changed file reloads the configuration; an invalid file keeps the old one. SIGTERM finishes the
    pushes in flight and exits.
    """
    bound_arenas()
    with importing():
        from updater.daemon.service import serve_forever

    asyncio.run(serve_forever(config_paths(ctx)))
