"""Markers in texts that are not YAML: a Dockerfile, an .env file, Terraform, SQL, an ini file.

The marker stands behind ``#``, ``//``, ``--`` or ``;``: at the end of its line, or alone on the line above (a
Dockerfile knows no comments behind an instruction). What it marks is found by its form: a full marker marks
the one image reference on the line, a part the one value assigned there, or that part of the one reference.
Where more than one word could be meant, the line is refused.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.editors import marker_comment, plans, references, scalars
from updater.editors.base import FileReadings
from updater.errors import EditError, ImageSyntaxError
from updater.model.image import is_tag, parse_ref
from updater.model.problem import Problem
from updater.model.update import Answer, Change, Edit
from updater.model.view import Part, PartKind, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from updater.editors.marker_comment import Marker
    from updater.model.update import EditRequest

_LINE: Final = re.compile(r"[^\r\n]+")
_SIGNS: Final = ("#", "//", "--", ";")
_ASSIGNMENT: Final = re.compile(r":=|\?=|\+=|=(?!=)|:[ \t]")
_WORD: Final = re.compile(r"""[^\s"'`=,;()\[\]{}<>|&\ufeff]+""")
_DIGEST: Final = re.compile(r"[a-z0-9]+:[0-9a-f]{32,}")
_SHOWN_WORDS: Final = 5
_OPTION: Final = re.compile(r"(?<!\S)--platform=\S+")


@dataclass(frozen=True, slots=True)
class _Spot:
    """A reading, and the span of its one part in the text."""

    reading: Reading
    setter: str
    start: int
    end: int


def read(path: str, data: bytes, policy: str | None) -> FileReadings:
    """Find the marked values of *policy*, or of all; see `Editor.read`."""
    try:
        spots, problems = _survey(path, scalars.decode(data, path))
    except EditError as error:
        return FileReadings(problems=(plans.problem(error, path),))
    readings = tuple(spot.reading for spot in spots if policy in {None, spot.reading.setter})
    return FileReadings(
        readings=readings, problems=tuple(item for owner, item in problems if policy in {None, owner} or owner is None)
    )


def edit(path: str, data: bytes, requests: Sequence[EditRequest]) -> Edit:
    """Write every request that can be written safely; see `Editor.edit`."""
    try:
        text = scalars.decode(data, path)
        spots, _ = _survey(path, text)
    except EditError as error:
        return plans.unchanged(path, data, [plans.problem(error, path, request.reading.line) for request in requests])
    known = {(spot.reading.where, spot.reading.setter): spot for spot in spots}
    wanted: dict[int, tuple[_Spot, str]] = {}
    asked: list[int | Problem] = []
    for request in requests:
        try:
            spot, new = _wanted(path, known, request)
            if wanted.get(spot.start, (spot, new))[1] != new:
                hint = "let one subscription own the place"
                raise EditError("two updates want different values here", hint=hint, code="conflict")  # noqa: TRY301 - the except below adds the line, as for every other reader
            wanted[spot.start] = (spot, new)
            asked.append(spot.start)
        except EditError as error:
            asked.append(plans.problem(error, path, request.reading.line))
    steps = [step for _, step in sorted(wanted.items()) if step[0].reading.parts[0].text != step[1]]
    numbers = {spot.start: number for number, (spot, _) in enumerate(steps)}
    return Edit(
        path=path,
        before=data,
        after=_spliced(text, steps).encode(),
        changes=_changes(path, steps),
        refused=tuple(item for item in asked if isinstance(item, Problem)),
        answers=tuple(_answer(item, numbers) for item in asked),
    )


def _answer(asked: int | Problem, numbers: Mapping[int, int]) -> Answer:
    """Return what became of a request: of the one for the spot that starts at *asked*, or of a refused one."""
    if isinstance(asked, Problem):
        return Answer(refusal=asked)
    return Answer(changes=(numbers[asked],) if asked in numbers else ())


