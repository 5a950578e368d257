"""The document type: a value, the line of each of its parts, and the limits for reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from updater.errors import ConfigError
from updater.model.problem import Problem
from updater.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """The limits for reading: bytes, levels, and values after resolving every alias."""

    size: int = 16 * 1024 * 1024
    depth: int = 100
    nodes: int = 1_000_000


DEFAULT_CAPS: Final = DocumentLimits()


@dataclass(slots=True)
class Mark:
    """The position of a value: 1-based line of its key (or of the value in a list), the file, and the marks below it."""

    line: int
    path: str = ""
    below: dict[str, Mark] | list[Mark] | None = None

    def find(self, place: Sequence[str | int]) -> Mark:
        """Return the mark of *place*, or of the nearest value above it that exists."""
        mark = self
        for part in place:
            following = mark._step(part)
            if following is None:
                break
            mark = following
        return mark

    def _step(self, part: str | int) -> Mark | None:
        if isinstance(self.below, dict):
            return self.below.get(str(part))
        if isinstance(self.below, list) and isinstance(part, int) and 0 <= part < len(self.below):
            return self.below[part]
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document: its value (dict, list, str, int, float, bool or None; keys are always text) and its marks."""

    value: Any
    mark: Mark

    def line_of(self, place: Sequence[str | int]) -> int:
        """Return the 1-based line of *place*, such as ``("spec", "images", 0)``, or of what is nearest above it."""
        return self.mark.find(place).line


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """The readable documents of a file, and all its problems. *is_broken*: reading stopped early."""

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_broken: bool = False


def read_bytes(path: Path, *, caps: DocumentLimits = DEFAULT_CAPS) -> bytes:
    """Read a file, at most the size that *caps* allow and one byte; raise `ConfigError`."""
    try:
        with path.open("rb") as file:
            return file.read(caps.size + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file", hint="check the spelling of the path", path=str(path)) from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: this is a folder", hint="name a file in it", path=str(path)) from None
    except (OSError, ValueError) as error:
        reason = reason_of(error)
        raise ConfigError(f"{path}: cannot be read: {reason}", hint="check its permissions", path=str(path)) from None


def as_error(problems: Sequence[Problem]) -> ConfigError:
    """Make one `ConfigError` of *problems*: its text is the first one, its `problems` are all."""
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ConfigError(f"{first}{more}", hint=first.hint, code=first.code, path=first.path, problems=tuple(problems))


class Stop(Exception):  # noqa: N818 - not an error of its own: it carries the problem out of the recursion
    """Stop reading a file because of *problem*. Never leaves this package."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def checked(path: str, data: bytes, caps: DocumentLimits) -> bytes:
    """Return *data* without a byte order mark, if it is UTF-8 and small enough."""
    if len(data) > caps.size:
        message = f"the file is larger than {caps.size:,} bytes"
        raise Stop(Problem(path=path, code="too-large", message=message, hint="split it into several files"))
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Stop(
            Problem(path=path, line=line, code="not-utf8", message="the file is not UTF-8", hint="save it as UTF-8")
        ) from None
    return data.removeprefix(b"\xef\xbb\xbf")


def too_deep(path: str, line: int | None, caps: DocumentLimits) -> Problem:
    """Return that the text is nested deeper than *caps* allow."""
    message = f"values are nested deeper than {caps.depth} levels"
    return Problem(path=path, line=line, code="too-deep", message=message, hint="no file that people write is nested so deep")
