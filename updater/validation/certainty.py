"""Which flaws of a file are known here, and which only what completes the file decides: kustomize, Helm, a substitution."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from updater.errors import ConfigError
from updater.model.problem import Problem
from updater.validation.kustomizations import Kustomizations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

NOT_KNOWN: Final = "not-known"
UNKNOWN_KEY: Final = "unknown-key"
_MISSING: Final = "missing-key"
#: as Flux and envsubst write them: ${VAR}, ${VAR:=default}; never the ${1} of a regular expression
_BRACED: Final = re.compile(rb"[A-Za-z_][^}\n]*+\}")
_TEMPLATE: Final = re.compile(rb"\{\{|\{%")
_OF_EXTRACT: Final = "extract"


class Certainty:
    """Sorts flaws of the files of one tree; *files* are all of them, and *read* gives their bytes."""

    def __init__(self, files: Sequence[Path], read: Callable[[Path], bytes]) -> None:
        self._read = read
        self._lines: dict[str, list[bytes]] = {}
        self.kustomizations = Kustomizations(files, read)

    def split(self, problems: Iterable[Problem]) -> tuple[list[Problem], list[Problem]]:
        """Return what is wrong, and what is not known here; of a template only that it is one."""
        wrong: list[Problem] = []
        unknown: list[Problem] = []
        for problem in problems:
            if self._is_template(problem):
                message = "this is a template: what it becomes is not known here"
                unknown.append(Problem(path=problem.path, code=NOT_KNOWN, message=message))
            else:
                (unknown if self._is_open(problem) else wrong).append(problem)
        return wrong, list(dict.fromkeys(unknown))

    def _is_open(self, problem: Problem) -> bool:
        """Return whether something besides the file may still decide it."""
        if self._has_placeholder(problem):
            return True
        place = problem.message.partition(":")[0].split(".")
        if problem.code == UNKNOWN_KEY:
            return place[-1].startswith("$")  # a directive of a patch
        path = Path(problem.path)
        if self.kustomizations.is_fragment(path):
            return True
        touched = self.kustomizations.touched(path)
        if touched is None:
            return False
        return problem.code == _MISSING or bool(problem.origin) or "*" in touched or not touched.isdisjoint(place)

    def _has_placeholder(self, problem: Problem) -> bool:
        lines = self._lines_of(problem.path)
        if problem.code in {"conflict", "alias"}:  # two places that are one until they are filled in; a list that is not read
            return any(map(_has_placeholder, lines))
        line = lines[problem.line - 1] if problem.line and problem.line <= len(lines) else b""
        return _has_placeholder(line) and _OF_EXTRACT not in problem.message

    def _is_template(self, problem: Problem) -> bool:
        if is_chart_template(Path(problem.path)):
            return True
        return problem.code == "not-yaml" and any(map(_TEMPLATE.search, self._lines_of(problem.path)))

    def _lines_of(self, path: str) -> list[bytes]:
        if path not in self._lines:
            try:
                self._lines[path] = self._read(Path(path)).split(b"\n")
            except (ConfigError, OSError):
                self._lines[path] = []
        return self._lines[path]


def is_chart_template(file: Path) -> bool:
    """Return whether *file* is among the templates of a Helm chart."""
    return any(folder.name == "templates" and (folder.parent / "Chart.yaml").is_file() for folder in file.parents)


def _has_placeholder(line: bytes) -> bool:
    """Return whether a line holds ``${NAME}`` or ``${NAME:=default}``, which a substitution fills in."""
    return any(_BRACED.match(piece) for piece in line.split(b"${")[1:])
