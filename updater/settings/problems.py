"""Report problems of settings: each error of pydantic becomes a `Problem` with file, line and hint.

A value is never repeated here: it may be a secret that stands at the wrong key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel

from updater.model.problem import Problem
from updater.settings.fields import NAMES, nearest
from updater.settings.node import descriptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import ValidationError

    from updater.documents import Mark

_WANTED: Final = {
    "model_type": "a map",
    "model_attributes_type": "a map",
    "dict_type": "a map",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
}
_BOUNDS: Final = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}


def dotted(place: Sequence[str | int]) -> str:
    """Write a place as people read it, ``subscriptions[0].policy.semver.range``."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else repr(part)
            text += f".{shown}" if text else shown
    return text


def problem_at(mark: Mark, place: Sequence[str | int], code: str, message: str, hint: str = "") -> Problem:
    """Make a problem of what is wrong at *place*, with the file and line where it stands."""
    found = mark.find(place)
    shown = dotted(place)
    said = f"{shown}: {message}" if shown else message
    return Problem(path=found.path, line=found.line or None, code=code, message=said, hint=hint)


def problems_of(error: ValidationError, mark: Mark, tree: type[BaseModel]) -> list[Problem]:
    """Return every problem of *error*, in its order."""
    return [problem for detail in error.errors(include_url=False) for problem in _problems(detail, mark, tree)]


def in_order(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return *problems* once each, by file and line."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.path, problem.line or 0)))


def _problems(detail: Any, mark: Mark, tree: type[BaseModel]) -> Iterator[Problem]:
    place, kind, context = tuple(detail["loc"]), detail["type"], detail.get("ctx", {})
    if kind == "setting":
        for below, code, message, hint in context["flaws"]:
            yield problem_at(mark, (*place, *below), code, message, hint)
        return
    code, message, hint = _said(kind, place, context, detail["input"], tree)
    yield problem_at(mark, place, code, message, hint)


def _said(kind: str, place: tuple[str | int, ...], context: Any, value: object, tree: type[BaseModel]) -> tuple[str, str, str]:
    if kind == "extra_forbidden":
        known = list(_tree_at(tree, place[:-1]).model_fields)
        what = "source" if len(place) == 3 and place[0] == "sources" else "key"
        return "unknown-key", f"this {what} is not known", nearest(str(place[-1]), known)
    if kind == "missing":
        return "missing-key", "this key is missing", _description(_tree_at(tree, place[:-1]), str(place[-1]))
    if kind in {"enum", "literal_error"}:
        known = [text.strip("' ") for text in re.split(r",| or ", str(context["expected"]))]
        return "bad-value", f"expected {' or '.join(known)}", nearest(value, known) if isinstance(value, str) else ""
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return "bad-value", f"expected {words} {context[bound]}", ""
    given = "nothing" if value is None else NAMES.get(type(value).__name__, type(value).__name__)
    wanted = _WANTED.get(kind, "something else")
    return "wrong-type", f"expected {wanted}, got {given}", "put it in quotes" if wanted == "text" else ""


def _tree_at(tree: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel]:
    """Return the part of the settings that stands at *place*; a list's index changes nothing."""
    for part in place:
        if isinstance(part, str):
            tree = next(trees_of(tree.model_fields[part].annotation), tree)
    return tree


def trees_of(annotation: object) -> Iterator[type[BaseModel]]:
    """Return the parts of the settings that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from trees_of(argument)


def _description(tree: type[BaseModel], name: str) -> str:
    return descriptions(tree).get(name, "")
