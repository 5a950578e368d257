"""`updater check`: which tag would win, and why each other lost.

With a file of tags or with --batch no registry is asked and no configuration is read.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from updater.cli.asking import asking_of, asking_options
from updater.cli.main import FAILURE
from updater.errors import ConfigError, ImageSyntaxError, UpdaterError
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from updater.daemon.watching import Asking
    from updater.model.candidate import Candidate
    from updater.model.image import ImageRef
    from updater.model.selection import Selection
    from updater.model.subscription import PolicySpec
    from updater.policies.choose import SelectionRequest

_POLICIES: Final = ["semver", "latest", "name", "number", "digest", "pep440"]
_SHOWN_LOSERS: Final = 20
_MAX_TAGS_FILE: Final = 256 * 1024 * 1024


@click.command(
    epilog="Exit codes: 0 for updated, unchanged, no-match and held, 1 for failed (with --batch: if every line failed), "
    "2 for a wrong option."
)
@click.argument("image", required=False)
@click.option("--policy", default="semver", show_default=True, metavar="KIND", help=f"{', '.join(_POLICIES)} or a plugin's.")
@click.option(
    "--range", "range_", metavar="RANGE", help="Versions that may be chosen, such as '>=1.2' or '^1'; with digest, the tag."
)
@click.option("--order", metavar="asc|desc", help="Sort order for the name and number policies.  [default: asc]")
@click.option("--prerelease", is_flag=True, help="Let every range take pre-releases.")
@click.option("--allow", metavar="REGEX", help="Only tags that match.")
@click.option("--ignore", metavar="GLOB", multiple=True, help="No tags that match; 'regexp:…' for an expression; repeats.")
@click.option("--extract", metavar="TEMPLATE", help="Part of the --allow match to compare, such as '$1' or '${name}'.")
@click.option("--platform", metavar="OS/ARCH", multiple=True, help="Only images for this platform; repeats.")
@click.option(
    "--variant",
    type=click.Choice(["lock", "any"]),
    default="lock",
    show_default=True,
    help="Whether the suffix, such as -alpine, may change.",
)
@click.option(
    "--downgrade",
    type=click.Choice(["never", "by-policy", "always"]),
    default="never",
    show_default=True,
    help="Whether a lower tag may replace the current one; by-policy: only if filter or policy exclude the current one.",
)
@click.option("--allow-downgrade", is_flag=True, help="The same as --downgrade always.")
@click.option("--current", metavar="TAG", help="What is written now.  [default: the tag of IMAGE]")
@click.option("--tags-file", metavar="FILE", help="Tags, one a line or as JSON, instead of asking the registry; - is stdin.")
@click.option("--batch", is_flag=True, help="Answer JSON lines from stdin, one by one; the format is in docs/reference/batch.md.")
@click.option("--all", "show_all", is_flag=True, help="Every losing tag, not the first 20.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@asking_options
@click.pass_context
def check(ctx: click.Context, /, *, image: str | None, batch: bool, output: str, **options: Any) -> int:
    """Report which tag of IMAGE would win, and why each other lost."""
    if batch:
        _refuse_others(ctx)
        from updater.cli.check_lines import answer_lines

        return 0 if answer_lines(sys.stdin.buffer, sys.stdout.buffer) else FAILURE
    if image is None:
        raise click.UsageError("IMAGE is missing; or give --batch", ctx)
    reference = _reference(image)
    try:
        selection = _select(ctx, reference, options)
    except UpdaterError as error:
        if output == "json" and not isinstance(error, ConfigError) and error.code != "policy":
            from updater.cli.check_lines import failure_as_json

            _write_json({"image": image, **failure_as_json(error)})
        raise
    is_written = bool(options["current"] or reference.tag or reference.digest)
    _write(selection, image, output, is_written=is_written, most=None if options["show_all"] else _SHOWN_LOSERS)
    return 0


def _refuse_others(ctx: click.Context) -> None:
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
    if "image" in given:
        hint = '"image" is not a key of it: give "tags", and the tag that is written as "current"'
        raise click.UsageError(f"--batch takes no IMAGE: each line is a request of its own, and {hint}", ctx)
    others = sorted(name.rstrip("_").replace("_", "-") for name in given if name not in {"batch", "config"})
    if others:
        raise click.UsageError(f"--batch cannot be combined: each line has its own {', '.join(others)}", ctx)


def _reference(image: str) -> ImageRef:
    from updater.model.image import parse_ref

    try:
        return parse_ref(image)
    except ImageSyntaxError as error:
        raise ConfigError(error.message, hint=error.hint, code="usage") from error


def _select(ctx: click.Context, reference: ImageRef, options: Mapping[str, Any]) -> Selection:
    from updater.policies.choose import choose, drive

    template = _request(reference, options)
    if options["tags_file"] is None:
        from updater.cli.main import config_paths

        asking = asking_of(timeout=options["timeout"], verbose=options["verbose"])
        return _from_registry(reference, template, config_paths(ctx), asking)
    return drive(choose(_with(template, _read_tags(options["tags_file"]))), lambda _ask: None)


def _request(reference: ImageRef, options: Mapping[str, Any]) -> SelectionRequest:
    """Build the request without candidates, so that a wrong option is said before anything is read."""
    from updater.cli.check_lines import written_from
    from updater.model.image import parse_platform
    from updater.model.subscription import Downgrade, TagFilter, Variant
    from updater.policies import build, build_filter
    from updater.policies.choose import SelectionRequest

    allow, ignore, extract = options["allow"], tuple(options["ignore"]), options["extract"]
    try:
        current, digest = (reference.tag, reference.digest) if options["current"] is None else written_from(options["current"])
        platforms = tuple(parse_platform(text) for text in options["platform"])
    except ImageSyntaxError as error:
        raise ConfigError(error.message, hint=error.hint, code="usage") from error
    return SelectionRequest(
        candidates={},
        policy=build(_spec(reference, options)),
        name_filter=build_filter(TagFilter(allow=allow, ignore=ignore, extract=extract)),
        platforms=platforms,
        current=current,
        current_digest=digest,
        downgrade=Downgrade.ALWAYS if options["allow_downgrade"] else Downgrade(options["downgrade"]),
        variant=Variant(options["variant"]),
    )


def _spec(reference: ImageRef, options: Mapping[str, Any]) -> PolicySpec:
    from updater.model.subscription import PolicySpec

    kind = options["policy"]
    given = {"range": options["range_"], "order": options["order"], "prerelease": options["prerelease"] or None}
    if kind == "digest":
        given["tag"] = given.pop("range") or reference.tag
    return PolicySpec(kind, {name: value for name, value in given.items() if value is not None})


def _with(request: SelectionRequest, candidates: Mapping[str, Candidate]) -> SelectionRequest:
    from dataclasses import replace

    return replace(request, candidates=candidates)


def _read_tags(path: str) -> dict[str, Candidate]:
    """Read tags from a file: one a line, or a JSON list of texts and objects, or what a registry answers to tags/list."""
    from updater.cli.check_lines import candidates_from, read_json

    try:
        with click.open_file(path, "rb") as stream:
            data: bytes = stream.read(_MAX_TAGS_FILE + 1)
    except OSError as error:
        raise ConfigError(
            f"the file of tags cannot be read: {reason_of(error)}", hint="name a file, or - for stdin", path=path
        ) from error
    if len(data) > _MAX_TAGS_FILE:
        raise ConfigError(f"the file of tags is longer than {_MAX_TAGS_FILE} bytes", hint="split it", path=path)
    try:
        if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"[", b"{"}:
            listed = read_json(data)
            return candidates_from(_tags_of(listed))
        lines = data.decode("utf-8-sig").split("\n")
        return candidates_from([line.strip() for line in lines if line.strip()])
    except UnicodeDecodeError as error:
        raise ConfigError("the file of tags is not UTF-8", hint="write one tag a line, or JSON", path=path) from error
    except UpdaterError as error:
        raise ConfigError(error.message, hint=error.hint, path=path) from error


def _tags_of(listed: Any) -> list[Any]:
    tags = listed.get("tags") if isinstance(listed, dict) else listed
    if not isinstance(tags, list):
        raise ConfigError("the JSON holds no list of tags", hint='write ["1.0.0", …] or {"tags": ["1.0.0", …]}')
    return tags


def _from_registry(reference: ImageRef, request: SelectionRequest, config: tuple[str, ...], asking: Asking) -> Selection:
    """Choose among what the registry offers, asking it for facts as they are needed; the one place that knows the daemon."""
    import asyncio

    from updater.daemon.check_image import choose_from_registry

    return asyncio.run(choose_from_registry(reference.name, request, config, asking))


def _write(selection: Selection, image: str, output: str, *, is_written: bool, most: int | None) -> None:
    from updater.cli.check_output import as_json, show

    if output == "json":
        _write_json(as_json(selection, image))
    else:
        show(selection, sys.stdout, is_written=is_written, most=most)


def _write_json(answer: Mapping[str, Any]) -> None:
    import json

    click.echo(json.dumps(answer, indent=2))
