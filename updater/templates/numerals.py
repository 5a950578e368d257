"""Format numbers as Go does: the shortest floats, bases, signs, precision.

Source: https://pkg.go.dev/fmt, "Integer", "Floating-point"; https://pkg.go.dev/strconv, `FormatFloat`.
"""

from __future__ import annotations

import math
from typing import Final

_BASES: Final = {"b": "b", "o": "o", "O": "o", "d": "d", "v": "d", "x": "x", "X": "X"}
_PREFIXES: Final = {"b": "0b", "o": "0", "O": "0o", "x": "0x", "X": "0X"}
_SHORTEST_EXPONENT: Final = 6  # strconv writes %e from here on when no precision is asked for


def shortest(value: float) -> str:
    """Return the shortest text that reads back as *value*, in Go's ``%v``."""
    if math.isinf(value) or math.isnan(value):
        return _special(value)
    sign, digits, exponent = _digits(value)
    if -4 <= exponent < _SHORTEST_EXPONENT:
        return sign + _positional(digits, exponent)
    return sign + _scientific(digits, exponent)


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


def _digits(value: float) -> tuple[str, str, int]:
    """Return sign, significant digits and the exponent of the first of them."""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    sign = "-" if math.copysign(1, value) < 0 else ""
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return sign, "0", 0
    shift = len(whole) - 1 if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0")) + 1)
    return sign, digits.rstrip("0") or "0", int(exponent or 0) + shift


def _positional(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    if len(digits) <= exponent + 1:
        return digits + "0" * (exponent + 1 - len(digits))
    return digits[: exponent + 1] + "." + digits[exponent + 1 :]


def _scientific(digits: str, exponent: int) -> str:
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def float_text(value: float, verb: str, precision: int | None, *, has_sharp: bool) -> str:
    """Return *value* for the verbs e, E, f, F, g, G and v, with a sign only where it is negative (or infinite)."""
    if math.isinf(value) or math.isnan(value):
        return _special(value)
    verb = {"v": "g", "F": "f"}.get(verb, verb)
    sharp = "#" if has_sharp else ""
    if precision is None and verb in "gG" and not has_sharp:
        text = shortest(value)
        return text.upper() if verb == "G" else text
    return f"{value:{sharp}.{6 if precision is None else precision}{verb}}"


def json_number(value: float) -> str:
    """Return *value* as Go's encoding/json does."""
    sign, digits, exponent = _digits(value)
    if -6 <= exponent < 21:  # the bounds of ECMAScript
        return sign + _positional(digits, exponent)
    return sign + _scientific(digits, exponent).replace("e-0", "e-")


def whole_text(value: int, verb: str, *, has_sharp: bool) -> str:
    """Return the digits of a whole number for the verbs b, o, O, d, v, x and X, with a sign only where it is negative."""
    prefix = _PREFIXES.get(verb, "") if has_sharp or verb == "O" else ""
    digits = format(abs(value), _BASES[verb])
    if prefix == "0" and digits.startswith("0"):
        prefix = ""
    return ("-" if value < 0 else "") + prefix + digits
