"""`$imagepolicy` markers: comments that bind a value to a policy, in YAML and in plain texts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from updater.editors import fitting, marker_comment, marker_places, marker_text, outline, plans, references, scalars
from updater.editors.base import FileReadings
from updater.editors.plans import EditPlan
from updater.errors import EditError
from updater.model.update import Change
from updater.model.view import Part, PartKind, Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.editors.marker_comment import Marker
    from updater.editors.marker_places import MarkedScalar
    from updater.editors.scalars import Parsed
    from updater.model.problem import Problem
    from updater.model.subscription import Locator
    from updater.model.update import Edit, EditRequest

_YAML_NAMES: Final = (".yaml", ".yml")
_KUSTOMIZATION: Final = "Kustomization"
_SMALL: Final = 128 * 1024
_REFERENCE: Final = PartKind.REFERENCE  # looked up once, as a member of an enumeration is slow to find


@dataclass(frozen=True, slots=True)
class MarkedPlace:
    """A reading with the event index and the full setter of each of its parts."""

    reading: Reading
    indexes: tuple[int, ...]
    setters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Survey:
    parsed: Parsed
    places: tuple[MarkedPlace, ...]
    problems: tuple[tuple[str | None, Problem], ...]


class MarkerEditor:
    """Read and write marked values; *text_markers* are globs of files that are not YAML and may have markers.

    A glob without ``/`` is held against the last part of a path, one with ``/`` against all of it. *is_forced* takes values
    that have another shape than their marker says, too.
    """

    name: str = "marker"
    needles: tuple[bytes, ...] = marker_comment.NEEDLES

    def __init__(self, text_markers: tuple[str, ...] = (), *, is_forced: bool = False) -> None:
        self._text_markers = text_markers
        self._is_forced = is_forced

    def files(self, locator: Locator) -> tuple[str, ...] | None:  # noqa: ARG002 - the protocol's signature
        """Return that every wanted file below the path counts."""
        return None

    def wants(self, path: str) -> bool:
        """Return whether the file is YAML by its name, or a text in which markers count."""
        return _is_yaml(path) or self._is_text(path)

    def read(self, path: str, data: bytes, locator: Locator | None = None) -> FileReadings:
        """Find the marked places, of the policy *locator.name* or of all; raise nothing."""
        if not any(needle in data for needle in self.needles):
            return FileReadings()
        policy = locator.name if locator else None
        if not _is_yaml(path):
            return marker_text.read(path, data, policy)
        try:
            survey = _survey(data, path, is_forced=self._is_forced)
        except EditError as error:
            is_foreign = policy is not None and policy.encode() not in data
            return FileReadings() if is_foreign else FileReadings(problems=(plans.problem(error, path),))
        readings = tuple(place.reading for place in survey.places if policy in {None, place.reading.setter})
        problems = tuple(problem for owner, problem in survey.problems if policy is None or owner in {None, policy})
        return FileReadings(readings=readings, problems=problems)

    def edit(self, path: str, data: bytes, requests: Sequence[EditRequest]) -> Edit:
        """Write every request that can be written safely; see `Editor.edit`."""
        if not _is_yaml(path):
            return marker_text.edit(path, data, requests)
        try:
            survey = _survey(data, path, is_forced=self._is_forced)
        except EditError as error:
            return plans.unchanged(path, data, [plans.problem(error, path, request.reading.line) for request in requests])
        places = {(place.reading.where, place.reading.setter): place for place in survey.places}
        return plans.carry_out(path, data, survey.parsed, requests, lambda request: _plan(survey.parsed, places, path, request))

    def _is_text(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return any(fnmatchcase(path if "/" in glob else name, glob) for glob in self._text_markers)


def _is_yaml(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.lower().endswith(_YAML_NAMES) or name == _KUSTOMIZATION


def _survey(data: bytes, path: str, *, is_forced: bool = False) -> _Survey:
    """Find all places of a YAML text; a small one is remembered, as a file is read and edited in one go."""
    survey = _remembered if len(data) <= _SMALL else _fresh
    return survey(data, path, is_forced=is_forced)


def _fresh(data: bytes, path: str, *, is_forced: bool) -> _Survey:
    parsed = scalars.parse(data, path)
    problems: list[tuple[str | None, Problem]] = []
    marked: dict[int, MarkedScalar] = {}
    twice: set[int] = set()
    for found in marker_places.find(parsed):
        if isinstance(found, EditError):
            problems.append((None, plans.problem(found, path)))
        elif found.scalar in marked:
            twice.add(found.scalar)
            error = EditError("two markers mark this value", hint="keep one of them", code="marker-place")
            problems.append((None, plans.problem(error, path, parsed.line(found.scalar))))
        else:
            marked[found.scalar] = found
    gathering = _Gathering(parsed, path, is_forced)
    for found in marked.values():
        if found.scalar not in twice:
            try:
                gathering.add(found)
            except EditError as error:
                problems.append((found.marker.policy, plans.problem(error, path)))
    return _Survey(parsed, tuple(gathering.places.values()), tuple(problems))


_remembered = lru_cache(maxsize=2)(_fresh)


@dataclass(slots=True)
class _Gathering:
    """The places of one text as its markers are read, each by its group, its policy and its number in that group.

    *counts* says how many parts of a kind a policy has in a group: the next one belongs to the place of that number, because
    a part fills the first place that lacks its kind.
    """

    parsed: Parsed
    path: str
    is_forced: bool = False
    places: dict[tuple[int, str, int], MarkedPlace] = field(default_factory=dict)
    counts: dict[tuple[int, str, PartKind], int] = field(default_factory=dict)

    def add(self, found: MarkedScalar) -> None:
        """Add a marked scalar, to the place of its siblings where they hold other parts of the same image."""
        marker, index = found
        parsed = self.parsed
        where = outline.where(parsed, index)
        event = parsed.events[index]
        text = "" if not event.style and event.value in {"~", "null", "Null", "NULL"} else event.value.strip()
        if not self.is_forced:
            _check_shape(marker, text, part_line=event.start_mark.line + 1)
        name = outline.scalar_name(parsed, index)
        part = Part(kind=marker.kind, line=event.start_mark.line + 1, where=where, text=text, scalar=name)
        parent = parsed.parents[index]
        is_shared = marker.kind is not _REFERENCE and parent >= 0 and parsed.is_mapping(parent)
        group = parent if is_shared else -index - 2
        number = self.counts.get((group, marker.policy, marker.kind), 0)
        self.counts[group, marker.policy, marker.kind] = number + 1
        place = self.places.get((group, marker.policy, number))
        self.places[group, marker.policy, number] = (
            MarkedPlace(self._reading(index, part, marker.policy), (index,), (marker.setter,))
            if place is None
            else _with_part(place, index, part, marker.setter)
        )

    def _reading(self, index: int, part: Part, policy: str) -> Reading:
        return Reading(
            path=self.path,
            where=part.where,
            line=part.line,
            setter=policy,
            parts=(part,),
            written=references.written((part,)),
            object_id=outline.object_id(self.parsed, index),
        )


def _check_shape(marker: Marker, text: str, *, part_line: int) -> None:
    try:
        fitting.check_marked(marker.kind, text, marker.setter)
    except EditError as error:
        error.line = part_line
        raise


def _with_part(place: MarkedPlace, index: int, part: Part, setter: str) -> MarkedPlace:
    parts = (*place.reading.parts, part)
    reading = replace(place.reading, parts=parts, written=references.written(parts))
    return MarkedPlace(reading, (*place.indexes, index), (*place.setters, setter))


def _plan(parsed: Parsed, places: dict[tuple[str, str], MarkedPlace], path: str, request: EditRequest) -> EditPlan:
    place = places.get((request.reading.where, request.reading.setter))
    if place is None:
        raise plans.moved(path, request.reading, None)
    found = place.reading
    steps = []
    for part, index, setter in zip(found.parts, place.indexes, place.setters, strict=True):
        text = references.text_for(part.kind, request.image)
        if text != part.text:
            change = Change(
                path=path,
                line=part.line,
                where=part.where,
                old=part.text,
                new=text,
                setter=setter,
                object_id=found.object_id,
            )
            steps.append((index, change))
    if steps and found.written != request.reading.written:
        raise plans.moved(path, request.reading, found)
    return EditPlan(
        line=found.line,
        steps=tuple((scalars.replacement(parsed, index, change.new, path), change) for index, change in steps),
    )
