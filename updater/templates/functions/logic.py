"""Sprig's defaults, choices and questions about kinds.

Source: https://masterminds.github.io/sprig/defaults.html, flow_control.html, reflection.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from updater.templates.functions.faults import fault
from updater.templates.functions.signature import Function, declare
from updater.templates.source import FAILED
from updater.templates.values import freeze, is_empty, kind_name, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping


def _default(fallback: object, *given: object) -> object:
    return fallback if not given or is_empty(given[0]) else given[0]


def _fail(message: str) -> NoReturn:
    raise fault(message, hint="the template calls its function fail", code=FAILED)


def _type_is_like(name: str, value: object) -> bool:
    return type_name(value) in {name, f"*{name}"}


LOGIC: Final[Mapping[str, Function]] = {
    "all": declare(lambda *values: not any(map(is_empty, values)), "a*"),
    "any": declare(lambda *values: not all(map(is_empty, values)), "a*"),
    "coalesce": declare(lambda *values: next((value for value in values if not is_empty(value)), None), "a*"),
    "deepEqual": declare(lambda first, second: freeze(first) == freeze(second), "aa", deep=True),
    "default": declare(_default, "aa*"),
    "empty": declare(is_empty, "a"),
    "fail": declare(_fail, "s"),
    "kindIs": declare(lambda name, value: kind_name(value) == name, "sa"),
    "kindOf": declare(kind_name, "a"),
    "ternary": declare(lambda yes, no, is_yes: yes if is_yes else no, "aab"),
    "typeIs": declare(lambda name, value: type_name(value) == name, "sa"),
    "typeIsLike": declare(_type_is_like, "sa"),
    "typeOf": declare(type_name, "a"),
}
