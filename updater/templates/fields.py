"""Evaluate ``.Name``: a field of a struct, an entry of a map, or the result of a method.

Source: https://pkg.go.dev/text/template, "Arguments"
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from updater.errors import TemplateError
from updater.templates.source import DATA, REMOVED
from updater.templates.values import NOTHING, Struct, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.templates.source import TemplateSource


class Fields:
    """Find fields; an error has the position of the field's name."""

    def __init__(self, source: TemplateSource) -> None:
        self._source = source

    def get(self, position: int, value: object, name: str, given: list[object] | None = None) -> object:
        """Return the field *name* of *value*, or what the method of that name makes of *given*; raise `TemplateError`."""
        if value is NOTHING:
            return NOTHING
        if value is None:
            self._source.stop(
                position, f".{name} of nothing", hint=f"test it first: {{{{ with … }}}}{{{{ .{name} }}}}{{{{ end }}}}"
            )
        found = self._look_up(position, value, name)
        if callable(found):
            return self._method(position, name, found, given or [])
        if given:
            self._source.stop(position, f".{name} is not a method, but is given arguments")
        return found

    def _look_up(self, position: int, value: object, name: str) -> object:
        if isinstance(value, Struct):
            try:
                return value.find(name)
            except KeyError:
                code = REMOVED if name in value.hints else DATA
                message = f"can't evaluate field {name} in type {value.type_name}"
                self._source.stop(position, message, hint=_field_hint(value, name), code=code)
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return value.get(name, NOTHING)
        return self._source.stop(position, f"can't evaluate field {name} in type {type_name(value)}")

    def _method(self, position: int, name: str, method: Callable[..., object], given: list[object]) -> object:
        try:
            return method(*(None if value is NOTHING else value for value in given))
        except TemplateError as error:
            raise self._source.fault(position, f"{name}: {error.message}", hint=error.hint, code=error.code) from None
        except (TypeError, ValueError) as error:
            raise self._source.fault(position, f"{name} does not take these arguments", code=DATA) from error


def _field_hint(value: Struct, name: str) -> str:
    if name in value.hints:
        return value.hints[name]
    names = value.names()
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean .{close[0]}?" if close else "its fields are " + ", ".join(f".{known}" for known in names)
