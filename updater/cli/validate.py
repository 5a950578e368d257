"""Show what is wrong with configuration, manifests, Flux objects and markers."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.argocd.request import ImageTranslation
    from updater.daemon.validate_cluster import ClusterReport
    from updater.model.problem import Problem
    from updater.validation.files import ValidationReport
    from updater.validation.flux_preview import FluxAnswer

_PROBLEMS = 1
_USUAL: Final = Path("updater.yaml")
_AUTHOR: Final = "UPDATER_GIT__AUTHOR__"  # what a file may leave to the environment of the daemon
_SHOWN: Final = 5


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--live", is_flag=True, help="Read the objects of the cluster too, as the sources say.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@click.option(
    "--timeout", metavar="DURATION", default="30s", show_default=True, help="With --live: how long the cluster may take."
)
@click.pass_context
def validate(context: click.Context, paths: tuple[Path, ...], output: str, timeout: str, *, live: bool) -> int:
    """Lint configuration, annotated manifests, Flux objects and markers.

    PATH is a file or a folder; file types are detected from content. Without PATH and without -c the file ./updater.yaml is
    checked. A file named by -c is checked too, and its marker targets and text_markers count. Exit code 1 if there is a problem.

    Targets of a configuration are not compared with the repositories that they name: that needs their servers, and is what
    updater once --dry-run does.

    For Applications and ImageUpdaters, as exported from a cluster or as they stand in Git, it also says what would
    become of each image that they list, without contacting any server. With --live those of the cluster count too, as the
    configuration's sources read them, and each ImagePolicy of the cluster and each marker in the files that names one; nothing
    is written.
    """
    from updater.cli.main import config_paths
    from updater.errors import ConfigError
    from updater.settings import load_settings
    from updater.sources.file import problems_of
    from updater.validation.files import lint
    from updater.validation.flux_preview import marker_answers, policy_answers
    from updater.writeback.message_trial import try_message

    named = tuple(Path(name) for name in config_paths(context)) or (() if paths or live else (_usual_file(),))
    environ = {name: value for name, value in os.environ.items() if name.startswith(_AUTHOR)} | {
        "HOME": os.environ.get("HOME", "/")
    }
    problems: tuple[Problem, ...] = ()
    try:
        if len(named) > 1:
            load_settings(named, environ)
    except ConfigError as error:
        problems = problems_of(error)
    found = _cluster(config_paths(context), timeout) if live else None
    policies = found.flux.marker_names if found else ()
    report = lint(paths, configurations=named, environ=environ, try_template=try_message, policies=policies)
    if problems:  # what is wrong only once several files are merged
        known = set(report.problems)
        report = replace(report, problems=(*(item for item in problems if item not in known), *report.problems))
    answers: tuple[FluxAnswer, ...] = ()
    if found:
        wrong = (*report.problems, *found.problems)
        report = replace(report, problems=wrong, answers=(*report.answers, *found.answers), objects=found.objects)
        answers = (*policy_answers(found.flux), *marker_answers(report.markers, found.flux))
    _show_json(report, answers) if output == "json" else _show_text(report, answers)
    _show_unrecognized(report.unrecognized)
    return _PROBLEMS if report.problems else 0


def _usual_file() -> Path:
    """Return the configuration of this folder; raise `ConfigError` where there is none."""
    from updater.errors import ConfigError

    if not _USUAL.is_file():
        message = "there is nothing to check: no PATH is given, and there is no ./updater.yaml"
        raise ConfigError(message, hint="updater validate PATH…, a file or a folder; . is this folder", code="usage")
    return _USUAL


def _cluster(config: Sequence[str], timeout: str) -> ClusterReport:
    import asyncio

    from updater.daemon.validate_cluster import look_at_cluster
    from updater.settings.values import read_duration

    return asyncio.run(look_at_cluster(config, patience=read_duration(timeout)))


def _show_json(report: ValidationReport, answers: Sequence[FluxAnswer]) -> None:
    import json

    told = {
        "files": report.files,
        "images": [_as_json(answer) for answer in report.answers],
        "flux": [{"subject": item.subject, "sentence": item.sentence, "code": item.code} for item in answers],
        "not_known": list(map(_problem, report.unknown)),
        "problems": list(map(_problem, report.problems)),
        "remarks": list(map(_problem, report.remarks)),
    }
    click.echo(json.dumps(told, indent=2, sort_keys=True))


def _problem(item: Problem) -> dict[str, object]:
    return {"path": item.path, "line": item.line, "code": item.code, "message": item.message, "hint": item.hint or None}


def _as_json(answer: ImageTranslation) -> dict[str, object]:
    item = answer.subscription
    target = item.targets[0] if item else None
    return {
        "application": answer.application,
        "alias": answer.alias,
        "image": answer.image,
        "asked_by": answer.asked_by,
        "key": item.key if item else None,
        "policy": str(item.policy) if item else None,
        "destination": str(target.destination) if target else None,
        "target": f"{target.editor} {target.locator}" if target else None,
        "code": answer.code,
        "sentence": answer.sentence,
    }


def _show_text(report: ValidationReport, answers: Sequence[FluxAnswer]) -> None:
    from updater.cli.terminal import say

    for number, (_, problems) in enumerate(groupby(report.problems, key=lambda item: item.path)):
        if number:
            click.echo()
        for problem in problems:
            say(printable(str(problem)))
            if problem.hint:
                say(f"  hint: {printable(problem.hint)}")
    for remark in report.remarks:
        say(f"{printable(str(remark))} [not counted as a problem]\n  hint: {printable(remark.hint)}")
    for problem in report.unknown:
        say(printable(f"not known here: {problem}"))
    if (report.problems or report.unknown) and report.answers:
        click.echo()
    _show_answers(report, answers)
    count = len(report.problems)
    said = f"{count} problem{'s' if count != 1 else ''}" if count else "no problems"
    where = [f"{report.files} file{'s' if report.files != 1 else ''}"] if report.files or not report.objects else []
    where += [f"{report.objects} object{'s' if report.objects != 1 else ''} of the cluster"] if report.objects else []
    more = f"; {len(report.unknown)} not known here" if report.unknown else ""
    say(f"{said} in {' and '.join(where)}{more}", err=True)
    if report.targets:
        targets = "1 target was" if report.targets == 1 else f"{report.targets} targets were"
        say(f"note: {targets} not compared with the repository: updater once --dry-run does that", err=True)


def _show_unrecognized(files: Sequence[Path]) -> None:
    """Print which named files hold nothing that is checked: a clean exit must not look as if they were."""
    from updater.cli.terminal import say

    for file in files[:_SHOWN]:
        say(f"not recognized, not checked: {printable(str(file))}", err=True)
    if len(files) > _SHOWN:
        say(f"not recognized, not checked: {len(files) - _SHOWN} more files", err=True)


def _show_answers(report: ValidationReport, answers: Sequence[FluxAnswer]) -> None:
    """Print what would become of each image of Argo CD's objects, then of each policy and marker of Flux."""
    from updater.cli.terminal import say
    from updater.validation.certainty import NOT_KNOWN

    for answer in report.answers:
        refusal = "not known here" if answer.code == NOT_KNOWN else f"not written ({answer.code})"
        said = f"{refusal}: {answer.sentence}" if answer.code else answer.sentence
        say(f"{printable(f'{answer.application}: {answer.image}')}\n  {printable(said)}")
    for told in answers:
        said = f"not written ({told.code}): {told.sentence}" if told.code else told.sentence
        say(f"{printable(told.subject)}\n  {printable(said)}")
