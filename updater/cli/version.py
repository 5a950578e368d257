"""Which versions to print when somebody reports a problem."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Final

import click

_MAIN_DEPENDENCIES: Final = ("aiohttp", "dulwich", "pyyaml", "pydantic", "apscheduler", "google-re2")


@click.command()
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
def version(output: str) -> None:
    """Print the version, and those of the main dependencies."""
    versions = {"updater": _version("gitops-image-updater"), "python": sys.version.split()[0]}
    versions |= {name: _version(name) for name in _MAIN_DEPENDENCIES}
    if output == "json":
        import json

        click.echo(json.dumps(versions, sort_keys=True))
        return
    width = max(map(len, versions))
    for name, number in versions.items():
        click.echo(f"{name:<{width}}  {number}")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        from updater import __version__

        return __version__ if distribution == "gitops-image-updater" else "absent"
