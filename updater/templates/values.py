"""Python values for Go values: kinds, type names, truth, order, and structs.

=================== =========================== =========
here                in Go                       kind
=================== =========================== =========
str, bool, float    string, bool, float64       the same
int, `Int64`        int, int64                  the same
list                ``[]interface {}``          slice
`Strings`, `Ints`   ``[]string``, ``[]int``     slice
dict, `StringMap`   ``map[string]interface {}`` map
`Struct`            a struct                    struct
None                a nil interface             invalid
`NOTHING`           no value at all             invalid
=================== =========================== =========

Texts hold bytes that are no UTF-8 as lone surrogates (PEP 383), so that cutting a text by bytes, as Go
does, loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from types import NoneType
from typing import Any, Final

from updater.errors import TemplateError
from updater.templates.source import DATA

_MAX_DEPTH: Final = 64
_MISSING: Final = object()


class NoValue(Enum):
    """The missing value: the result of a key that a map lacks."""

    NOTHING = "<no value>"

    def __str__(self) -> str:
        return self.value


NOTHING: Final = NoValue.NOTHING


class Int64(int):
    """Go's int64, the result of sprig's arithmetic."""

    __slots__ = ()


class Strings(list[Any]):
    """Go's list of strings."""


class Ints(list[Any]):
    """Go's list of ints."""


class StringMap(dict[Any, Any]):
    """Go's map from string to string: `index` returns the empty text for a missing key."""


@dataclass(frozen=True, slots=True)
class Struct:
    """A value with named fields: naming one that it lacks is an error, unlike with a map.

    *fields* are pairs in order; a field that is callable is a method. *embedded* names fields whose own
    fields can be named directly. *text* is what printing gives instead of ``{a b}`` (Go's String method).
    *hints* says for a name that peers once had what to write today.
    """

    type_name: str
    fields: tuple[tuple[str, object], ...]
    embedded: frozenset[str] = frozenset()
    text: str | None = None
    hints: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def find(self, name: str) -> object:
        """Return the field or method *name*, its own or an embedded one's; raise `KeyError`."""
        for key, value in self.fields:
            if key == name:
                return value
        for key, value in self.fields:
            if key in self.embedded and isinstance(value, Struct):
                try:
                    return value.find(name)
                except KeyError:
                    continue
        raise KeyError(name)

    def names(self) -> list[str]:
        """Return every name that `find` knows."""
        inner = (value.names() for key, value in self.fields if key in self.embedded and isinstance(value, Struct))
        return [*(key for key, _ in self.fields), *(name for names in inner for name in names)]

    def shown(self) -> list[tuple[str, object]]:
        """Return the fields without methods."""
        return [(key, value) for key, value in self.fields if not callable(value)]


def thaw(value: object, depth: int = 0) -> object:
    """Copy *value* into the closed set of types above, so that no template can change what its caller holds.

    Any mapping becomes a map, any other sequence than a text a slice. Raise `TemplateError` for what has no place in a template.
    """
    if depth > _MAX_DEPTH:
        raise TemplateError("the data of a template is nested too deep", code=DATA)
    if isinstance(value, (bool, float, NoneType, NoValue, Int64)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Struct):
        return replace(value, fields=tuple((key, thaw(item, depth + 1)) for key, item in value.fields))
    return _thaw_container(value, depth)


def _thaw_container(value: object, depth: int) -> object:
    if isinstance(value, Mapping):
        kind = StringMap if isinstance(value, StringMap) else dict
        return kind((thaw(key, depth + 1), thaw(item, depth + 1)) for key, item in value.items())
    if isinstance(value, Sequence):
        known = type(value) if isinstance(value, (Strings, Ints)) else list
        return known(thaw(item, depth + 1) for item in value)
    if callable(value):
        return value
    raise TemplateError(f"a {type(value).__name__} cannot be shown to a template", code=DATA)


_TYPE_NAMES: Final[dict[type, tuple[str, str]]] = {
    str: ("string", "string"),
    bool: ("bool", "bool"),
    Int64: ("int64", "int64"),
    int: ("int", "int"),
    float: ("float64", "float64"),
    Strings: ("[]string", "slice"),
    Ints: ("[]int", "slice"),
    list: ("[]interface {}", "slice"),
    StringMap: ("map[string]string", "map"),
    dict: ("map[string]interface {}", "map"),
}


def type_name(value: object) -> str:
    """Return the name of the type as Go's ``%T`` does; ``<nil>`` for nothing."""
    if value is None or value is NOTHING:
        return "<nil>"
    if isinstance(value, Struct):
        return value.type_name
    return _TYPE_NAMES[type(value)][0] if type(value) in _TYPE_NAMES else "func()"


def kind_name(value: object) -> str:
    """Return the name of the kind as Go's reflection does; ``invalid`` for nothing."""
    if value is None or value is NOTHING:
        return "invalid"
    if isinstance(value, Struct):
        return "ptr" if value.type_name.startswith("*") else "struct"
    return _TYPE_NAMES[type(value)][1] if type(value) in _TYPE_NAMES else "func"


def is_true(value: object) -> bool:
    """Return whether a value counts as true: not zero, not empty, not nil; a struct always does."""
    if value is NOTHING:
        return False
    return isinstance(value, Struct) or bool(value)


def is_empty(value: object) -> bool:
    """Return whether a value counts as empty for sprig, which agrees with `is_true`."""
    return not is_true(value)


def is_number(value: object) -> bool:
    """Return whether a value is an int of either kind (a bool is none)."""
    return isinstance(value, int) and not isinstance(value, bool)


def sorted_items(value: dict[object, object]) -> list[tuple[object, object]]:
    """Return the entries in the order in which Go ranges over and prints a map."""
    return sorted(value.items(), key=lambda pair: order_key(pair[0]))


def order_key(key: object) -> tuple[int, Any]:
    """Return what map keys are sorted by: nil, bools, numbers, texts, then structs field by field."""
    if key is None:
        return (0, 0)
    if isinstance(key, bool):
        return (1, key)
    if isinstance(key, (int, float)):
        return (2, key)
    if isinstance(key, str):
        return (3, key)
    assert isinstance(key, Struct)  # noqa: S101 - nothing else can be a key: `thaw` and `dict` make only these
    return (4, [order_key(value) for _, value in key.shown()])


def octets(text: str) -> bytes:
    """Return the bytes of a text as Go holds it."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def from_octets(data: bytes) -> str:
    """Return the text of bytes; those that are no UTF-8 stay what they are."""
    return data.decode("utf-8", "surrogateescape")


def freeze(value: object) -> object:
    """Return a hashable twin of *value*: two values have equal twins when Go finds them deeply equal."""
    if isinstance(value, list):
        return (type_name(value), tuple(freeze(item) for item in value))
    if isinstance(value, dict):
        return (type_name(value), frozenset((freeze(key), freeze(item)) for key, item in value.items()))
    if isinstance(value, Struct):
        return (value.type_name, tuple((key, freeze(item)) for key, item in value.shown()))
    return (type_name(value), value)