def _survey(path: str, text: str) -> tuple[list[_Spot], list[tuple[str | None, Problem]]]:
    spots: list[_Spot] = []
    problems: list[tuple[str | None, Problem]] = []
    for number, line in _lines(text):
        marker = None
        try:
            found = _comment(line.group())
            if found is None:
                continue
            marker, code = found
            target, offset, code = (number, line.start(), code) if code.strip() else _below(text, number, line)
            start, end = _value(marker.kind, code)
            spots.append(_spot(path, target, marker, code[start:end], offset + start))
        except EditError as error:
            owner = marker.policy if marker else None
            problems.append((owner, plans.problem(error, path, number)))
    return spots, problems


def _below(text: str, number: int, line: re.Match[str]) -> tuple[int, int, str]:
    """Return number, offset and text of the line that a marker alone on its line marks: the next one."""
    start = text.find("\n", line.end()) + 1
    below = _LINE.match(text, start) if start else None
    if below is None or not below.group().strip() or below.group().lstrip().startswith(_SIGNS):
        message = "this marker does nothing: there is no value on its line or the next one"
        raise EditError(message, hint="move it to the end of the value's line, or right above it", code="marker-place")
    if marker_comment.NEEDLE.search(below.group()):
        raise EditError("two markers mark the line below", hint="keep one of them", code="marker-place")
    return number + 1, below.start(), below.group()


def _lines(text: str) -> Iterator[tuple[int, re.Match[str]]]:
    for number, start in enumerate(_starts(text), 1):
        line = _LINE.match(text, start)
        if line and marker_comment.NEEDLE.search(line.group()):
            yield number, line


def _starts(text: str) -> Iterator[int]:
    position = 0
    while position < len(text):
        yield position
        position = text.find("\n", position) + 1 or len(text)


def _comment(line: str) -> tuple[Marker, str] | None:
    """Cut a line into the marker and the code before it; None where the marker is none of ours."""
    needle = marker_comment.NEEDLE.search(line)
    brace = line.find("{") if needle is None else max(line.rfind("{", 0, needle.start()), line.find("{"))
    if needle is None or brace < 0:
        return None
    leader = _leader(line, brace)
    if leader is None:
        if line.lstrip().startswith(_SIGNS):
            return None
        message = "this marker is not understood: there is no comment sign before it"
        raise EditError(message, hint="write the marker after #, //, -- or ;", code="marker-syntax")
    code = line[:leader]
    if code.lstrip("\ufeff \t").startswith(_SIGNS):
        return None  # a marked line that somebody commented out
    marker = marker_comment.parse(line[leader:])
    return None if marker is None else (marker, code.lstrip("\ufeff") if not code.strip("\ufeff \t") else code)


def _leader(line: str, end: int) -> int | None:
    """Find where the comment sign begins that stands right before *end*; None where there is none."""
    before = line[:end].rstrip(" \t")
    sign = before[-1:]
    start = len(before.rstrip(sign)) if sign in {"#", "/", "-", ";"} else end
    is_whole = len(before) - start >= (1 if sign in {"#", ";"} else 2)
    return start if start < end and is_whole else None


def _value(kind: PartKind, code: str) -> tuple[int, int]:
    """Find the span of the one value that a marker of this kind can mean."""
    references_found = _references(code)
    if kind is PartKind.REFERENCE:
        return _only(references_found, code, "image reference")
    if len(references_found) == 1 and _is_full(code[slice(*references_found[0])]):
        return _part(kind, code, references_found[0])
    assigned, named = _assigned(code), set(references_found)
    fitting = [span for span in assigned if span not in named and _fits(kind, code[slice(*span)])]
    if len(assigned) > 1 and kind is PartKind.TAG:
        fitting = [span for span in fitting if any(char.isdigit() for char in code[slice(*span)])]
    if len(fitting) == 1 and (len(assigned) == 1 or kind is not PartKind.NAME or "/" in code[slice(*fitting[0])]):
        return fitting[0]
    if len(references_found) == 1:
        return _part(kind, code, references_found[0])
    return _only(fitting, code, kind.value)


