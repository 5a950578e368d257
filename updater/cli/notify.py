"""`updater notify`: send a test message to a route of notifications."""

from __future__ import annotations

import asyncio

import click

from updater.cli.collector import importing
from updater.cli.main import config_paths
from updater.cli.terminal import say


@click.command()
@click.option("--test", "route", metavar="ROUTE", required=True, help="The name of the route, or its number in the list.")
@click.pass_context
def notify(ctx: click.Context, /, *, route: str) -> int:
    """Send one message to a route of notifications, and wait until its receiver has taken it.

    The message shows each event that the route is told of, for an image that does not exist; a template of the route is used.
    It is sent once, without trying again. Nothing is scanned or written.

    Exit codes: 0 the receiver took it, 1 it did not, 2 there is no such route, or the configuration is invalid.
    """
    asyncio.run(_send(config_paths(ctx), route))
    say(f"sent a test message to the route {route}")
    return 0


async def _send(config: tuple[str, ...], route: str) -> None:
    """Send it; raise `UpdaterError`."""
    with importing():
        import os

        from updater.daemon.loading import load_tried
        from updater.daemon.notifications import send_test
        from updater.daemon.process import process_for
        from updater.reporting.logs import configure

    loaded = load_tried(config, os.environ)
    configure(level="error", form=loaded.settings.log.format)
    async with process_for(loaded) as process:
        await send_test(loaded.settings, process, route)
