"""`updater once`: scan all, land all, say every outcome, exit."""

from __future__ import annotations

import asyncio
import secrets
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from updater.cli.asking import asking_of, asking_options
from updater.cli.collector import importing
from updater.cli.main import FAILURE, config_paths
from updater.cli.report import PassReport, as_diffs, as_json, as_remarks, as_text, coloured, has_colours
from updater.cli.terminal import say
from updater.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from updater.daemon.watching import Asking
    from updater.errors import UpdaterError
    from updater.model.image import ImageName
    from updater.model.outcome import Outcome

WRITTEN = 10


@click.command()
@click.option("--dry-run", is_flag=True, help="Decide and edit, but push nothing.")
@click.option("--only", metavar="KEY", help="One subscription alone, or namespace/application.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json", "diff"]), default="text", show_default=True, help="How to print."
)
@click.option("--exit-code", is_flag=True, help="Exit with 10 if something was written, or with --dry-run would be.")
@asking_options
@click.pass_context
def once(ctx: click.Context, /, *, dry_run: bool, only: str | None, output: str, exit_code: bool, **asked: Any) -> int:
    """Run one pass and exit.

    Exit codes: 0 fine, 1 if a target failed, 10 with --exit-code if something was written (with --dry-run: would be
    written) and nothing failed.
    """
    done = asyncio.run(one_pass(config_paths(ctx), only=only, is_dry=dry_run, asking=asking_of(**asked)))
    if output == "diff":
        diff = as_diffs(done.edits)
        click.echo(coloured(diff) if has_colours(sys.stdout) else diff, nl=False)
        if remarks := as_remarks(done):
            say(remarks, err=True)
    else:
        click.echo(as_json(done)) if output == "json" else say(as_text(done))
    if done.is_failed:
        return FAILURE
    return WRITTEN if exit_code and done.has_written else 0


def _unseen_failures(failures: Mapping[str, tuple[ImageName, UpdaterError]], outcomes: Iterable[Outcome]) -> list[Problem]:
    """Return what registries did not answer and no outcome says: a target ends with one failure, such as its Git server's."""
    said = {(outcome.key, outcome.code) for outcome in outcomes}
    unsaid = {
        (error.code, error.message): (image, error) for key, (image, error) in failures.items() if (key, error.code) not in said
    }
    return [
        Problem(
            path="", code=error.code, message=error.message.removeprefix(f"{image}: "), hint=error.hint, origin=f"image {image}"
        )
        for image, error in unsaid.values()
    ]


async def one_pass(config: Sequence[str], *, only: str | None, is_dry: bool, asking: Asking | None = None) -> PassReport:
    """Load, scan, land, and gather what came of it; raise `ConfigError`."""
    with importing():
        from updater.daemon.one_shot import asked_for, opened
        from updater.daemon.single_pass import scan_failures

    started = datetime.now(UTC)
    async with opened(config, asking) as generation:
        subscriptions, refused = asked_for(generation, only)
        landings = await generation.once(subscriptions, is_dry=is_dry)
        if not is_dry:
            await generation.runner.finish()
        untold = generation.untold
    keys = {subscription.key for subscription in subscriptions}
    outcomes = [outcome for landing in landings for outcome in landing.outcomes if outcome.key in keys]
    unseen = _unseen_failures(scan_failures(generation, subscriptions), outcomes)
    notes = dict.fromkeys(note for landing in landings if landing.view for note in landing.view.notes)
    return PassReport(
        id=secrets.token_hex(8),
        started=started,
        finished=datetime.now(UTC),
        problems=(*generation.problems, *notes, *unseen, *untold),
        outcomes=(*outcomes, *refused),
        edits=tuple((str(landing.destination), landing.landed.edits) for landing in landings if landing.landed),
        images={subscription.key: subscription.image for subscription in subscriptions},
    )
