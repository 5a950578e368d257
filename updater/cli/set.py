"""The command `set`: what CI jobs do with `kustomize edit set image`, minus the reformatting."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from updater.cli.main import config_paths
from updater.errors import ConfigError, ImageSyntaxError, UpdaterError
from updater.model.image import parse_ref
from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from updater.checkout.commit import CheckoutCommitter
    from updater.checkout.edit import FolderFiles, KeyRequest, NamedRequest, SetRequest, SetResult
    from updater.checkout.proposal import ProposalReport
    from updater.model.image import ImageRef

WRITTEN: Final = 10


@click.command("set")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--marker", "markers", multiple=True, metavar="NS:POLICY=REF", help="Write REF at every marker of the policy.")
@click.option("--kustomize", "entries", multiple=True, metavar="NAME=REF", help="Write REF in images; added if missing.")
@click.option("--helm", "keys", multiple=True, metavar="FILE:KEY=VALUE", help="Write VALUE under a key of a values file.")
@click.option("--force", "is_forced", is_flag=True, help="Write also what does not fit its place, such as another image.")
@click.option("--diff", "is_diff", is_flag=True, help="Print the change, write nothing.")
@click.option("--commit", "is_commit", is_flag=True, help="Commit the changed files.")
@click.option("--push", "is_push", is_flag=True, help="Push the commit; made again on a new head where refused.")
@click.option("--branch", metavar="NAME", help="Push to this branch; without it to the upstream, or what the CI job builds.")
@click.option("--proposal", "is_proposal", is_flag=True, help="Open or update a pull request; the checkout stays as it is.")
@click.option("--base", metavar="NAME", help="The branch to merge into; without it the upstream, or what the CI job builds.")
@click.option("--title", metavar="TEXT", help="The title of the pull request; without it, what changes.")
@click.option("--message", metavar="TEXT", help="The commit message.")
@click.option("--exit-code", "is_exit_code", is_flag=True, help="Exit 10 where something was written.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@click.pass_context
def set_command(ctx: click.Context, /, path: Path, **options: Any) -> int:
    """Write image references into a checkout; only the bytes of the values change.

    PATH is a file or a folder. Exit codes: 0 every reference is in place, 1 a place was refused or a REF found
    none (the rest is written), 10 with --exit-code where something was written.
    """
    _check(options)
    settings = _settings(config_paths(ctx))
    requests = _requests(options, settings.text_markers if settings else ())
    from updater.checkout.edit import FolderFiles, edit_files, prefix_in_checkout, write_files

    if path.is_symlink() and not path.is_dir():
        hint = "name the file that it points to"
        raise ConfigError(f"{path} is a symlink, which is never followed", hint=hint, code="usage")
    folder = FolderFiles(path)
    if options["is_proposal"]:
        return _proposed(folder, requests, options, settings)
    options["prefix"] = prefix_in_checkout(folder.root) if options["is_diff"] else ""
    committing = _committing(folder, requests, options, settings) if options["is_commit"] else None
    written = edit_files(folder if committing is None else committing.folder, requests)
    if committing is not None:
        written = committing.allowed(written)
    commit = None
    if not options["is_diff"]:
        written = write_files(folder, written)
    if committing is not None:
        written, commit = _land(committing, written, options)
    _show(written, commit, options)
    _say_nothing_to_do(written, options)
    if not written.is_whole:
        return 1
    return WRITTEN if options["is_exit_code"] and written.edits and not options["is_diff"] else 0


def _proposed(folder: FolderFiles, requests: SetRequest, options: dict[str, Any], settings: Any) -> int:
    """Propose the change instead of writing it here; return the exit code."""
    from updater.checkout.edit import SetResult
    from updater.cli.set_proposal import propose, show

    try:
        report = propose(folder, requests, options, settings)
    except UpdaterError:
        if options["output"] == "json":
            click.echo(_as_json(SetResult(), None))
        raise
    _show(report.written, report.revision, options, report)
    if options["output"] == "text":
        show(report)
    if not report.held:
        _say_nothing_to_do(report.written, options)
    if not report.written.is_whole:
        return 1
    return WRITTEN if options["is_exit_code"] and report.end.is_written else 0


def _say_nothing_to_do(written: SetResult, options: dict[str, Any]) -> None:
    if options["output"] == "text" and written.is_whole and not written.edits:
        click.echo("nothing to do: every place holds its value", err=True)


def _check(options: dict[str, Any]) -> None:
    _check_proposal(options)
    if not (options["markers"] or options["entries"] or options["keys"]):
        raise ConfigError("nothing to set", hint="give --marker, --kustomize or --helm", code="usage")
    if options["is_push"] and not options["is_commit"]:
        raise ConfigError("--push wants --commit", hint="add --commit", code="usage")
    if options["message"] is not None and not options["is_commit"]:
        raise ConfigError("--message wants --commit", hint="add --commit", code="usage")
    if options["is_diff"] and options["is_commit"]:
        raise ConfigError("--diff writes nothing, --commit does", hint="leave one of them out", code="usage")


def _check_proposal(options: dict[str, Any]) -> None:
    if options["is_proposal"] and not (options["is_commit"] and options["is_push"]):
        raise ConfigError("--proposal wants --commit and --push", hint="add --commit --push", code="usage")
    for name in ("base", "title"):
        if options[name] is not None and not options["is_proposal"]:
            raise ConfigError(f"--{name} wants --proposal", hint="add --proposal", code="usage")


def _settings(paths: Sequence[str]) -> Any:
    """Load the configuration that -c names; without one nothing is read."""
    if not paths:
        return None
    import os

    from updater.settings import load_settings

    return load_settings([Path(path) for path in paths], os.environ)


def _requests(options: dict[str, Any], text_markers: tuple[str, ...]) -> SetRequest:
    from updater.checkout.edit import SetRequest

    return SetRequest(
        markers=_named("--marker", options["markers"], _check_policy),
        entries=_named("--kustomize", options["entries"], _check_name),
        keys=tuple(_keyed(given) for given in options["keys"]),
        text_markers=text_markers,
        is_forced=options["is_forced"],
    )


def _named(option: str, texts: Sequence[str], check: Callable[[str, str], None]) -> tuple[NamedRequest, ...]:
    from updater.checkout.edit import NamedRequest

    found: dict[str, NamedRequest] = {}
    for given in texts:
        name, equals, text = given.partition("=")
        if not (name and equals and text):
            raise ConfigError(f"{option} {given}: expected NAME=REF", hint=_example(option), code="usage")
        check(name, given)
        image = _tag_alone(text) if option == "--marker" and _is_tag_alone(text) else _ref(option, given, text)
        if name in found and found[name].image != image:
            hint = "give it once"
            raise ConfigError(f"{option} names {name} twice, with different images", hint=hint, code="usage")
        found[name] = NamedRequest(name=name, image=image, given=given)
    return tuple(found.values())


def _ref(option: str, given: str, text: str) -> ImageRef:
    try:
        return parse_ref(text)
    except ImageSyntaxError as error:
        raise ConfigError(f"{option} {given}: {error.message}", hint=error.hint, code="usage") from error


def _is_tag_alone(text: str) -> bool:
    """Return whether *text* can only be a tag: a word that no image is called."""
    from updater.model.image import is_tag, parse_name

    try:
        parse_name(text)
    except ImageSyntaxError:
        return is_tag(text)
    return False


def _tag_alone(text: str) -> ImageRef:
    """Return a word as it is handed to the places, where only a tag takes it."""
    from updater.model.image import DOCKER_HUB, ImageName, ImageRef

    return ImageRef(name=ImageName(registry=DOCKER_HUB, path=f"library/{text}", spelled=text))


def _check_policy(name: str, given: str) -> None:
    if name.count(":") != 1 or name.startswith(":") or name.endswith(":"):
        hint = "the parts :tag, :name and :digest follow from each marker" if name.count(":") > 1 else _example("--marker")
        raise ConfigError(f"--marker {given}: {name!r} is not namespace:policy", hint=hint, code="usage")


def _check_name(_name: str, _given: str) -> None:
    """Accept any name: an entry of `images` may have one that is no image name."""


def _keyed(given: str) -> KeyRequest:
    from updater.checkout.edit import KeyRequest
    from updater.editors import keypaths
    from updater.errors import EditError

    file, colon, rest = given.partition(":")
    parts = keypaths.split(rest, "=")
    if not (file and colon and parts and parts[0] and parts[1]):
        raise ConfigError(f"--helm {given}: expected FILE:KEY=VALUE", hint=_example("--helm"), code="usage")
    try:
        keypaths.parse(parts[0])
    except EditError as error:
        raise ConfigError(f"--helm {given}: {error.message}", hint=error.hint, code="usage") from error
    return KeyRequest(file=file, key=parts[0], value=parts[1], given=given)


def _example(option: str) -> str:
    examples = {
        "--marker": "--marker flux-system:app=ghcr.io/myorg/app:1.2.3",
        "--kustomize": "--kustomize app=ghcr.io/myorg/app:1.2.3",
        "--helm": "--helm values.yaml:image.tag=1.2.3",
    }
    return f"for example {examples[option]}"


def _committing(folder: FolderFiles, requests: SetRequest, options: dict[str, Any], settings: Any) -> CheckoutCommitter:
    """Check, before anything is written, that a commit and a push are possible at all."""
    from updater.checkout.commit import CheckoutCommitter, CommitRequest
    from updater.checkout.edit import SetResult
    from updater.git.object_builder import Identity
    from updater.model.subscription import CommitSpec

    who = settings.git.author if settings else CommitSpec()
    author = Identity(name=who.name, email=who.email)
    order = CommitRequest(message=options["message"], author=author, is_push=options["is_push"], branch=options["branch"])
    try:
        return CheckoutCommitter(folder, requests, order)
    except UpdaterError:
        if options["output"] == "json":
            click.echo(_as_json(SetResult(), None))
        raise


def _land(committing: CheckoutCommitter, written: SetResult, options: dict[str, Any]) -> tuple[SetResult, str | None]:
    import asyncio

    try:
        landed = asyncio.run(committing.land(written))
    except UpdaterError:
        _show(written, None, options)
        if committing.is_standing:
            click.echo("the commit exists locally and was not pushed: run the same command again to push it", err=True)
        raise
    return landed.written, landed.revision


def _show(written: SetResult, commit: str | None, options: dict[str, Any], report: ProposalReport | None = None) -> None:
    from updater.cli.report import coloured, has_colours
    from updater.cli.terminal import say
    from updater.model.diff import as_diff

    if options["output"] == "json":
        click.echo(_as_json(written, commit, report))
    elif options["is_diff"]:
        diff = as_diff(written.edits, prefix=options["prefix"])
        click.echo(coloured(diff) if has_colours(sys.stdout) else diff, nl=False)
    else:
        for change in written.changes:
            old = change.old or "nothing"
            say(printable(f"{change.path}:{change.line} {change.where}: {old} → {change.new or 'nothing'}"))
        if commit:
            click.echo(f"committed and pushed {commit}" if options["is_push"] else f"committed {commit}")
    for problem in written.refused:
        say(printable(f"error: {problem}"), err=True)
        if problem.hint:
            say(f"hint: {problem.hint}", err=True)
    for given in written.unmatched:
        click.echo(f"error: no marker found for {given}", err=True)
        click.echo("hint: check namespace and name of the policy, and that PATH holds its markers", err=True)


def _as_json(written: SetResult, commit: str | None, report: ProposalReport | None = None) -> str:
    changes = [
        {"path": change.path, "line": change.line, "where": change.where, "old": change.old, "new": change.new}
        for change in written.changes
    ]
    refused = [
        {"path": problem.path, "line": problem.line, "code": problem.code, "reason": problem.message, "hint": problem.hint}
        for problem in written.refused
    ]
    shown: dict[str, Any] = {"changes": changes, "refused": refused, "unmatched": sorted(written.unmatched), "commit": commit}
    if report is not None:
        from updater.cli.set_proposal import as_json

        shown["proposal"] = as_json(report)
    return json.dumps(shown, indent=2, sort_keys=True)
