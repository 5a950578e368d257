"""Convert YAML events to values with their lines.

PyYAML's C parser gives the events; the values are built here, because its own loaders drop the lines, take the
last of two equal keys and read `on` and `1:30` by YAML 1.1 (measured in decision record 0150).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import yaml

from updater.documents.base import DEFAULT_CAPS, Document, DocumentLimits, Documents, Mark, Stop, as_error, checked, too_deep
from updater.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PROBLEMS: Final = 100
_MERGE: Final = "<<"
_CORE: Final = "tag:yaml.org,2002:"
_READ_AS_PLAIN: Final = frozenset(f"{_CORE}{name}" for name in ("int", "float", "bool", "null"))
_KNOWN_TAGS: Final = _READ_AS_PLAIN | {"!", f"{_CORE}str", f"{_CORE}map", f"{_CORE}seq"}
_LONGEST_NUMBER: Final = 40
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_OLD_TRUE: Final = frozenset({"yes", "Yes", "YES", "on", "On", "ON"})
_OLD_FALSE: Final = frozenset({"no", "No", "NO", "off", "Off", "OFF"})
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_HINTS: Final = (
    ("'\\t'", "YAML wants spaces, not tabs, at the start of a line"),
    ("cannot start any token", "put the value in quotes; a tab is not an indentation"),
    ("mapping values are not allowed", "a value that holds ': ' wants quotes; or the indentation is off"),
    ("could not find expected ':'", "a key needs a colon and a space after it"),
    ("did not find expected key", "the indentation of this line differs from its neighbours"),
    ("did not find expected '-'", "the indentation of this line differs from its neighbours"),
    ("unexpected end of stream", "a quote that was opened is never closed"),
)


class Dialect(Enum):
    """How plain scalars are read: people's configuration by YAML 1.2, manifests as Kubernetes reads them (1.1 booleans).

    In configuration a foreign tag or `.nan` is a problem; in a manifest it is kept as text.
    """

    CONFIGURATION = "configuration"
    MANIFEST = "manifest"


def read_yaml(
    path: str, data: bytes, *, dialect: Dialect = Dialect.CONFIGURATION, caps: DocumentLimits = DEFAULT_CAPS
) -> Documents:
    """Read every document of *data*; *path* is only for messages. Never raises.

    A document that is empty or only comments has the value None. What stands before an error is kept.
    """
    builder = _Builder(path=path, dialect=dialect, caps=caps)
    documents: list[Document] = []
    try:
        documents.extend(builder.build(checked(path, data, caps)))
    except Stop as stop:
        builder.problems.append(stop.problem)
        return Documents(documents=tuple(builder.done), problems=tuple(builder.problems), is_broken=True)
    return Documents(documents=tuple(documents), problems=tuple(builder.problems))


def load_yaml(
    path: str, data: bytes, *, dialect: Dialect = Dialect.CONFIGURATION, caps: DocumentLimits = DEFAULT_CAPS
) -> tuple[Document, ...]:
    """Read every document of *data*; raise `ConfigError` with all problems where there is one."""
    found = read_yaml(path, data, dialect=dialect, caps=caps)
    if found.problems:
        raise as_error(found.problems)
    return found.documents


def plain_scalar(text: str, dialect: Dialect = Dialect.CONFIGURATION) -> object:
    """Read *text* as YAML reads a scalar without quotes: null, boolean, number or the text itself."""
    if text in _NULLS:
        return None
    if text in _TRUE or (dialect is Dialect.MANIFEST and text in _OLD_TRUE):
        return True
    if text in _FALSE or (dialect is Dialect.MANIFEST and text in _OLD_FALSE):
        return False
    if text[0] in "+-.0123456789" and len(text) <= _LONGEST_NUMBER:
        return _number(text)
    return text


@dataclass(slots=True)
class _Built:
    """A value, its mark, and how many values it holds once every alias is followed."""

    value: Any
    mark: Mark
    nodes: int = 1


@dataclass(slots=True, kw_only=True)
class _Builder:
    """Makes values of parser events, and collects what is wrong."""

    path: str
    dialect: Dialect
    caps: DocumentLimits
    problems: list[Problem] = field(default_factory=list)
    done: list[Document] = field(default_factory=list)
    _anchors: dict[str, _Built] = field(default_factory=dict)
    _events: Iterator[Any] = field(default_factory=lambda: iter(()))
    _nodes: int = 0

    def build(self, data: bytes) -> list[Document]:
        try:
            self._events = iter(yaml.parse(data, Loader=yaml.CSafeLoader))
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    self._anchors.clear()
                    built = self._value(next(self._events), 1)
                    self.done.append(Document(value=built.value, mark=built.mark))
        except yaml.MarkedYAMLError as error:
            raise Stop(_from_marked(self.path, error)) from None
        except yaml.reader.ReaderError as error:
            raise Stop(_from_reader(self.path, data, error)) from None
        return self.done

    def _value(self, event: Any, depth: int) -> _Built:
        line = _line_of(event)
        if depth > self.caps.depth:
            raise Stop(too_deep(self.path, line, self.caps))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, line)
        self._count(1, line)
        if isinstance(event, yaml.ScalarEvent):
            built = _Built(self._scalar(event, line), Mark(line, self.path))
        elif isinstance(event, yaml.SequenceStartEvent):
            built = self._sequence(line, depth)
        else:
            built = self._mapping(line, depth)
        self._check_tag(event.tag, line)
        if event.anchor:
            self._anchors[event.anchor] = built
        return built

    def _alias(self, event: Any, line: int) -> _Built:
        known = self._anchors.get(event.anchor)
        if known is None:
            raise Stop(
                self._problem("no-anchor", f"*{event.anchor} has no anchor before it", line, f"write &{event.anchor} first")
            )
        self._count(known.nodes, line)
        return _Built(known.value, Mark(line, self.path, known.mark.below), known.nodes)

    def _sequence(self, line: int, depth: int) -> _Built:
        values: list[Any] = []
        marks: list[Mark] = []
        nodes = 1
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            built = self._value(event, depth + 1)
            values.append(built.value)
            marks.append(built.mark)
            nodes += built.nodes
        return _Built(values, Mark(line, self.path, marks), nodes)

    def _mapping(self, line: int, depth: int) -> _Built:
        values: dict[str, Any] = {}
        marks: dict[str, Mark] = {}
        merged: list[_Built] = []
        nodes = 1
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key, key_line = self._key(event, depth), _line_of(event)
            built = self._value(next(self._events), depth + 1)
            nodes += built.nodes
            if key == _MERGE:
                merged.extend(self._merge_parts(built, key_line))
            elif key in values:
                self._report("duplicate-key", f"the key {key!r} is defined twice", key_line, _duplicate_hint(marks[key].line))
            elif key is not None:
                values[key], marks[key] = built.value, Mark(key_line, self.path, built.mark.below)
        for part in merged:
            for key, value in part.value.items():
                if key not in values:
                    values[key], marks[key] = value, part.mark.find((key,))
        return _Built(values, Mark(line, self.path, marks), nodes)

    def _key(self, event: Any, depth: int) -> str | None:
        """Return a key as it is written, or None where it is no scalar."""
        if isinstance(event, yaml.ScalarEvent):
            line = _line_of(event)
            self._count(1, line)
            self._check_tag(event.tag, line)
            if event.anchor:
                self._anchors[event.anchor] = _Built(event.value, Mark(line, self.path))
            return str(event.value)
        built = self._value(event, depth + 1)
        if isinstance(built.value, (dict, list)):
            self._report("key", "a key must be plain text", built.mark.line, "put text with braces or brackets in quotes")
            return None
        return str(built.value)

    def _merge_parts(self, built: _Built, line: int) -> list[_Built]:
        if isinstance(built.value, dict):
            return [built]
        below = built.mark.below
        if isinstance(built.value, list) and all(isinstance(part, dict) for part in built.value) and isinstance(below, list):
            return [_Built(value, mark) for value, mark in zip(built.value, below, strict=True)]
        self._report("merge-key", "<< wants a map or a list of maps", line, "write <<: *anchor of a map")
        return []

    def _scalar(self, event: Any, line: int) -> object:
        tag, text = event.tag, event.value
        if tag not in _READ_AS_PLAIN if tag else not event.implicit[0]:
            return text
        if _NOT_FINITE.fullmatch(text) and self.dialect is Dialect.CONFIGURATION:
            self._report("number", f"{text} is not a number that can be used here", line, "write a finite number")
            return text
        return plain_scalar(text, self.dialect)

    def _check_tag(self, tag: str | None, line: int) -> None:
        if tag and tag not in _KNOWN_TAGS and self.dialect is Dialect.CONFIGURATION:
            shown = f"!!{tag.removeprefix(_CORE)}" if tag.startswith(_CORE) else tag
            hint = "leave the tag out; values are plain text, numbers, lists and maps"
            self._report("tag", f"the tag {shown} is not allowed", line, hint)

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > self.caps.nodes:
            message = f"the file holds more than {self.caps.nodes:,} values once its aliases are followed"
            raise Stop(self._problem("too-large", message, line, "split the file, or use fewer aliases"))

    def _problem(self, code: str, message: str, line: int, hint: str) -> Problem:
        return Problem(path=self.path, line=line, code=code, message=message, hint=hint)

    def _report(self, code: str, message: str, line: int, hint: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(self._problem(code, message, line, hint))


def _line_of(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _from_marked(path: str, error: Any) -> Problem:
    mark = error.problem_mark or error.context_mark
    said = f"{error.problem or error.context or 'it cannot be parsed'}"
    hint = next((hint for part, hint in _HINTS if part in said), "check this line and the one above it")
    return Problem(path=path, line=mark.line + 1 if mark else None, code="not-yaml", message=f"not YAML: {said}", hint=hint)


def _from_reader(path: str, data: bytes, error: yaml.reader.ReaderError) -> Problem:
    line = data.count(b"\n", 0, error.position) + 1
    hint = "remove the control characters; is this a text file?"
    return Problem(path=path, line=line, code="not-yaml", message=f"not YAML: {error.reason}", hint=hint)


def _duplicate_hint(line: int) -> str:
    return f"keep one of them; the first is on line {line}"


def _number(text: str) -> object:
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in {"0x", "0o"} else int(text)
    number = float(text) if _FLOAT.fullmatch(text) else math.inf
    return number if math.isfinite(number) else text
