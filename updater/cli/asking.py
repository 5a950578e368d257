"""The options of every command that asks servers while a person waits: how patient it is, and what it tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.daemon.watching import Asking

_F = TypeVar("_F", bound="Callable[..., Any]")


def asking_options(command: _F) -> _F:
    """Add --timeout and -v to a command, as its parameters *timeout* and *verbose*."""
    patience = click.option(
        "--timeout",
        metavar="DURATION",
        default="30s",
        show_default=True,
        help="How long a registry or Git server may stay silent, in total.",
    )
    told = click.option("-v", "--verbose", is_flag=True, help="Print each request to a registry or Git server to stderr.")
    return patience(told(command))


def asking_of(*, timeout: str, verbose: bool) -> Asking:
    """Return what was asked for; raise `ConfigError`. Imported where it is needed: `check --tags-file` asks nobody."""
    from updater.daemon.watching import Asking
    from updater.settings.values import read_duration

    return Asking(timeout=read_duration(timeout), is_verbose=verbose)
