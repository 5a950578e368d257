"""Read settings from environment variables.

The rule: below the prefix ``UPDATER_`` every name that holds ``__`` is the path of a setting (``UPDATER_GIT__AUTHOR__NAME`` is
``git.author.name``), and an unknown path is an error. A name without ``__`` is a setting only if it is a key of the first level
that is no map and no list of maps (``UPDATER_INTERVAL``); every other one belongs to somebody else: Kubernetes itself sets
``UPDATER_SERVICE_HOST`` for a Service of the name updater.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from updater.documents import Mark, plain_scalar, read_yaml
from updater.model.problem import Problem
from updater.settings.fields import nearest
from updater.settings.problems import trees_of
from updater.settings.tree import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

PREFIX: Final = "UPDATER_"


def read_environment(environ: Mapping[str, str]) -> tuple[dict[str, Any], Mark, list[Problem]]:
    """Return the settings that *environ* holds as nested maps, their marks, and what is wrong with their names."""
    value: dict[str, Any] = {}
    mark = Mark(0, "the environment", {})
    problems: list[Problem] = []
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        place = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
        if len(place) == 1 and not _is_plain(Settings, place[0]):
            continue
        problem = _refusal(name, place)
        if problem:
            problems.append(problem)
        else:
            _put(value, mark, place, name, _typed(place, environ[name]))
    return value, mark, problems


def _refusal(name: str, place: tuple[str, ...]) -> Problem | None:
    """Return why *place* is no setting that a variable can hold; None if it is one."""
    tree: type[BaseModel] = Settings
    for depth, part in enumerate(place):
        if part not in tree.model_fields:
            near = nearest(part, list(tree.model_fields))
            return Problem(path=name, code="unknown-key", message=f"{'.'.join(place)} is not a setting", hint=near)
        below = list(trees_of(tree.model_fields[part].annotation))
        is_last = depth == len(place) - 1
        if _is_list(tree, part) and (below or not is_last):
            hint = f"write {'.'.join(place[: depth + 1])} in a configuration file"
            return Problem(path=name, code="unknown-key", message="a variable cannot reach into a list", hint=hint)
        if is_last and below:
            hint = f"set one of its keys: {', '.join(below[0].model_fields)}"
            return Problem(path=name, code="wrong-type", message=f"{'.'.join(place)} is a map", hint=hint)
        if not is_last and not below:
            return Problem(
                path=name, code="unknown-key", message=f"{'.'.join(place)} is not a setting", hint=f"{part} has no keys"
            )
        tree = below[0] if below else tree
    return None


def _typed(place: tuple[str, ...], text: str) -> object:
    """Read *text* as a YAML scalar where the setting is no text; a list is written as ``["a", "b"]``."""
    tree: type[BaseModel] = Settings
    for part in place[:-1]:
        tree = next(trees_of(tree.model_fields[part].annotation))
    scalar = plain_scalar(text.strip())
    if scalar is None and type(None) in get_args(tree.model_fields[place[-1]].annotation):
        return None
    if _is_list(tree, place[-1]):
        found = read_yaml("", text.encode(errors="replace"))
        return found.documents[0].value if found.documents and not found.problems else text
    return scalar if isinstance(scalar, bool) else text


def _put(value: dict[str, Any], mark: Mark, place: tuple[str, ...], name: str, typed: object) -> None:
    for part in place[:-1]:
        value = value.setdefault(part, {})
        assert isinstance(mark.below, dict)  # noqa: S101 - made here, and only of maps
        mark = mark.below.setdefault(part, Mark(0, name, {}))
    assert isinstance(mark.below, dict)  # noqa: S101
    value[place[-1]] = typed
    mark.below[place[-1]] = Mark(0, name)


def _is_plain(tree: type[BaseModel], name: str) -> bool:
    return name in tree.model_fields and not any(trees_of(tree.model_fields[name].annotation))


def _is_list(tree: type[BaseModel], name: str) -> bool:
    annotation = tree.model_fields[name].annotation
    return "tuple" in str(annotation)
