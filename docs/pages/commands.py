"""Generate the page of commands from the command tree."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Final

import click

from pages.prose import wrapped
from updater.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD: Final = """# Commands

Generated from the code by `docs/generate.py`; `updater COMMAND --help` shows the same.

Data goes to standard output, messages to standard error, where a failure is a line `error:` and a line `hint:`. Output
is colored only on a terminal, and never with `NO_COLOR`. JSON has times as RFC 3339 in UTC, null instead of missing
keys, and keys in a fixed order.

| exit code | meaning |
|---|---|
| 0 | success |
| 1 | an expected failure: a target failed, a value was refused, a file has problems |
| 2 | the command line or the configuration is invalid; nothing was done |
| 3 | a bug |
| 10 | with `--exit-code` of `once` and `set`: something was written, and nothing failed |
| 130 | interrupted |
"""


def commands_page() -> str:
    """Return the reference of all commands with their options and output."""
    context = click.Context(cli, info_name="updater", **cli.context_settings)
    parts = [_HEAD, *_command(cli, context, "updater")]
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None  # noqa: S101 - the name comes from the tree
        parts += _command(command, click.Context(command, info_name=name, parent=context), f"updater {name}")
    return "\n".join(parts).rstrip() + "\n"


def _command(command: click.Command, context: click.Context, title: str) -> Iterator[str]:
    yield f"## `{title}`\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```\n{title} {usage}\n```\n"
    yield f"{_paragraphs(command.help or '')}\n"
    rows = [row for parameter in command.get_params(context) if (row := parameter.get_help_record(context)) and row[1]]
    yield "| option | does |\n|---|---|"
    yield "".join(f"| `{_cell(option)}` | {_cell(text)} |\n" for option, text in rows)
    if command.epilog:
        yield f"{_paragraphs(command.epilog)}\n"


def _paragraphs(text: str) -> str:
    joined = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(text))
    return "\n\n".join(wrapped(paragraph) for paragraph in joined.split("\n\n"))


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
