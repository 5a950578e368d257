"""The functions that every Go template has.

Source: https://pkg.go.dev/text/template, "Functions". ``and`` and ``or`` are the evaluator's, as they do not
always evaluate their arguments; ``call`` is refused, as nothing here is a function value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

from updater.templates.formats import sprintf
from updater.templates.functions.faults import fault
from updater.templates.functions.signature import Function, declare
from updater.templates.printing import sprint, sprintln
from updater.templates.values import NOTHING, StringMap, Struct, from_octets, is_true, octets, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_HTML: Final = {'"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\ufffd"}
_SCRIPT: Final = {
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
    "=": "\\u003D",
}


def _basic_kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "string" if isinstance(value, str) else ""


def _equal(first: object, *others: object) -> bool:
    if not others:
        raise fault("eq wants something to compare with")
    return any(_is_equal(first, other) for other in others)


def _is_equal(first: object, second: object) -> bool:
    kind = _basic_kind(first)
    if kind != _basic_kind(second):
        if first is not None and second is not None:
            raise _incompatible(first, second)
        return False
    if kind or isinstance(first, Struct) or first is None or second is None:
        return first is second if first is None or second is None else bool(first == second)
    raise fault(f"a {type_name(second)} cannot be compared", hint="compare its items, or its len")


def _incompatible(first: object, second: object) -> Exception:
    return fault(f"{type_name(first)} and {type_name(second)} cannot be compared", hint="convert one of them: int, toString")


def _not_equal(first: object, second: object) -> bool:
    return not _is_equal(first, second)


def _less(first: object, second: object) -> bool:
    kind = _basic_kind(first)
    for value in (first, second):
        if _basic_kind(value) in {"", "bool"}:
            raise fault(f"a {type_name(value)} has no order", hint="only numbers and strings are more or less than others")
    if kind != _basic_kind(second):
        raise _incompatible(first, second)
    return bool(first < second)  # type: ignore[operator] # both are numbers, or both texts


def _less_or_equal(first: object, second: object) -> bool:
    return _less(first, second) or _is_equal(first, second)


def _index(item: object, *indexes: object) -> object:
    if item is None:
        raise fault("index of nothing", hint="test it first: {{ if .X }}{{ index .X 0 }}{{ end }}")
    for index in indexes:
        item = _item(item, index)
    return item


def _item(item: object, index: object) -> object:
    if isinstance(item, dict):
        return _entry(item, index)
    if isinstance(item, str):
        data = octets(item)
        return data[_position(index, len(data) - 1)]
    if isinstance(item, list):
        return item[_position(index, len(item) - 1)]
    raise fault(f"a {type_name(item)} has no index")


def _entry(item: dict[object, object], key: object) -> object:
    is_text = all(isinstance(known, str) for known in item)
    if (is_text and not isinstance(key, str)) or not isinstance(key, (str, int, float, Struct)):
        raise fault(f"a {type_name(key)} is not a key of this map")
    return item.get(key, "" if isinstance(item, StringMap) else None)


def _position(index: object, last: int) -> int:
    if not isinstance(index, int) or isinstance(index, bool):
        raise fault(f"a {type_name(index)} is not an index")
    if not 0 <= index <= last:
        raise fault(f"index out of range: {index}")
    return int(index)


def slice_text(item: str, *indexes: object) -> str:
    """Cut a text by bytes: ``slice x 1 2`` is Go's ``x[1:2]``; raise `TemplateError`."""
    data = octets(item)
    if len(indexes) > 2:
        raise fault("a string is sliced by at most 2 indexes")
    bounds = [_position(index, len(data)) for index in indexes]
    start = bounds[0] if bounds else 0
    end = bounds[1] if len(bounds) > 1 else len(data)
    if start > end:
        raise fault(f"slice from {start} to {end}")
    return from_octets(data[start:end])


def _length(item: object) -> int:
    if isinstance(item, str):
        return len(octets(item))
    if isinstance(item, (list, dict)):
        return len(item)
    raise fault(f"a {type_name(item)} has no len")


def _joined(*values: object) -> str:
    return sprint([NOTHING.value if value is NOTHING or value is None else value for value in values])


def _script(*values: object) -> str:
    return "".join(_script_character(char) for char in _joined(*values))


def _script_character(char: str) -> str:
    if char in _SCRIPT:
        return _SCRIPT[char]
    return char if char.isprintable() or char == "\x7f" else f"\\u{ord(char):04X}"


def _html(*values: object) -> str:
    return "".join(_HTML.get(char, char) for char in _joined(*values))


STANDARD: Final[Mapping[str, Function]] = {
    "eq": declare(_equal, "aa*"),
    "ne": declare(_not_equal, "aa"),
    "lt": declare(_less, "aa"),
    "le": declare(_less_or_equal, "aa"),
    "gt": declare(lambda first, second: not _less_or_equal(first, second), "aa"),
    "ge": declare(lambda first, second: not _less(first, second), "aa"),
    "not": declare(lambda value: not is_true(value), "a"),
    "index": declare(_index, "aa*"),
    "len": declare(_length, "a"),
    "print": declare(lambda *values: sprint(values), "a*", deep=True),
    "println": declare(lambda *values: sprintln(values), "a*", deep=True),
    "printf": declare(lambda form, *values: sprintf(form, values), "sa*", deep=True),
    "html": declare(_html, "a*", deep=True),
    "js": declare(_script, "a*", deep=True),
    "urlquery": declare(lambda *values: quote_plus(octets(_joined(*values))), "a*", deep=True),
}
