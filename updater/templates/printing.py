"""Print values as Go does: `Sprint`, `Sprintln` and every verb of `Sprintf`.

Source: https://pkg.go.dev/fmt, "Printing", "Explicit argument indexes", "Format errors".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from updater.templates.numerals import float_text, whole_text
from updater.templates.quoting import character, quote, quote_character
from updater.templates.values import NOTHING, Struct, octets, sorted_items, type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEXT_VERBS: Final = frozenset("vsxXq")
_INT_VERBS: Final = frozenset("vdbOoxXcqU")
_FLOAT_VERBS: Final = frozenset("veEfFgG")


@dataclass(frozen=True, slots=True)
class Spec:
    """One verb of a format with its flags, width and precision in characters."""

    verb: str = "v"
    has_plus: bool = False
    has_minus: bool = False
    has_sharp: bool = False
    has_space: bool = False
    has_zero: bool = False
    width: int | None = None
    precision: int | None = None

    def pad(self, text: str, *, zero: bool = False) -> str:
        """Fill *text* up to the width: behind it with ``-``, with zeros where *zero*, else before it."""
        if self.width is None or len(text) >= self.width:
            return text
        if self.has_minus:
            return text.ljust(self.width)
        return text.rjust(self.width, "0" if zero and self.has_zero else " ")


def sprint(values: Sequence[object]) -> str:
    """Join values as Go's `Sprint`: a space stands between two of which neither is a text."""
    made: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            made.append(" ")
        made.append(show(value))
    return "".join(made)


def sprintln(values: Sequence[object]) -> str:
    """Join values by spaces, and end the line."""
    return " ".join(show(value) for value in values) + "\n"


def show(value: object) -> str:
    """Return *value* as ``%v`` does."""
    return value if isinstance(value, str) else render(value, _PLAIN)


def render(value: object, spec: Spec, *, is_inner: bool = False) -> str:
    """Return *value* by one verb; a verb that does not fit gives Go's ``%!verb(type=value)``."""
    if spec.verb == "v" and spec.has_plus and not isinstance(value, (list, dict, Struct)):
        spec = replace(spec, has_plus=False)  # it asks for the names of fields, not for signs
    if spec.verb == "T":
        is_nil = value is None or value is NOTHING
        return "<nil>" if is_nil else _text(type_name(value), replace(spec, verb="s"))
    is_go_syntax = spec.verb == "v" and spec.has_sharp
    if isinstance(value, Struct) and value.text is not None and not is_go_syntax and spec.verb in _TEXT_VERBS:
        value = value.text
    if value is None or value is NOTHING:
        return _nil(spec, is_inner=is_inner)
    if isinstance(value, str):
        return _text(value, spec)
    if isinstance(value, bool):
        return spec.pad(str(value).lower(), zero=True) if spec.verb in "tv" else _bad(value, spec)
    if isinstance(value, int):
        return _whole(value, spec)
    if isinstance(value, float):
        return _real(value, spec)
    return _container(value, spec)


def _nil(spec: Spec, *, is_inner: bool) -> str:
    if spec.verb != "v":
        return "<nil>" if is_inner else f"%!{spec.verb}(<nil>)"
    if is_inner:
        return "interface {}(nil)" if spec.has_sharp else "<nil>"
    return spec.pad("<nil>")


def _bad(value: object, spec: Spec) -> str:
    own = "s" if isinstance(value, str) else "t" if isinstance(value, bool) else "d" if isinstance(value, int) else "g"
    return f"%!{spec.verb}({type_name(value)}={render(value, replace(spec, verb=own))})"


def _text(value: str, spec: Spec) -> str:
    verb = spec.verb
    if verb not in _TEXT_VERBS:
        return _bad(value, spec)
    if verb in "xX":
        return spec.pad(_hexadecimal(value, spec), zero=True)
    if spec.precision is not None:
        value = value[: spec.precision]
    if verb == "q" or (verb == "v" and spec.has_sharp):
        value = _quoted(value, spec)
    return spec.pad(value, zero=True)


def _quoted(value: str, spec: Spec) -> str:
    can_be_raw = "`" not in value and all(char == "\t" or (char >= " " and char not in "\x7f\ufeff") for char in value)
    if spec.has_sharp and spec.verb == "q" and can_be_raw:
        return f"`{value}`"
    return quote(value, ascii_only=spec.has_plus and spec.verb == "q")


