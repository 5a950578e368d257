"""Knows how wishes for one file become one edit: each lands whole or not at all, and none stops the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from updater.editors import scalars
from updater.errors import EditError
from updater.model.problem import Problem
from updater.model.update import Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from updater.editors.scalars import Parsed, Splice
    from updater.model.update import Change, Wish
    from updater.model.view import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one wish comes to: splices, with the change that each makes where it is one people count."""

    line: int | None
    steps: tuple[tuple[Splice, Change | None], ...]

    @property
    def splices(self) -> tuple[Splice, ...]:
        """The splices alone."""
        return tuple(splice for splice, _ in self.steps)


class Joint:
    """The plans for one file, of which no two may want different values at one place."""

    def __init__(self, path: str) -> None:
        self.plans: list[Plan] = []
        self._path = path
        self._values: dict[int, str] = {}

    def add(self, planned: Plan) -> None:
        """Add a plan, once; raises `EditError` where an earlier one wants a different value at its place."""
        mine = {splice.at: splice.value for splice, _ in planned.steps if splice.value is not None}
        if any(self._values.get(at, value) != value for at, value in mine.items()):
            hint = "let one subscription own the place"
            message = "two updates want different values here"
            raise EditError(message, hint=hint, code="conflict", path=self._path, line=planned.line)
        if mine.keys() & self._values.keys():
            steps = tuple(step for step in planned.steps if step[0].value is None or step[0].at not in self._values)
            planned = Plan(line=planned.line, steps=steps)
        self._values |= mine
        self.plans.append(planned)


def problem(error: EditError, path: str, line: int | None = None) -> Problem:
    """Say an error as a problem of the file *path*; *line* counts where the error has none."""
    return Problem(path=path, line=error.line or line, code=error.code, message=error.message, hint=error.hint)


def moved(path: str, reading: Reading, found: Reading | None) -> EditError:
    """Refuse a place that is not what it was when the decision fell."""
    now = f"says {found.written} now, not {reading.written}" if found else "is not there any more"
    return EditError(
        f"{reading.where} {now}",
        hint="it is decided again from what is written now",
        code="moved",
        path=path,
        line=found.line if found else reading.line,
    )


def carry_out(path: str, data: bytes, parsed: Parsed, wishes: Sequence[Wish], plan: Callable[[Wish], Plan]) -> Edit:
    """Plan each wish and write all that can be proved; the rest is refused with its reason."""
    joint = Joint(path)
    refused: list[Problem] = []
    for wish in wishes:
        try:
            joint.add(plan(wish))
        except EditError as error:
            refused.append(problem(error, path, wish.reading.line))
    return write(path, data, parsed, joint.plans, refused)


def write(path: str, data: bytes, parsed: Parsed, plans: Sequence[Plan], refused: Sequence[Problem]) -> Edit:
    """Write *plans* in one go, or those that hold alone where all together cannot be proved."""
    if not any(planned.steps for planned in plans):
        return unchanged(path, data, refused)
    try:
        after = scalars.apply(parsed, [splice for planned in plans for splice in planned.splices], path)
    except EditError as error:
        if len(plans) == 1:
            return unchanged(path, data, (*refused, _unproved(error, path, plans[0])))
        return _write_proved(path, data, parsed, plans, refused)
    return Edit(path=path, before=data, after=after, changes=_changes(parsed, plans), refused=tuple(refused))


def unchanged(path: str, data: bytes, refused: Sequence[Problem]) -> Edit:
    """Give the edit that changes nothing."""
    return Edit(path=path, before=data, after=data, changes=(), refused=tuple(refused))


def _write_proved(path: str, data: bytes, parsed: Parsed, plans: Sequence[Plan], refused: Sequence[Problem]) -> Edit:
    kept: list[Plan] = []
    failed = list(refused)
    for planned in plans:
        try:
            scalars.apply(parsed, [splice for item in (*kept, planned) for splice in item.splices], path)
            kept.append(planned)
        except EditError as error:
            failed.append(_unproved(error, path, planned))
    return write(path, data, parsed, kept, failed)


def _unproved(error: EditError, path: str, planned: Plan) -> Problem:
    """Say what could not be proved at the line of the place, not of the result that nobody sees."""
    return Problem(path=path, line=planned.line or error.line, code=error.code, message=error.message, hint=error.hint)


def _changes(parsed: Parsed, plans: Sequence[Plan]) -> tuple[Change, ...]:
    steps = sorted((step for planned in plans for step in planned.steps), key=lambda step: step[0].start)
    changes: list[Change] = []
    shift = 0
    for splice, change in steps:
        if change is not None:
            changes.append(replace(change, line=change.line + shift) if shift else change)
        shift += splice.text.count("\n") - parsed.text.count("\n", splice.start, splice.end)
    return tuple(changes)
