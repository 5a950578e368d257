"""Read files and the environment as one tree of settings, and report all problems at once.

Files merge in order: maps deep, lists and values replace; the environment comes last. A path in a file is
relative to the folder of that file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from updater.documents import Mark, as_error, read_bytes, read_yaml
from updater.errors import ConfigError
from updater.model.problem import Problem
from updater.settings.environment import read_environment
from updater.settings.problems import in_order, problem_at, problems_of
from updater.settings.registries_conf import entries_of_file, is_registries_conf, remarks_on
from updater.settings.tree import DEFAULT_HOLDS, DEFAULT_STATE, Settings
from updater.settings.values import CONFIG_MAP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from updater.registry.endpoints import RegistryEntry

DEFAULT_FILES: Final = ("updater.yaml", "/etc/updater/updater.yaml")
_FILE_SETTINGS: Final[tuple[tuple[str, ...], ...]] = (
    ("state",),
    ("registries_conf",),
    ("docker_config",),
    ("registries", "*", "ca"),
    ("registries", "*", "client_certificate"),
    ("git", "repositories", "*", "ca"),
    ("git", "repositories", "*", "client_certificate"),
    ("git", "repositories", "*", "known_hosts"),
    ("holds",),
)
_LOCAL_URLS: Final[tuple[tuple[str, ...], ...]] = (
    ("git", "repositories", "*", "prefix"),
    ("subscriptions", "*", "targets", "*", "git", "url"),
)


@dataclass(slots=True)
class _Gathered:
    """What was read so far: the merged value, where each part stands, and what is wrong."""

    value: dict[str, Any] = field(default_factory=dict)
    mark: Mark = field(default_factory=lambda: Mark(0, "", {}))
    problems: list[Problem] = field(default_factory=list)
    entries: list[RegistryEntry] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)


def find_files(paths: Sequence[Path], *, folder: Path | None = None) -> tuple[Path, ...]:
    """Return *paths*, or without any the first of ./updater.yaml and /etc/updater/updater.yaml; raise `ConfigError`."""
    if paths:
        return tuple(paths)
    for name in DEFAULT_FILES:
        path = (folder / name) if folder else Path(name)
        if path.is_file():
            return (path,)
    raise ConfigError(
        f"there is no configuration: neither {DEFAULT_FILES[0]} here nor {DEFAULT_FILES[1]}",
        hint="name one with -c FILE, or write a first one with updater init",
        code="no-configuration",
    )


def load_settings(paths: Sequence[Path], environ: Mapping[str, str]) -> Settings:
    """Read the configuration files and the variables of *environ*.

    Raises `ConfigError` whose `problems` are everything that is wrong, each with file, line and hint.
    """
    return build_settings([(str(path), read_bytes(path)) for path in find_files(paths)], environ)


def build_settings(files: Sequence[tuple[str, bytes]], environ: Mapping[str, str]) -> Settings:
    """Make the settings of named bytes; as `load_settings`, but for text that was read already."""
    gathered = _Gathered()
    home = environ.get("HOME") or str(Path.home())
    for path, data in files:
        _gather(gathered, path, data, home)
    value, mark, problems = read_environment(environ)
    _resolve_all(value, Path(), home)
    gathered.problems += problems
    gathered.value, gathered.mark = merge(gathered.value, gathered.mark, value, mark)
    gathered.value.setdefault("state", _resolved(DEFAULT_STATE, Path(), home))
    gathered.value.setdefault("holds", _resolved(DEFAULT_HOLDS, Path(files[0][0] if files else ".").parent, home))
    _follow_registries_conf(gathered)
    gathered.problems += _duplicates(gathered)
    settings = _validate(gathered)
    if settings is None or gathered.problems:
        raise as_error(in_order(gathered.problems))
    return settings


def _gather(gathered: _Gathered, path: str, data: bytes, home: str) -> None:
    found = read_yaml(path, data)
    gathered.files.append(path)
    if not found.is_broken and len(found.documents) == 1 and is_registries_conf(found.documents[0].value):
        _take_registries_conf(gathered, path, data)
        return
    gathered.problems += found.problems
    if len(found.documents) > 1:
        hint = "put each part into a file of its own and name them all by -c"
        line = found.documents[1].mark.line
        gathered.problems.append(
            Problem(path=path, line=line, code="documents", message="a second document begins here", hint=hint)
        )
    for document in found.documents[:1]:
        if isinstance(document.value, dict):
            value = _copied(document.value)
            _resolve_all(value, Path(path).parent, home)
            gathered.value, gathered.mark = merge(gathered.value, gathered.mark, value, document.mark)
        elif document.value is not None:
            hint = "a configuration begins with keys, such as subscriptions:"
            gathered.problems.append(Problem(path=path, line=1, code="wrong-type", message="expected a mapping", hint=hint))


def merge(below: Any, below_mark: Mark, above: Any, above_mark: Mark) -> tuple[Any, Mark]:
    """Lay *above* over *below*: maps merge deep, everything else replaces. Return the value and its marks."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above, above_mark
    old, new = below_mark.below, above_mark.below
    values, marks = dict(below), dict(old) if isinstance(old, dict) else {}
    for key, value in above.items():
        mark = new.get(key, above_mark) if isinstance(new, dict) else above_mark
        values[key], marks[key] = merge(values[key], marks.get(key, mark), value, mark) if key in values else (value, mark)
    return values, Mark(above_mark.line or below_mark.line, above_mark.path if above_mark.line else below_mark.path, marks)