def _hexadecimal(value: str, spec: Spec) -> str:
    data = octets(value)
    data = data if spec.precision is None else data[: spec.precision]
    if spec.has_space:
        prefix = "0x" if spec.has_sharp else ""
        made = " ".join(f"{prefix}{byte:02x}" for byte in data)
    else:
        made = ("0x" if spec.has_sharp and data else "") + data.hex()
    return made.upper() if spec.verb == "X" else made


def _whole(value: int, spec: Spec) -> str:
    verb = spec.verb
    if verb not in _INT_VERBS:
        return _bad(value, spec)
    if verb == "c":
        return spec.pad(character(value), zero=True)
    if verb == "q":
        return spec.pad(quote_character(value, ascii_only=spec.has_plus), zero=True)
    if verb == "U":
        return spec.pad(_code_point(value, spec))
    if spec.precision == 0 and value == 0:
        return replace(spec, has_zero=False).pad("")
    text = whole_text(value, verb, has_sharp=spec.has_sharp and verb != "v")
    if spec.precision is not None:
        text = _at_least(text, spec.precision)
        return spec.pad(_signed(text, spec))
    return _fill_number(_signed(text, spec), spec)


def _code_point(value: int, spec: Spec) -> str:
    shown = f"U+{value & 0xFFFFFFFFFFFFFFFF:04X}"
    if spec.has_sharp and 0 <= value <= 0x10FFFF and chr(value).isprintable():
        shown += f" '{character(value)}'"
    return shown


def _at_least(text: str, count: int) -> str:
    """Fill the digits of a number up to *count*, behind its sign and prefix."""
    head = len(text) - len(text.lstrip("-"))
    head += 2 if text[head : head + 2].lower() in {"0x", "0b", "0o"} else 0
    return text[:head] + text[head:].rjust(count, "0")


def _signed(text: str, spec: Spec) -> str:
    if text.startswith(("-", "+")):
        return text
    return ("+" if spec.has_plus else " " if spec.has_space else "") + text


def _fill_number(text: str, spec: Spec) -> str:
    """Fill with zeros behind sign and prefix, or with spaces. Go does not count the prefix."""
    if not spec.has_zero or spec.has_minus or spec.width is None:
        return spec.pad(text)
    sign = 1 if text[:1] in {"-", "+", " "} else 0
    prefix = 2 if text[sign : sign + 2].lower() in {"0x", "0b", "0o"} else 0
    return text[: sign + prefix] + text[sign + prefix :].rjust(spec.width - sign, "0")


def _real(value: float, spec: Spec) -> str:
    if spec.verb not in _FLOAT_VERBS:
        return _bad(value, spec)
    text = float_text(value, spec.verb, spec.precision, has_sharp=spec.has_sharp and spec.verb != "v")
    if text in {"+Inf", "-Inf", "NaN"}:
        return replace(spec, has_zero=False).pad(_signed(text, spec))
    return _fill_number(_signed(text, spec), spec)


def _container(value: object, spec: Spec) -> str:
    is_go_syntax = spec.verb == "v" and spec.has_sharp
    if isinstance(value, list):
        parts = [render(item, spec, is_inner=True) for item in value]
        return f"{type_name(value)}{{{', '.join(parts)}}}" if is_go_syntax else f"[{' '.join(parts)}]"
    if isinstance(value, dict):
        pairs = [(render(key, spec, is_inner=True), render(item, spec, is_inner=True)) for key, item in sorted_items(value)]
        joined = [f"{key}:{item}" for key, item in pairs]
        return f"{type_name(value)}{{{', '.join(joined)}}}" if is_go_syntax else f"map[{' '.join(joined)}]"
    if isinstance(value, Struct):
        return _struct(value, spec, is_go_syntax=is_go_syntax)
    return spec.pad("<func>")


def _struct(value: Struct, spec: Spec, *, is_go_syntax: bool) -> str:
    has_names = spec.verb == "v" and (spec.has_plus or spec.has_sharp)
    parts = [(f"{name}:" if has_names else "") + render(item, spec, is_inner=True) for name, item in value.shown()]
    if is_go_syntax:
        return f"{value.type_name}{{{', '.join(parts)}}}"
    return ("&" if value.type_name.startswith("*") else "") + "{" + " ".join(parts) + "}"


_PLAIN: Final = Spec()


def leaves(value: object) -> int:
    """Count the values that one verb prints for *value*, which has been weighed."""
    if isinstance(value, list):
        return sum(leaves(item) for item in value)
    if isinstance(value, dict):
        return len(value) + sum(leaves(item) for item in value.values())
    if isinstance(value, Struct):
        return sum(leaves(item) for _, item in value.shown())
    return 1
