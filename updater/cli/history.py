"""`updater history`: what moved when, read from the trailers of our own commits."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any, Final

import click

from updater.cli.asking import asking_of, asking_options
from updater.cli.collector import importing
from updater.cli.main import config_paths
from updater.errors import ForgeError, ImageSyntaxError
from updater.model.image import parse_ref
from updater.model.moments import rfc3339
from updater.model.text import printable, printable_data

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.daemon.generation import Generation
    from updater.daemon.watching import Asking
    from updater.model.image import ImageName
    from updater.model.release import PastVerdict
    from updater.model.subscription import Destination, GitBranch
    from updater.model.view import PastCommit


@click.command()
@click.argument("key", required=False)
@click.option(
    "--limit", metavar="N", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Commits to look through."
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@asking_options
@click.pass_context
def history(ctx: click.Context, /, key: str | None, limit: int, output: str, **asked: Any) -> None:
    """Report what moved when, from the commits on every branch that is written.

    With KEY only the commits of that subscription. The forge is asked which pull request a commit came by, where it is proposed.
    """
    rows = asyncio.run(past(config_paths(ctx), key=key, limit=limit, asking=asking_of(**asked)))
    if output == "json":
        click.echo(json.dumps(rows, indent=2, sort_keys=True, ensure_ascii=False))
        return
    for row in map(printable_data, rows):
        click.echo("\n".join(_lines(row)))
    if not rows:
        whose = f" for {key}" if key else ""
        click.echo(f"no commits by updater found{whose}")
        click.echo(
            "hint: only commits whose committer is git.author count; live Applications are patched, not committed", err=True
        )


async def past(config: Sequence[str], *, key: str | None, limit: int, asking: Asking | None = None) -> list[dict[str, Any]]:
    """Return our commits on every destination, newest first, as plain data; raise `UpdaterError`."""
    with importing():
        from updater.daemon.one_shot import chosen, is_asked_for, opened

    rows: list[dict[str, Any]] = []
    links: dict[str, str] = {}
    async with opened(config, asking) as generation:
        subscriptions = chosen(generation, key)
        names = {subscription.image for subscription in subscriptions} if key else None
        judged = {(item.revision, item.key): item for item in await generation.verdicts()}
        for branch, commits in await generation.history(subscriptions, limit):
            links |= await _carriers(generation, branch, commits)
            rows += [
                _row(branch, commit, names, key) | {"verdicts": _verdicts(commit, key, judged)}
                for commit in commits
                if key is None or any(is_asked_for(name, key) for name in commit.subscriptions)
            ]
    linked = [row | {"link": links.get(row["revision"])} for row in rows]
    return sorted(linked, key=lambda row: str(row["when"]), reverse=True)


async def _carriers(generation: Generation, branch: GitBranch, commits: Sequence[PastCommit]) -> Mapping[str, str]:
    """Return the links of pull requests by commit; without an answer of the forge the rest is told all the same."""
    try:
        return await generation.components.carriers(branch, commits)
    except ForgeError as error:
        click.echo(printable(f"pull requests are not shown: {error.message}"), err=True)
        return {}


def _lines(row: dict[str, Any]) -> list[str]:
    """Return one commit: when, which, where, by what, whether it was reverted; below it what moved."""
    undone = f"  {click.style('reverted', fg='red')} by {row['reverted_by'][:9]}" if row["reverted_by"] else ""
    carrier = f"  {row['link']}" if row["link"] else ""
    head = (
        f"{_FRACTION.sub('', row['when'])}  {click.style(row['revision'][:9], fg='yellow')}"
        f"  {row['destination']}{carrier}{undone}"
    )
    moved = [_change_line(change) for change in row["changes"]]
    if not moved:  # a commit of a version that did not say what was written before
        moved = [f"{', '.join(row['subscriptions'])}:", *_image_lines(row["images"], row["policies"])]
    return [head, *(f"    {line}" for line in [*moved, *map(_verdict_line, row["verdicts"])])]


_FRACTION: Final = re.compile(r"\.[0-9]+(?=Z$)")  # Git keeps seconds


def _change_line(change: dict[str, Any]) -> str:
    image = f"  {change['image']}" if change["image"] else ""
    policy = f"  ({change['policy']})" if change["policy"] else ""
    moved = f"{_short(change['old'] or 'nothing')} → {_short(change['new'])}"
    return f"{click.style(change['key'], bold=True)}{image}  {moved}{policy}"


def _verdict_line(verdict: dict[str, Any]) -> str:
    after = f" after {verdict['seconds']:.0f} s" if verdict["seconds"] is not None else ""
    word = click.style(verdict["verdict"], fg={"healthy": "green", "bad": "red"}.get(verdict["verdict"]))
    return f"{click.style(verdict['key'], bold=True)}  {word}{after}: {verdict['reason']}"


def _verdicts(commit: PastCommit, key: str | None, judged: Mapping[tuple[str, str], PastVerdict]) -> list[dict[str, Any]]:
    """Return what the cluster made of a commit, as far as the state folder remembers."""
    from updater.daemon.one_shot import is_asked_for

    found = ((name, judged.get((commit.revision, name))) for name in commit.subscriptions if is_asked_for(name, key))
    return [
        {"key": name, "verdict": past.verdict.value, "reason": past.reason, "seconds": past.seconds}
        for name, past in found
        if past is not None
    ]


def _short(value: str) -> str:
    """Cut digests to 12 digits, as messages do; JSON has the whole."""
    return re.sub(r"(sha[0-9]+:[0-9a-f]{12})[0-9a-f]+", r"\1", value)


def _row(branch: Destination, commit: PastCommit, names: set[ImageName] | None, key: str | None) -> dict[str, Any]:
    from updater.daemon.one_shot import is_asked_for

    images, policies = _moved(commit, names)
    return {
        "destination": str(branch),
        "revision": commit.revision,
        "when": rfc3339(commit.when, "milliseconds"),
        "subject": commit.subject,
        "subscriptions": list(commit.subscriptions),
        "images": images,
        "policies": policies,
        "rejected": list(commit.rejected),
        "changes": [change for change in _changes(commit) if is_asked_for(change["key"], key)],
        "reverted_by": commit.reverted_by,
    }


def _changes(commit: PastCommit) -> list[dict[str, Any]]:
    """Return what a commit wrote over what, by its trailers, with image and policy where it is known whose they are."""
    images, policies, keys = commit.images, commit.policies, commit.subscriptions
    image_of = dict(zip(keys, images, strict=True)) if len(images) == len(keys) else {}
    policy_of = dict(zip(keys, policies, strict=True)) if len(policies) == len(keys) else {}
    return [
        {
            "key": move.key,
            "image": _name(image_of.get(move.key)) or (_name(images[0]) if len(images) == 1 else None),
            "policy": policy_of.get(move.key) or (policies[0] if len(policies) == 1 else None),
            "old": move.replaced,
            "new": move.new,
        }
        for move in commit.moves()
    ]


def _name(image: str | None) -> str | None:
    try:
        return str(parse_ref(image).name) if image else None
    except ImageSyntaxError:
        return None


def _moved(commit: PastCommit, names: set[ImageName] | None) -> tuple[list[str], list[str]]:
    """Return the images of a commit, only those of *names* if given, and their policies.

    A trailer stands once however many updates share it, so which policy chose which image is known only where there are as
    many of one as of the other.
    """
    images, policies = list(commit.images), list(commit.policies)
    if names is None:
        return images, policies
    if len(images) == len(policies) == len(commit.subscriptions):
        kept = [(image, policy) for image, policy in zip(images, policies, strict=True) if _is_of(image, names)]
        return [image for image, _ in kept], [policy for _, policy in kept]
    return [image for image in images if _is_of(image, names)], policies


def _image_lines(images: Sequence[str], policies: Sequence[str]) -> list[str]:
    """Return each image with the policy that chose it; where that is not known, the policies stand below all of them."""
    if len(policies) == 1:
        policies = [*policies] * len(images)
    if len(policies) == len(images):
        return [f"{image}  ({policy})" for image, policy in zip(images, policies, strict=True)]
    return [*images, *([f"by {', '.join(policies)}"] if policies else [])]


def _is_of(text: str, names: set[ImageName]) -> bool:
    """Return whether a trailer names one of *names*; a commit carries the images of every subscription that moved with it."""
    try:
        return parse_ref(text).name in names
    except ImageSyntaxError:
        return False
