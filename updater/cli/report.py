"""How outcomes look to a person and to a program."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any, Final

import click

from updater.model.diff import as_diff
from updater.model.moments import rfc3339
from updater.model.outcome import DRY_RUN, Status
from updater.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from updater.model.image import ImageName
    from updater.model.outcome import Outcome
    from updater.model.problem import Problem
    from updater.model.update import Change, Edit

COLOURS: Final = {
    Status.UPDATED: "green",
    Status.PROPOSED: "green",
    Status.REVERTED: "yellow",
    Status.UNCHANGED: "bright_black",
    Status.NO_MATCH: "yellow",
    Status.HELD: "yellow",
    Status.FAILED: "red",
}

_UNDRAWN: Final = frozenset({Status.NO_MATCH, Status.HELD, Status.FAILED})
_LENGTH_OF_COMMIT: Final = 40
WOULD_UPDATE: Final = "would update"
_NAMED: Final = 10
_WOULD_MOVE: Final = "would move "
_DIFF_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PassReport:
    """One pass over everything: its id, times, problems, outcomes and the edits behind them, by destination.

    *images* are those of the subscriptions, by key.
    """

    id: str
    started: datetime
    finished: datetime
    problems: tuple[Problem, ...]
    outcomes: tuple[Outcome, ...]
    edits: tuple[tuple[str, tuple[Edit, ...]], ...] = ()
    images: Mapping[str, ImageName] = field(default_factory=dict)

    @property
    def is_failed(self) -> bool:
        """Whether one target failed."""
        return any(outcome.status is Status.FAILED for outcome in self.outcomes)

    @property
    def has_written(self) -> bool:
        """Whether something was written, or in a dry run would be."""
        return any(outcome.revision or outcome.code == DRY_RUN for outcome in self.outcomes)


def as_json(done: PassReport) -> str:
    """Render a pass as the JSON of the contract: RFC 3339 UTC, null rather than left out, sorted by key."""
    return json.dumps(
        {
            "id": done.id,
            "started": rfc3339(done.started, "milliseconds"),
            "finished": rfc3339(done.finished, "milliseconds"),
            "problems": [asdict(problem) for problem in sorted(done.problems, key=_place)],
            "outcomes": [outcome_json(outcome) for outcome in sorted(done.outcomes, key=lambda item: (item.key, item.target))],
        },
        indent=2,
        sort_keys=True,
        ensure_ascii=False,
    )


def _place(problem: Problem) -> tuple[str, int, str]:
    return problem.path, problem.line or 0, problem.origin


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """Return one outcome as plain data."""
    return {
        "key": outcome.key,
        "target": outcome.target,
        "status": outcome.status.value,
        "detail": outcome.detail,
        "changes": [
            {"path": change.path, "line": change.line, "where": change.where, "old": change.old, "new": change.new}
            for change in outcome.changes
        ],
        "revision": outcome.revision,
        "link": outcome.link,
        "code": outcome.code,
        "opens_at": rfc3339(outcome.opens_at, "milliseconds") if outcome.opens_at else None,
    }


def as_text(done: PassReport) -> str:
    """Render a pass for people: problems first, then each outcome with its reason and changes."""
    return "\n".join(_text_lines(done, done.outcomes))


def _text_lines(done: PassReport, outcomes: Sequence[Outcome]) -> list[str]:
    lines = [line for problem in done.problems for line in problem_lines(problem)]
    width = max((len(_word(outcome)) for outcome in outcomes), default=0)
    alike: dict[tuple[object, ...], list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda item: (item.key, item.target)):
        alike.setdefault(_failure_of(outcome, done.images) or (id(outcome),), []).append(outcome)
    for group in alike.values():
        lines += outcome_lines(group[0], width) if len(group) == 1 else _group_lines(group, done.images, width)
    if not done.outcomes:
        lines.append("nothing to do: the configuration has no subscription")
    return lines


def _failure_of(outcome: Outcome, images: Mapping[str, ImageName]) -> tuple[object, ...] | None:
    """Return what makes failures the same one, whichever image met it; None for what did not fail."""
    if outcome.status is not Status.FAILED or outcome.changes:
        return None
    return outcome.code, outcome.hint, _without_image(outcome, images)


def _without_image(outcome: Outcome, images: Mapping[str, ImageName]) -> str:
    image = images.get(outcome.key)
    if image is None:
        return outcome.detail
    return outcome.detail.removeprefix(f"{image}: ").replace(str(image), "…").replace(f"/{image.path}/", "/…/")


def _group_lines(group: Sequence[Outcome], images: Mapping[str, ImageName], width: int) -> list[str]:
    """Return one failure that many targets met: how many, and the first of them by name."""
    first = group[0]
    keys = list(dict.fromkeys(outcome.key for outcome in group))
    what = f"{len(keys)} subscriptions" if len(keys) > 1 else f"{first.key}, {len(group)} targets"
    said = outcome_lines(replace(first, key=what, detail=_without_image(first, images)), width)
    named = ", ".join(keys[:_NAMED]) + (f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else "")
    return [*said, f"{' ' * (width + 2)}{printable(named)}"] if len(keys) > 1 else said


def problem_lines(problem: Problem) -> list[str]:
    """Return one problem and its hint; one of an object in a cluster, which has no path, is named by the object."""
    origin = f"{problem.origin}: " if problem.origin and not problem.path else ""
    lines = [f"{click.style('problem', fg='yellow')}  {printable(f'{origin}{problem}')}"]
    return [*lines, f"         {click.style('hint', fg='cyan')}  {printable(problem.hint)}"] if problem.hint else lines


def outcome_lines(outcome: Outcome, width: int) -> list[str]:
    """Return one outcome: status, subscription, reason; below it each change."""
    is_dry = outcome.code == DRY_RUN
    status = Status.UPDATED if is_dry else outcome.status
    word = click.style(f"{_word(outcome):<{width}}", fg=COLOURS[status], bold=status is Status.UPDATED)
    code = f" [{outcome.code}]" if outcome.code and not is_dry else ""
    detail = pending_detail(outcome.detail) if is_dry else outcome.detail
    revision = _carrier(outcome.revision) if outcome.revision else ""
    lines = [f"{word}  {click.style(printable(outcome.key), bold=True)}: {printable(detail)}{revision}{code}"]
    indent = " " * (width + 2)
    lines += [f"{indent}{click.style('hint', fg='cyan')}  {printable(outcome.hint)}"] if outcome.hint else []
    return [*lines, *(f"{indent}{_change_line(change)}" for change in outcome.changes)]


def pending_detail(detail: str) -> str:
    """Return what a dry run says of an update, without the word that `WOULD_UPDATE` says already."""
    return detail.replace(_WOULD_MOVE, "")


def _word(outcome: Outcome) -> str:
    return WOULD_UPDATE if outcome.code == DRY_RUN else outcome.status.value


def _change_line(change: Change) -> str:
    return printable(f"{change.path}:{change.line} {change.where}: {change.old or 'nothing'} → {change.new}")


def _carrier(revision: str) -> str:
    """Name a commit by its short id, and the version of a live Application whole: a part of that number is another one."""
    return f" in {revision[:9]}" if len(revision) >= _LENGTH_OF_COMMIT else f", resourceVersion {revision}"


def as_diffs(edits: Iterable[tuple[str, tuple[Edit, ...]]]) -> str:
    """Render the edits of a pass; where they go to several places, a comment that `git apply` passes over names each."""
    shown = [(destination, text) for destination, found in edits if (text := as_diff(found))]
    return "".join(f"# {destination}\n{text}" if len(shown) > 1 else text for destination, text in shown)


def as_remarks(done: PassReport) -> str:
    """Render what the diff of a pass cannot show: problems, and targets that are not written although a policy wants it.

    Where there is no diff, the last line counts how the targets ended; "" where there is nothing to remark.
    """
    lines = _text_lines(done, [outcome for outcome in done.outcomes if outcome.status in _UNDRAWN])
    if done.outcomes and not done.has_written:
        ends = Counter(outcome.status.value for outcome in done.outcomes)
        lines.append(f"no changes: {', '.join(f'{count} {end}' for end, count in sorted(ends.items()))}")
    return "\n".join(lines)


def has_colours(stream: IO[str]) -> bool:
    """Return whether *stream* is a terminal of somebody who did not refuse colours."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def coloured(diff: str) -> str:
    """Return a diff with the colours of `git diff`, for a terminal alone: `git apply` takes no such text."""
    return "\n".join(_coloured(line) for line in diff.split("\n"))


def _coloured(line: str) -> str:
    if line.startswith(("diff --git ", "--- ", "+++ ", "new file mode ")):
        return click.style(line, bold=True)
    colour = _DIFF_COLOURS.get(line[:1])
    return click.style(line, fg=colour) if colour else line
