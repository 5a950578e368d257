"""What the commands by which people decide share: who decides, until when, and how it is told."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from updater.cli.asking import asking_of
from updater.cli.collector import importing
from updater.cli.main import FAILURE, config_paths
from updater.cli.terminal import say
from updater.model.text import printable, printable_data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from updater.daemon.people import DecisionWritten

    Edit = Callable[[dict[str, Any]], dict[str, Any]]

_F = TypeVar("_F", bound="Callable[..., Any]")
_LONGEST: Final = 1000

_OPTIONS: Final = (
    click.option("--until", metavar="TIME", help="When it ends, such as 2026-12-01T09:00:00Z or 2026-12-01."),
    click.option("--for", "lasts", metavar="DURATION", help="How long it lasts, such as 4h or 3d."),
    click.option("--reason", metavar="TEXT", default="", help="Why; shown wherever the decision is told."),
)
output_option = click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print."
)


def decision_options(command: _F) -> _F:
    """Add the options of every decision: its end, its reason, and how it is told."""
    for option in (output_option, *reversed(_OPTIONS)):
        command = option(command)
    return command


def row_of(options: Mapping[str, Any], **named: str) -> dict[str, Any]:
    """Return a decision of whoever runs the command, made now; raise `ConfigError` for a time that cannot be read."""
    from updater.settings.decision_edits import decision_row

    ends = {"until": options["until"], "lasts": options["lasts"]}
    return decision_row(author=author(), reason=options["reason"], dash="--", **ends, **named)


def author() -> str:
    """Name who decides as Git names an author; without that the user and the machine."""
    from updater.checkout.person import person

    found = person(os.environ)
    if found.name or found.email:
        return printable(str(found) if found.email else found.name)[:_LONGEST]
    with suppress(OSError, KeyError):
        return printable(f"{getpass.getuser()}@{socket.gethostname()}")[:_LONGEST]
    return ""


def run(ctx: click.Context, key: str, edit: Edit, *, releases: bool = False, **options: Any) -> int:
    """Write a decision about *key*, and say what became of it; return the exit code."""
    asked = {name: options[name] for name in ("timeout", "verbose")}
    with importing():
        from updater.daemon.people import decide

    done = asyncio.run(decide(config_paths(ctx), key, edit, asking=asking_of(**asked), releases=releases))
    if options["output"] == "json":
        click.echo(json.dumps([_json(item) for item in done], indent=2, sort_keys=True, ensure_ascii=False))
    else:
        say("\n".join(_line(item) for item in done))
    unread = dict.fromkeys(text for item in done for text in item.unread)
    for text in unread:
        click.echo(printable(f"not read for rollbacks: {text}"), err=True)
    return FAILURE if unread else 0


def _json(item: DecisionWritten) -> dict[str, Any]:
    kinds: Sequence[str] = ("hold", "pin")
    return {
        "key": item.key,
        "where": item.where,
        "changed": item.has_changed,
        **{kind: printable_data(_full(item.entry[kind])) if kind in item.entry else None for kind in kinds},
        "reject": [printable_data(_full(row)) for row in item.entry.get("reject", [])],
        "readmit": list(item.entry.get("readmit", [])),
        "elsewhere": [{"where": each.where, "decision": printable(each.sentence)} for each in item.elsewhere],
    }


def _full(row: dict[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(("author", "reason", "since", "until")), **row}


def _line(item: DecisionWritten) -> str:
    from updater.settings.decisions import read_entry

    told = [decision.sentence for decision in read_entry(item.key, dict(item.entry), item.where) if decision.code]
    if item.readmitted:
        commits = ", ".join(text[:9] for text in sorted(item.readmitted))
        ended = "" if told or not item.has_changed else "released; "
        told.append(f"{ended}may be written again: what {commits} wrote and people took back")
    what = (
        "; ".join(told) or f"{'released; ' if item.has_changed else ''}no decision is in force{' here' if item.elsewhere else ''}"
    )
    besides = "".join(f"; {each.sentence} ({each.where})" for each in item.elsewhere)
    return printable(f"{item.key}: {what} ({item.where}{'' if item.has_changed else ', as before'}){besides}")
