"""Write and read JSON as Go does.

Source: https://pkg.go.dev/encoding/json, `Marshal`, `Unmarshal`; https://masterminds.github.io/sprig/defaults.html
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Final, NoReturn

from updater.templates.functions.faults import fault
from updater.templates.functions.signature import Function, declare
from updater.templates.numerals import json_number
from updater.templates.values import NOTHING, Struct, from_octets, octets, sorted_items, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_LINE_ENDS: Final = {"\u2028": "\\u2028", "\u2029": "\\u2029"}
_BROKEN: Final = re.compile("[\udc80-\udcff]")


def _text(value: str, *, escapes: bool) -> str:
    made = _BROKEN.sub(r"\\ufffd", json.dumps(from_octets(octets(value)), ensure_ascii=False))
    for char, written in {**_LINE_ENDS, **(_ESCAPES if escapes else {})}.items():
        made = made.replace(char, written)
    return made


def _write(value: object, *, escapes: bool = True, indent: str = "", end: str = "") -> str:
    """Write *value*; *indent* is one level of a pretty text, *end* what stands before the closing bracket."""
    if value is None or value is NOTHING:
        return "null"
    if isinstance(value, str):
        return _text(value, escapes=escapes)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no JSON")
        return json_number(value)
    if isinstance(value, list):
        items = [_write(item, escapes=escapes, indent=indent, end=_deeper(end, indent)) for item in value]
        return _bracket("[]", items, indent=indent, end=end)
    colon, deeper = ": " if indent else ":", _deeper(end, indent)
    pairs = [
        f"{_text(key, escapes=escapes)}{colon}{_write(item, escapes=escapes, indent=indent, end=deeper)}"
        for key, item in _entries(value)
    ]
    return _bracket("{}", pairs, indent=indent, end=end)


def _entries(value: object) -> list[tuple[str, object]]:
    if isinstance(value, Struct):
        return value.shown()
    if isinstance(value, dict) and all(isinstance(key, (str, int)) for key in value):
        return [(str(key), item) for key, item in sorted_items(value)]
    raise ValueError(f"a {type_name(value)} has no JSON")


def _deeper(end: str, indent: str) -> str:
    return (end or "\n") + indent if indent else ""


def _bracket(marks: str, parts: list[str], *, indent: str, end: str) -> str:
    if not parts or not indent:
        return marks[0] + ",".join(parts) + marks[1]
    line = _deeper(end, indent)
    return marks[0] + line + f",{line}".join(parts) + (end or "\n") + marks[1]


def _write_or_nothing(value: object, *, escapes: bool = True, indent: str = "") -> str:
    try:
        return _write(value, escapes=escapes, indent=indent)
    except ValueError:
        return ""


def _write_or_fail(value: object, *, escapes: bool = True, indent: str = "") -> str:
    try:
        return _write(value, escapes=escapes, indent=indent)
    except ValueError as error:
        raise fault(str(error)) from error


def _read(text: str) -> object:
    whole = octets(text).decode("utf-8", "replace")
    return _plain(json.loads(whole, parse_int=_finite, parse_float=_finite, parse_constant=_refuse))


def _read_or_fail(text: str) -> object:
    try:
        return _read(text)
    except (ValueError, RecursionError) as error:
        raise fault("the text is not JSON", hint="print it with {{ . }}") from error


def _read_or_nothing(text: str) -> object:
    try:
        return _read(text)
    except (ValueError, RecursionError):
        return None


def _plain(value: object) -> object:
    """Mend lone surrogates, which Go reads as U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large")
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


DOCUMENTS: Final[Mapping[str, Function]] = {
    "fromJson": declare(_read_or_nothing, "s"),
    "mustFromJson": declare(_read_or_fail, "s"),
    "mustToJson": declare(_write_or_fail, "a", deep=True),
    "mustToPrettyJson": declare(lambda value: _write_or_fail(value, indent="  "), "a", deep=True),
    "mustToRawJson": declare(lambda value: _write_or_fail(value, escapes=False), "a", deep=True),
    "toJson": declare(_write_or_nothing, "a", deep=True),
    "toPrettyJson": declare(lambda value: _write_or_nothing(value, indent="  "), "a", deep=True),
    "toRawJson": declare(lambda value: _write_or_fail(value, escapes=False), "a", deep=True),
}