def _references(code: str) -> list[tuple[int, int]]:
    """Find the words that are image references with a tag or digest, else those with a path."""
    hidden = [match.span() for match in _OPTION.finditer(code)]
    starts = [low for low, _ in hidden]
    words = [
        word.span()
        for word in _WORD.finditer(code)
        if not (at := bisect_right(starts, word.start())) or word.start() >= hidden[at - 1][1]
    ]
    full, bare = [], []
    for span in words:
        text = code[slice(*span)]
        if _is_digest(text):
            continue
        try:
            ref = parse_ref(text)
        except ImageSyntaxError:
            continue
        if ref.tag or ref.digest:
            full.append(span)
        elif "/" in text:
            bare.append(span)
    return full or bare


def _is_full(text: str) -> bool:
    said = references.split(text)
    return bool(said.tag or said.digest)


def _assigned(code: str) -> list[tuple[int, int]]:
    """Find the words of the value: behind the first sign of assignment, else the last word of several."""
    sign = _ASSIGNMENT.search(code)
    words = [word.span() for word in _WORD.finditer(code, sign.end() if sign else 0)]
    return words if sign or len(words) < 2 else words[-1:]


def _fits(kind: PartKind, text: str) -> bool:
    if kind is PartKind.DIGEST:
        return _is_digest(text)
    if kind is PartKind.TAG:
        return is_tag(text)
    try:
        ref = parse_ref(text)
    except ImageSyntaxError:
        return False
    return not (ref.tag or ref.digest)


def _is_digest(text: str) -> bool:
    # by the grammar of digests nginx:1 would be one too
    return _DIGEST.fullmatch(text) is not None


def _part(kind: PartKind, code: str, span: tuple[int, int]) -> tuple[int, int]:
    """Return the span of one part within the span of a reference."""
    start, end = span
    said = references.split(code[start:end])
    text = {PartKind.NAME: said.name, PartKind.TAG: said.tag, PartKind.DIGEST: said.digest}.get(kind)
    if text is None:
        raise _no_value(kind.value)
    if kind is PartKind.NAME:
        return start, start + len(text)
    if kind is PartKind.DIGEST:
        return end - len(text), end
    first = start + len(said.name or "") + 1
    return first, first + len(text)


def _only(spans: list[tuple[int, int]], code: str, what: str) -> tuple[int, int]:
    if not spans:
        raise _no_value(what)
    if len(spans) > 1:
        words = ", ".join(code[slice(*span)] for span in spans[:_SHOWN_WORDS])
        hint = "leave one of them on the line, or write the marker of the part that is meant"
        raise EditError(f"the marker could mean any of {words}", hint=hint, code="ambiguous")
    return spans[0]


def _no_value(what: str) -> EditError:
    hint = "write the value on the line of its marker once, it is kept current from then on"
    return EditError(f"no {what} is on the line of the marker", hint=hint, code="empty-value")


def _spot(path: str, number: int, marker: Marker, text: str, start: int) -> _Spot:
    part = Part(kind=marker.kind, line=number, where=f"line {number}", text=text)
    reading = Reading(
        path=path,
        where=part.where,
        line=number,
        setter=marker.policy,
        parts=(part,),
        written=references.written((part,)),
    )
    return _Spot(reading, marker.setter, start, start + len(text))


def _wanted(path: str, known: dict[tuple[str, str], _Spot], request: EditRequest) -> tuple[_Spot, str]:
    spot = known.get((request.reading.where, request.reading.setter))
    if spot is None:
        raise plans.moved(path, request.reading, None)
    new = references.text_for(spot.reading.parts[0].kind, request.image)
    if new != spot.reading.parts[0].text and spot.reading.written != request.reading.written:
        raise plans.moved(path, request.reading, spot.reading)
    return spot, new


def _spliced(text: str, steps: Sequence[tuple[_Spot, str]]) -> str:
    position, pieces = 0, []
    for spot, new in steps:
        pieces += [text[position : spot.start], new]
        position = spot.end
    return "".join((*pieces, text[position:]))


def _changes(path: str, steps: Sequence[tuple[_Spot, str]]) -> tuple[Change, ...]:
    return tuple(
        Change(
            path=path,
            line=spot.reading.line,
            where=spot.reading.where,
            old=spot.reading.parts[0].text,
            new=new,
            setter=spot.setter,
        )
        for spot, new in steps
    )
