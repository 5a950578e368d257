"""`updater explain`: a dry pass for a person who asks why an image did or did not move."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

import click

from updater.cli.asking import asking_of, asking_options
from updater.cli.collector import importing
from updater.cli.main import config_paths
from updater.cli.report import COLOURS, WOULD_UPDATE, outcome_json, pending_detail
from updater.cli.terminal import say
from updater.gates.answers import moment
from updater.model.moments import rfc3339
from updater.model.outcome import DRY_RUN, Status
from updater.model.text import printable_data, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from updater.daemon.watching import Asking
    from updater.engine.gating import Gatekeeper
    from updater.engine.landing import Landing
    from updater.model.decision import Decision
    from updater.model.outcome import Outcome
    from updater.model.problem import Problem
    from updater.model.selection import Selection
    from updater.model.subscription import Subscription
    from updater.model.written import Written

SHOWN_LOSERS: Final = 20


@click.command()
@click.argument("key", required=False)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@click.option("--all", "show_all", is_flag=True, help="Every losing tag, not the first 20.")
@asking_options
@click.pass_context
def explain(ctx: click.Context, /, key: str | None, output: str, *, show_all: bool, **asked: Any) -> None:
    """Report what would be done for KEY, and why: a dry pass, nothing is written.

    Without KEY every subscription is explained, with namespace/application every image of that Application.
    """
    rows = asyncio.run(explained(config_paths(ctx), key, asking_of(**asked)))
    if output == "json":
        click.echo(json.dumps(rows, indent=2, sort_keys=True, ensure_ascii=False))
        return
    for row in rows:
        say("\n".join(_lines(printable_data(row), None if show_all else SHOWN_LOSERS)))
    if not rows:
        click.echo("the configuration has no subscription")


async def explained(config: Sequence[str], key: str | None, asking: Asking | None = None) -> list[dict[str, Any]]:
    """Scan, look and decide without writing; return one row of plain data a subscription. Raise `UpdaterError`."""
    with importing():
        from updater.daemon.one_shot import asked_for, opened

    async with opened(config, asking) as generation:
        subscriptions, refused = asked_for(generation, key)
        last = await generation.last_outcomes()
        landings = await generation.once(subscriptions, is_dry=True)
        problems = generation.problems
        gates = {item.key: _gates(item, landings, generation.gates) for item in subscriptions}
    rows = [{**_row(item, landings, last), "gates": gates[item.key]} for item in subscriptions]
    rows = sorted([*rows, *map(_refused, refused)], key=lambda row: str(row["key"]))
    return [
        {**row, "problems": [_problem(item) for item in problems if item.origin in {row["origin"], row["key"]}]} for row in rows
    ]


def _problem(problem: Problem) -> dict[str, Any]:
    return {"code": problem.code, "message": problem.message, "hint": problem.hint or None}


def _refused(outcome: Outcome) -> dict[str, Any]:
    """Return the row of an image that somebody listed and that is not kept current: the reason is all there is."""
    nothing = dict.fromkeys(("image", "policy", "variant", "downgrade", "interval", "next_due"))
    return {
        "key": outcome.key,
        **nothing,
        "origin": outcome.target,
        "filter": {"allow": None, "ignore": [], "extract": None},
        **{name: [] for name in ("platforms", "holds", "gates", "written", "selections", "last")},
        "outcomes": [{**outcome_json(outcome), "hint": outcome.hint}],
    }


def _gates(subscription: Subscription, landings: Iterable[Landing], gates: Gatekeeper) -> list[dict[str, Any]]:
    """Return what every gate answers at each destination, with the moment at which it opens."""
    wanted = {target.destination for target in subscription.targets}
    found = [
        (landing.destination, answer)
        for landing in landings
        if landing.destination in wanted and landing.view is not None
        for answer in gates.explained(landing.view, subscription, landing.choices)
    ]
    return [
        {
            "gate": str(answer.gate),
            "destination": str(destination),
            "is_open": answer.code is None,
            "code": answer.code,
            "reason": answer.reason,
            "opens_at": moment(answer.opens_at) if answer.opens_at is not None else None,
        }
        for destination, answer in found
    ]


def _row(subscription: Subscription, landings: Iterable[Landing], last: Iterable[Outcome]) -> dict[str, Any]:
    own = [landing for landing in landings if any(target.destination == landing.destination for target in subscription.targets)]
    places = [_place(subscription, landing, index) for landing in own for index in range(len(subscription.targets))]
    return {
        "key": subscription.key,
        "image": str(subscription.image),
        "policy": str(subscription.policy),
        "origin": str(subscription.origin),
        "filter": {
            "allow": subscription.filter.allow,
            "ignore": list(subscription.filter.ignore),
            "extract": subscription.filter.extract,
        },
        "platforms": [str(platform) for platform in subscription.platforms],
        "variant": subscription.variant.value,
        "downgrade": subscription.downgrade.value,
        "interval": subscription.interval,
        "holds": [_hold(item) for item in subscription.decisions if item.code],
        "written": [place for group in places for place in group],
        "selections": [
            _selection(written, choice)
            for landing in own
            for (key, written), choice in landing.choices.items()
            if key == subscription.key
        ],
        "outcomes": [
            {**outcome_json(item), "hint": item.hint}
            for landing in own
            for item in landing.outcomes
            if item.key == subscription.key
        ],
        "last": [outcome_json(item) for item in last if item.key == subscription.key],
        "next_due": None,
    }


def _hold(decision: Decision) -> dict[str, Any]:
    """Return what a person decided."""
    times = {"since": decision.since, "until": decision.until}
    return {
        "code": decision.code,
        "tag": getattr(decision, "tag", "") or None,
        "digest": getattr(decision, "digest", "") or None,
        "author": decision.author or None,
        "reason": decision.reason or None,
        **{name: None if at is None else rfc3339(at) for name, at in times.items()},
        "where": decision.where or None,
        "told": decision.sentence,
    }


def _place(subscription: Subscription, landing: Landing, index: int) -> list[dict[str, Any]]:
    readings = landing.view.readings.get((subscription.key, index), ()) if landing.view else ()
    return [
        {
            "target": str(subscription.targets[index]),
            "path": shown(reading.path),
            "line": reading.line,
            "where": reading.where,
            "written": str(reading.written),
        }
        for reading in readings
    ]


def _selection(written: Written, choice: Any) -> dict[str, Any]:
    if isinstance(choice, Exception):
        return {"written": str(written), "status": "failed", "code": None, "tag": None, "detail": str(choice), "rejected": []}
    selection: Selection = choice
    named = selection.chosen or selection.held
    return {
        "written": str(written),
        "status": selection.status,
        "code": selection.code,
        "tag": named.tag if named else None,
        "detail": selection.detail,
        "rejected": [{"tag": item.tag, "code": item.code, "sentence": item.sentence} for item in selection.rejections.values()],
    }


def _lines(row: dict[str, Any], most: int | None) -> list[str]:
    wrong = [f"  problem    {item['message']}" + (f" ({item['hint']})" if item["hint"] else "") for item in row["problems"]]
    if row["image"] is None:
        return [f"{click.style(row['key'], bold=True)}  (from {row['origin']})", *map(_outcome, row["outcomes"]), *wrong]
    lines = [
        f"{click.style(row['key'], bold=True)}  {row['image']}  ({row['policy']}; from {row['origin']})",
        f"  filter     allow {row['filter']['allow'] or 'any'}, ignore {', '.join(row['filter']['ignore']) or 'none'}",
        f"  platforms  {', '.join(row['platforms']) or 'any'}",
        f"  guards     variant {row['variant']}, downgrade {row['downgrade']}",
        *([f"  holds      {item['told']}" for item in row["holds"]] or ["  holds      none"]),
        *([_gate(item) for item in row["gates"]] or ["  gates      none"]),
        f"  next due   with the daemon, every {row['interval']:g} s",
    ]
    lines += [f"  written    {place['path']}:{place['line']} {place['where']}: {place['written']}" for place in row["written"]]
    lines += _selections(row["selections"], most)
    for outcome in row["outcomes"]:
        lines.append(_outcome(outcome))
        lines += [f"  hint       {outcome['hint']}"] if outcome["hint"] else []
    for outcome in row["last"]:
        lines.append(f"  last       {_status(outcome)}: {outcome['detail']}")
    return [*lines, *wrong]


def _selections(selections: Sequence[dict[str, Any]], most: int | None) -> list[str]:
    """Return what was chosen for each written value; why the other tags lost is said once, however many selections share it."""
    reasons = {_chosen(selection): _losers(selection) for selection in selections}
    first = next(iter(reasons.values()), ())
    shared = [text for text in first if all(text in own for own in reasons.values())] if len(reasons) > 1 else []
    alike: dict[tuple[str, ...], list[str]] = {}
    for chosen, losers in reasons.items():
        alike.setdefault(tuple(text for text in losers if text not in set(shared)), []).append(chosen)
    lines = [text for own, chosen in alike.items() for text in (*chosen, *_cut(own, most, "    not      "))]
    return [*lines, *_cut(shared, most, "  not        ")]


def _chosen(selection: dict[str, Any]) -> str:
    held = click.style(f"held [{selection['code']}]", fg="yellow") + " " if selection["status"] == Status.HELD else ""
    return f"  selection  {held}{selection['tag'] or 'none'}: {selection['detail']}"


def _losers(selection: dict[str, Any]) -> tuple[str, ...]:
    """Return why each tag lost, without what the selection itself says of the tag that is held."""
    told = (selection["tag"], selection["code"], selection["detail"])
    losers = [item for item in selection["rejected"] if (item["tag"], item["code"], item["sentence"]) != told]
    return tuple(f"{item['sentence']} [{item['code']}]" for item in losers)


def _cut(losers: Sequence[str], most: int | None, indent: str) -> list[str]:
    lines = [indent + text for text in losers[:most]]
    if most is None or len(losers) <= most:
        return lines
    return [*lines, f"{indent.replace('not', '…  ')}and {len(losers) - most} more; --all shows them"]


def _gate(answer: dict[str, Any]) -> str:
    word = click.style("open", fg="green") if answer["is_open"] else click.style(f"held [{answer['code']}]", fg="yellow")
    return f"  gate       {answer['gate']} {word}: {answer['reason']}"


def _outcome(outcome: dict[str, Any]) -> str:
    if outcome["code"] == DRY_RUN:
        return f"  outcome    {click.style(WOULD_UPDATE, fg='green')}: {pending_detail(outcome['detail'])}"
    return f"  outcome    {_status(outcome)}: {outcome['detail']}"


def _status(outcome: dict[str, Any]) -> str:
    colour = next(colour for status, colour in COLOURS.items() if status.value == outcome["status"])
    code = f" [{outcome['code']}]" if outcome["code"] else ""
    return click.style(outcome["status"], fg=colour) + code