def _resolve_all(value: Any, folder: Path, home: str) -> None:
    """Make every path in *value* start at *folder*, and ``~`` at *home*; in place."""
    for place in _FILE_SETTINGS:
        _each(value, place, lambda text: _resolved(text, folder, home))
    for place in _LOCAL_URLS:
        _each(value, place, lambda text: _local_url(text, folder, home))


def _each(value: Any, place: tuple[str, ...], change: Callable[[str], str]) -> None:
    head, rest = place[0], place[1:]
    if head == "*":
        for entry in value if isinstance(value, list) else ():
            _each(entry, rest, change)
    elif isinstance(value, dict) and head in value:
        if rest:
            _each(value[head], rest, change)
        elif isinstance(value[head], str) and value[head]:
            value[head] = change(value[head])


def _copied(value: Any) -> Any:
    """Copy maps and lists: what an anchor names stands at several places, and is changed at one."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _resolved(text: str, folder: Path, home: str) -> str:
    if text.startswith(CONFIG_MAP):
        return text
    path = Path(home, *Path(text).parts[1:]) if text.partition("/")[0] == "~" else folder / text
    return str(path)


def _local_url(text: str, folder: Path, home: str) -> str:
    is_local = text in {".", "..", "~"} or text.startswith(("./", "../", "~/"))
    if not is_local or "\x00" in text:
        return text
    # only the text is made absolute: symlinks are followed when the repository is opened
    return os.path.normpath(Path.cwd() / _resolved(text, folder, home))


def _follow_registries_conf(gathered: _Gathered) -> None:
    path = gathered.value.get("registries_conf")
    if not isinstance(path, str) or not path:
        return
    try:
        data = read_bytes(Path(path))
    except ConfigError as error:
        gathered.problems.append(problem_at(gathered.mark, ("registries_conf",), error.code, error.message, error.hint))
        return
    _take_registries_conf(gathered, path, data)
    gathered.files.append(path)


def _take_registries_conf(gathered: _Gathered, path: str, data: bytes) -> None:
    entries, problems = entries_of_file(path, data)
    gathered.entries += entries
    gathered.problems += problems
    gathered.remarks += () if problems else remarks_on(path, data)


def _duplicates(gathered: _Gathered) -> Iterator[Problem]:
    """Return which entries of a list have the key of an earlier one; found even where other things are wrong."""
    for place, name in ((("subscriptions",), "key"), (("registries",), "prefix"), (("git", "repositories"), "prefix")):
        value: Any = gathered.value
        for part in place:
            value = value.get(part) if isinstance(value, dict) else None
        seen: dict[str, int] = {}
        for index, entry in enumerate(value if isinstance(value, list) else ()):
            text = entry.get(name) if isinstance(entry, dict) else None
            if not isinstance(text, str):
                continue
            if text in seen:
                first = gathered.mark.find((*place, seen[text], name)).line
                message = f"the {name} {text!r} is defined twice"
                yield problem_at(gathered.mark, (*place, index, name), "duplicate", message, f"the first is on line {first}")
            seen.setdefault(text, index)


def _validate(gathered: _Gathered) -> Settings | None:
    try:
        settings = Settings.model_validate(gathered.value)
    except ValidationError as error:
        gathered.problems += problems_of(error, gathered.mark, Settings)
        return None
    settings._foreign_registries = tuple(gathered.entries)  # noqa: SLF001 - what the files said besides the tree
    settings._files = tuple(gathered.files)  # noqa: SLF001
    settings._remarks = tuple(gathered.remarks)  # noqa: SLF001
    settings._lines = tuple(_lines(gathered, len(settings.subscriptions)))  # noqa: SLF001
    gathered.problems += _registry_problems(settings, gathered)
    return settings


def _registry_problems(settings: Settings, gathered: _Gathered) -> Iterator[Problem]:
    from updater.registry.endpoints import RegistryTable  # noqa: PLC0415 - beside its use

    if gathered.problems:
        return
    try:
        RegistryTable(settings.registry_entries)
    except ConfigError as error:
        yield problem_at(gathered.mark, ("registries",), error.code, error.message, error.hint)


def _lines(gathered: _Gathered, count: int) -> Iterator[tuple[str, int | None]]:
    for index in range(count):
        mark = gathered.mark.find(("subscriptions", index))
        yield mark.path, mark.line or None
