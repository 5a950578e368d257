"""Combine the edit requests of one file: each is applied completely or not at all, and none stops the others.

Each request keeps its number on the way, so that what became of it is known and never guessed from lines or key paths.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from updater.editors import proof
from updater.errors import EditError
from updater.model.problem import Problem
from updater.model.update import Answer, Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from updater.editors.scalars import Parsed, Splice
    from updater.model.update import Change, EditRequest
    from updater.model.view import Reading


#: how many events are parsed at most to find which changes of one file cannot be proved
MAX_PROVED_EVENTS: Final = 2_500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPlan:
    """The splices of one edit request, each with the change that it reports, if any."""

    line: int | None
    steps: tuple[tuple[Splice, Change | None], ...]

    @property
    def splices(self) -> tuple[Splice, ...]:
        """The splices alone."""
        return tuple(splice for splice, _ in self.steps)


class JointPlan:
    """The plans of one file, no two of which may write different values to one place."""

    def __init__(self, path: str) -> None:
        self.plans: list[EditPlan] = []
        self._path = path
        self._values: dict[int, str] = {}

    def add(self, planned: EditPlan) -> None:
        """Add a plan; raise `EditError` where an earlier one wants a different value at its place."""
        mine = {splice.at: splice.value for splice, _ in planned.steps if splice.value is not None}
        if any(self._values.get(at, value) != value for at, value in mine.items()):
            hint = "let one subscription own the place"
            message = "two updates want different values here"
            raise EditError(message, hint=hint, code="conflict", path=self._path, line=planned.line)
        self._values |= mine
        self.plans.append(planned)


def problem(error: EditError, path: str, line: int | None = None) -> Problem:
    """Return an error as a problem of the file *path*; *line* counts where the error has none."""
    return Problem(path=path, line=error.line or line, code=error.code, message=error.message, hint=error.hint)


def moved(path: str, reading: Reading, found: Reading | None) -> EditError:
    """Refuse a place that is not what it was when the decision fell."""
    now = f"says {found.written} now, not {reading.written}" if found else "is no longer there"
    return EditError(
        f"{reading.where} {now}",
        hint="it is decided again from what is written now",
        code="moved",
        path=path,
        line=found.line if found else reading.line,
    )


def carry_out(
    path: str, data: bytes, parsed: Parsed, requests: Sequence[EditRequest], plan: Callable[[EditRequest], EditPlan]
) -> Edit:
    """Plan each request and write all that can be proved; the rest is refused with its reason."""
    joint = JointPlan(path)
    refused: dict[int, Problem] = {}
    planned: list[int] = []
    for number, request in enumerate(requests):
        try:
            joint.add(plan(request))
            planned.append(number)
        except EditError as error:
            refused[number] = problem(error, path, request.reading.line)
    written = write(path, data, parsed, joint.plans, tuple(refused.values()))
    answers = {number: Answer(refusal=refusal) for number, refusal in refused.items()}
    answers.update(zip(planned, written.answers, strict=True))
    return replace(written, answers=tuple(answers[number] for number in range(len(requests))))


def write(path: str, data: bytes, parsed: Parsed, plans: Sequence[EditPlan], refused: Sequence[Problem]) -> Edit:
    """Write *plans* in one go, or those that hold alone where all together cannot be proved; one answer a plan."""
    proving = _Proving(parsed=parsed, path=path, plans=plans)
    proving.prove([number for number, planned in enumerate(plans) if planned.steps])
    if not proving.kept:
        kept = unchanged(path, data, (*refused, *proving.refused.values()))
        return replace(kept, answers=proving.answers({}))
    changes, numbers = _changes(parsed, [plans[number] for number in proving.kept])
    return Edit(
        path=path,
        before=data,
        after=proving.after,
        changes=changes,
        refused=(*refused, *proving.refused.values()),
        answers=proving.answers(numbers),
    )


def unchanged(path: str, data: bytes, refused: Sequence[Problem]) -> Edit:
    """Return the edit that changes nothing; *refused* is what became of each request."""
    answers = tuple(Answer(refusal=item) for item in refused)
    return Edit(path=path, before=data, after=data, changes=(), refused=tuple(refused), answers=answers)


@dataclass(slots=True, kw_only=True)
class _Proving:
    """The search for the plans that can be proved together: halves are tried where a whole cannot be.

    *kept* are the numbers of the proved plans, *after* is the text that they make.
    """

    parsed: Parsed
    path: str
    plans: Sequence[EditPlan]
    kept: list[int] = field(default_factory=list)
    after: bytes = b""
    refused: dict[int, Problem] = field(default_factory=dict)
    events: int = 0

    def prove(self, numbers: Sequence[int]) -> None:
        """Keep *numbers*, or the most of them that can be proved beside what is kept."""
        if not numbers:
            return
        if self.events >= MAX_PROVED_EVENTS:
            self._give_up(numbers)
            return
        self.events += len(self.parsed.events)
        together = sorted((*self.kept, *numbers))
        try:
            self.after = proof.apply(self.parsed, _unique([self.plans[number] for number in together]), self.path)
            self.kept = together
        except EditError as error:
            if len(numbers) == 1:
                self.refused[numbers[0]] = _unproved(error, self.path, self.plans[numbers[0]])
                return
            middle = len(numbers) // 2
            self.prove(numbers[:middle])
            self.prove(numbers[middle:])

    def _give_up(self, numbers: Sequence[int]) -> None:
        message = "too many values of this file cannot be changed alone"
        error = EditError(message, hint="correct the places that are refused with another reason first", code="unproved")
        for number in numbers:
            self.refused[number] = problem(error, self.path, self.plans[number].line)

    def answers(self, numbers: dict[tuple[str, int], int]) -> tuple[Answer, ...]:
        """Return what became of each plan; *numbers* are those of the changes, by `_key`."""
        made = set(self.kept)
        return tuple(
            Answer(
                changes=tuple(numbers[_key(*step)] for step in planned.steps if step[1] is not None) if number in made else (),
                refusal=self.refused.get(number),
            )
            for number, planned in enumerate(self.plans)
        )


def _key(splice: Splice, change: Change | None) -> tuple[str, int]:
    """Name what a step writes: one scalar has one new value, whoever asks for it; what is added belongs to one step."""
    return ("value", splice.at) if splice.value is not None else ("step", id(change))


def _unique(plans: Sequence[EditPlan]) -> list[Splice]:
    """Return every splice of *plans* once."""
    values: set[int] = set()
    splices: list[Splice] = []
    for splice in (splice for planned in plans for splice in planned.splices):
        if splice.value is None or splice.at not in values:
            splices.append(splice)
            values.add(splice.at if splice.value is not None else -1)
    return splices


def _unproved(error: EditError, path: str, planned: EditPlan) -> Problem:
    """Return what could not be proved at the line of the place, not of the result that nobody sees."""
    return Problem(path=path, line=planned.line or error.line, code=error.code, message=error.message, hint=error.hint)


def _changes(parsed: Parsed, plans: Sequence[EditPlan]) -> tuple[tuple[Change, ...], dict[tuple[str, int], int]]:
    """Return the changes with their lines in the new text, in its order, and the number of each by `_key`."""
    steps = sorted((step for planned in plans for step in planned.steps), key=lambda step: step[0].start)
    changes: list[Change] = []
    numbers: dict[tuple[str, int], int] = {}
    shift = 0
    for splice, change in steps:
        key = _key(splice, change)
        if key in numbers:
            continue
        if change is not None:
            numbers[key] = len(changes)
            changes.append(replace(change, line=change.line + shift) if shift else change)
        shift += splice.text.count("\n") - parsed.text.count("\n", splice.start, splice.end)
    return tuple(changes), numbers
