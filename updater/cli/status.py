"""`updater status`: one line a subscription, from a running daemon or by a dry pass of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import click

from updater.cli.asking import asking_of, asking_options
from updater.cli.main import config_paths
from updater.cli.report import COLOURS, WOULD_UPDATE, pending_detail
from updater.cli.terminal import columns_of
from updater.errors import ConfigError, UpdaterError
from updater.model.outcome import DRY_RUN, Status
from updater.model.text import printable_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.daemon.watching import Asking

_HEADS: Final = ("KEY", "STATE", "FOR", "WRITTEN", "CHOSEN", "LAST CHANGE", "RELEASE", "REASON")
_FOR: Final = _HEADS.index("FOR")
_RELEASE: Final = _HEADS.index("RELEASE")
_WIDEST: Final = 40
_NARROW: Final = 24  # on a terminal of the usual 80 columns, so that the reason has its place
_WIDE_TERMINAL: Final = 120
_SHORTEST_REASON: Final = 12
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "m"))
_LIMIT: Final = 64 * 1024 * 1024


@click.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([status.value for status in Status]),
    help="Only subscriptions in this state; repeats.",
)
@click.option(
    "--server", metavar="URL", help="Ask the daemon whose metrics, or page, are at this address, such as http://localhost:8080."
)
@click.option("--credentials", metavar="REF", help="user:password for --server where people sign in: env:VARIABLE or file:/path.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@asking_options
@click.pass_context
def status(
    ctx: click.Context,
    /,
    *,
    keys: tuple[str, ...],
    states: tuple[str, ...],
    server: str | None,
    credentials: str | None,
    output: str,
    **asked: Any,
) -> None:
    """Show where each subscription stands: what is written, what was chosen, and why it does not move.

    KEY is a key, a glob such as 'shop-*', or namespace/application. Without --server a dry pass over the configuration finds
    out: it asks the registries and Git, writes nothing, and says `would update` where a pass would write (in JSON, and for
    --state, that is `held` with the code dry-run). FOR is how long the state lasts, as far as the daemon has seen. CHOSEN is the
    newest allowed tag.
    """
    if credentials and not server:
        raise ConfigError("--credentials is for --server", hint="add --server URL, or leave --credentials out", code="usage")
    if server:
        rows = asyncio.run(from_server(server, keys, states, credentials))
    else:
        rows = asyncio.run(from_pass(config_paths(ctx), keys, states, asking_of(**asked)))
    if output == "json":
        click.echo(json.dumps(rows, indent=2, sort_keys=True, ensure_ascii=False))
    elif rows:
        has_colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        click.echo("\n".join(table(printable_data(rows), now=datetime.now(UTC), width=columns_of(sys.stdout))), color=has_colours)
    else:
        click.echo("no subscriptions" if not (keys or states) else "no subscription is in such a state")


async def from_pass(
    config: Sequence[str], keys: Sequence[str], states: Sequence[str], asking: Asking | None = None
) -> list[dict[str, Any]]:
    """Return the rows by a dry pass; raise `UpdaterError`."""
    from updater.daemon.one_shot import statuses
    from updater.reporting.plain import plain

    rows = [plain(found.row()) for found in await statuses(config, keys, asking)]
    return [row for row in rows if not states or row["state"] in states]


async def from_server(
    server: str, keys: Sequence[str], states: Sequence[str], credentials: str | None = None
) -> list[dict[str, Any]]:
    """Return the rows that a running daemon answers; raise `UpdaterError` where none does.

    *credentials* refers to ``user:password``.
    """
    from updater.http.client import HttpClient
    from updater.http.exchange import HttpFailure, HttpRequest
    from updater.http.limits import Patience
    from updater.web.app import STATUS_PATH

    base = (server if "://" in server else f"http://{server}").rstrip("/")
    query = urlencode([*(("key", key) for key in keys), *(("state", state) for state in states)])
    url = f"{base}{STATUS_PATH}" + (f"?{query}" if query else "")
    headers = await _signed_in(credentials) if credentials else {}
    async with HttpClient(patience=Patience(attempts=1, connect_timeout=5.0, total_timeout=20.0)) as http:
        try:
            answer = await http.send(HttpRequest(url=url, headers=headers, limit=_LIMIT))
        except HttpFailure as failure:
            hint = "--server is the address at which the daemon serves /metrics; without it, status makes a dry pass of its own"
            raise UpdaterError(failure.message, hint=hint, code="status-server") from failure
    rows, total = _read(answer.status, answer.body, base)
    if not states:
        _check_named(rows, keys)
    if total > len(rows):
        click.echo(f"only the first {len(rows)} of {total} subscriptions are shown; name fewer of them by KEY", err=True)
    return rows


async def _signed_in(reference: str) -> dict[str, str]:
    """Return the header by which a program signs in; raise `ConfigError`."""
    from updater.credentials.keychain import Keychain
    from updater.settings.values import read_credential

    ref = read_credential(reference)
    if ref.kind not in {"env", "file"}:
        raise ConfigError(f"{ref.kind}: is not read by this command", hint="write env:VARIABLE or file:/path", code="usage")
    text = await Keychain(read_secret=_no_cluster).text(ref)
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


async def _no_cluster(_namespace: str, _name: str) -> Any:
    raise AssertionError("only env and file are read")


def _read(code: int, body: bytes, server: str) -> tuple[list[dict[str, Any]], int]:
    """Read an answer; raise `UpdaterError` where it is none of a daemon of this version."""
    try:
        found = json.loads(body) if code == 200 else None
        rows = [{name: row.get(name) for name in _NAMES} for row in found["subscriptions"]] if found else None
        total = int(found["total"]) if found else 0
    except (ValueError, LookupError, TypeError, AttributeError):
        rows, total = None, 0
    if code in {401, 403}:
        hint = "name user:password by --credentials env:VARIABLE; web.roles.view names who may read"
        raise UpdaterError(f"{server} answered {code}: it asks who you are", hint=hint, code="status-server")
    if rows is None:
        hint = "is it the metrics address of an updater of this version?"
        raise UpdaterError(f"{server} answered {code}, and no statuses", hint=hint, code="status-server")
    return printable_data(rows), total


_NAMES: Final = (
    "key",
    "image",
    "written",
    "running",
    "chosen",
    "state",
    "reason",
    "since",
    "last_change",
    "held_by",
    "verdict",
    "verdict_at",
    "workload",
    "code",
    "progress",
)


def _check_named(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> None:
    """Refuse a key that names nothing; a glob may."""
    from updater.reporting.last_outcomes import GLOB, is_named

    for key in keys:
        if not GLOB.intersection(key) and not any(is_named(str(row["key"]), [key]) for row in rows):
            hint = "updater status --server without KEY shows all of them"
            raise ConfigError(f"there is no subscription {key!r}", hint=hint, code="unknown-key")


def table(rows: Sequence[dict[str, Any]], *, now: datetime, width: int | None) -> list[str]:
    """Return the rows in columns, each on one line. Reasons are cut to a terminal of *width* columns, codes never are.

    None is no limit. How long a state lasts, and what became of the last commit in the cluster, have columns only where that is
    known: a dry pass does not know.
    """
    cells = [_cells(row, now) for row in rows]
    widest = _WIDEST if width is None or width >= _WIDE_TERMINAL else _NARROW
    widths = [min(max(map(len, column)), widest) for column in zip(_HEADS[:-1], *(row[:-1] for row in cells), strict=True)]
    if not any(row["since"] for row in rows):
        widths[_FOR] = 0
    if not any(row["verdict"] for row in rows):
        widths[_RELEASE] = 0
    lines = [click.style(_line(_HEADS, widths), bold=True)]
    for row, each in zip(rows, cells, strict=True):
        line = _line((*each[:-1], ""), widths)
        begin, end = widths[0] + 2, widths[0] + 2 + widths[1]
        room = None if width is None else width - sum(widths) - 2 * (len(widths) - widths.count(0))
        lines.append(f"{line[:begin]}{click.style(line[begin:end], fg=_colour(row))}{line[end:]}  {_reason(row, room)}".rstrip())
    return lines


def _colour(row: dict[str, Any]) -> str | None:
    name = Status.UPDATED.value if row["held_by"] == DRY_RUN else row["state"]
    return next((colour for status, colour in COLOURS.items() if status.value == name), None)


def _cells(row: dict[str, Any], now: datetime) -> tuple[str, ...]:
    written = ", ".join(map(str, row["written"] or ())) or (f"runs {row['running']}" if row["running"] else "-")
    return (
        str(row["key"]),
        WOULD_UPDATE if row["held_by"] == DRY_RUN else row["state"] or "unknown",
        _age(row["since"], now),
        written.removeprefix(f"{row['image']}:") if row["image"] else written,
        row["chosen"] or "-",
        f"{_age(row['last_change'], now)} ago" if row["last_change"] else "-",
        _release(row, now),
        "",
    )


def _release(row: dict[str, Any], now: datetime) -> str:
    """Return what the cluster makes of the last commit, since when, and at which step a canary is."""
    if not row["verdict"]:
        return "-"
    progress = row.get("progress") or {}
    is_told = isinstance(progress, dict) and progress.get("step") is not None
    step = f" {progress['step']}/{progress.get('steps')}" if is_told else ""
    return f"{row['verdict']}{step} {_age(row['verdict_at'], now)}"


def _reason(row: dict[str, Any], room: int | None) -> str:
    """Return why it is so: cut to *room* columns, with the whole code of a hold or a failure behind it."""
    reason, code = row["reason"] or "", row["held_by"] or (row["code"] if row["state"] == Status.FAILED.value else None)
    if code == DRY_RUN:
        return _fitted(pending_detail(reason), room)
    if not code:
        return _fitted(reason, room)
    left = None if room is None else room - len(code) - 3
    if left is None or left >= _SHORTEST_REASON:
        return f"{_fitted(reason, left)} [{code}]" if reason else f"[{code}]"
    return f"[{code}]" if row["held_by"] else _fitted(reason, room)  # where there is no place for both, a failure is its sentence


def _fitted(text: str, room: int | None) -> str:
    return text if room is None else _cut(text, max(room, _SHORTEST_REASON))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    *fixed, last = cells
    columns = [_cut(cell, size).ljust(size) for cell, size in zip(fixed, widths, strict=True) if size]
    return "  ".join([*columns, last]).rstrip() if last else "  ".join(columns)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"


def _age(moment: str | None, now: datetime) -> str:
    """Return how long ago something was, as kubectl writes it: 45s, 12m, 3h, 20d."""
    try:
        seconds = max(int((now - datetime.fromisoformat(moment)).total_seconds()), 0) if moment else None
    except (TypeError, ValueError):
        seconds = None
    if seconds is None:
        return "-"
    return next((f"{seconds // size}{unit}" for size, unit in _UNITS if seconds >= size), f"{seconds}s")
