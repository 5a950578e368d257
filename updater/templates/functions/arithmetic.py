"""Sprig's arithmetic: 64 bits that wrap around, and what counts as a number.

Source: https://masterminds.github.io/sprig/math.html, https://masterminds.github.io/sprig/conversion.html
"""

from __future__ import annotations

import math
import re
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final

from updater.templates.functions.faults import fault
from updater.templates.functions.signature import Function, declare
from updater.templates.limits import check_items
from updater.templates.literals import INT_MAX, INT_MIN, parse_float, parse_int
from updater.templates.printing import show
from updater.templates.values import Int64, Ints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_WORD_SIZE: Final = 1 << 64
_DECIMALS: Final = Context(prec=60)
_ZERO_FRACTION: Final = re.compile(r"\.0+$")


def wrap_around(value: int) -> Int64:
    """Return *value* in the 64 bits that Go has for it."""
    return Int64((value - INT_MIN) % _WORD_SIZE + INT_MIN)


def to_int(value: object) -> int:
    """Read anything as a whole number; what is none is 0, a fraction is cut off."""
    if isinstance(value, (bool, int)):
        return int(value)
    if isinstance(value, float):
        return _cut(value)
    if isinstance(value, str):
        return parse_int(_ZERO_FRACTION.sub("", value)) or 0
    return 0


def _decimal_int(text: str) -> int:
    """Read decimal digits; a number beyond 64 bits is the last one within, and what is none is 0."""
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        return 0
    return max(INT_MIN, min(int(text[:30]), INT_MAX))


def _cut(value: float) -> int:
    # Go gives the least number for what does not fit.
    return int(value) if math.isfinite(value) and abs(value) < 2.0**63 else INT_MIN


def to_float(value: object) -> float:
    """Read anything as a floating-point number; what is none is 0."""
    if isinstance(value, (bool, int, float)):
        return float(value)
    if isinstance(value, str):
        return _float_of_text(value)
    return 0.0


def _float_of_text(text: str) -> float:
    word = text.lower().lstrip("+-")
    if word in {"inf", "infinity", "nan"}:
        return float(text)
    return parse_float(text) or 0.0


def _sum(*values: object) -> Int64:
    return wrap_around(sum(map(to_int, values)))


def _product(first: object, *values: object) -> Int64:
    made = wrap_around(to_int(first))
    for value in values:
        made = wrap_around(made * to_int(value))
    return made


def _divide(first: object, second: object) -> Int64:
    quotient, _ = _divided(first, second)
    return wrap_around(quotient)


def _remainder(first: object, second: object) -> Int64:
    _, rest = _divided(first, second)
    return Int64(rest)


def _divided(first: object, second: object) -> tuple[int, int]:
    """Divide as Go does: towards zero."""
    left, right = to_int(first), to_int(second)
    if right == 0:
        raise fault("division by zero")
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient, left - quotient * right


def _decimal(value: object) -> Decimal:
    number = to_float(value)
    if not math.isfinite(number):
        raise fault(f"{show(number)} has no decimal digits")
    return Decimal(repr(number))


def _fold(step: Callable[[Decimal, Decimal], Decimal], values: Iterable[object], start: Decimal) -> float:
    made = start
    for value in values:
        made = step(made, _decimal(value))
    return float(made)


def _quotient(left: Decimal, right: Decimal) -> Decimal:
    if right == 0:
        raise fault("division by zero")
    made = _DECIMALS.divide(left, right)
    # The library of Go keeps 16 digits behind the point.
    return made.quantize(Decimal(1).scaleb(-16), context=_DECIMALS) if abs(made) < Decimal(10) ** 40 else made


def _round(value: object, places: int, *round_on: float) -> float:
    power = math.pow(10, max(min(places, 300), -300))
    digits = power * to_float(value)
    if not math.isfinite(digits):
        return digits
    fraction = math.fmod(digits, 1)
    rounded = math.ceil(digits) if fraction >= (round_on[0] if round_on else 0.5) else math.floor(digits)
    return rounded / power


def _whole_float(rounding: Callable[[float], int], value: object) -> float:
    number = to_float(value)
    return float(rounding(number)) if math.isfinite(number) else number


def _range(start: int, stop: int, step: int) -> Ints:
    if (stop < start and step >= 0) or (stop >= start and step <= 0):
        return Ints()
    made = range(start, stop, step)
    check_items(abs(stop - start) // abs(step))
    return Ints(made)


def _sequence(*bounds: int) -> str:
    if not bounds or len(bounds) > 3:
        return ""
    start = bounds[0] if len(bounds) > 1 else 1
    end = bounds[-1]
    direction = -1 if end < start else 1
    step = bounds[1] if len(bounds) == 3 else direction
    if direction < 0 < step:
        return ""
    return " ".join(map(str, _range(start, end + direction, step)))


def _octal(value: object) -> Int64:
    digits = show(value)
    return Int64(int(digits, 8)) if re.fullmatch(r"[+-]?[0-7]{1,20}", digits) else Int64(0)


def _extreme(pick: Callable[..., Any], convert: Callable[[object], Any], values: tuple[object, ...]) -> Any:
    return pick(convert(value) for value in values)


NUMBERS: Final[Mapping[str, Function]] = {
    "add": declare(_sum, "a*"),
    "add1": declare(lambda value: _sum(value, 1), "a"),
    "add1f": declare(lambda value: _fold(_DECIMALS.add, [1], _decimal(value)), "a"),
    "addf": declare(lambda *values: _fold(_DECIMALS.add, values, Decimal(0)), "a*"),
    "atoi": declare(_decimal_int, "s"),
    "biggest": declare(lambda *values: Int64(_extreme(max, to_int, values)), "aa*"),
    "ceil": declare(lambda value: _whole_float(math.ceil, value), "a"),
    "div": declare(_divide, "aa"),
    "divf": declare(lambda first, *values: _fold(_quotient, values, _decimal(first)), "aa*"),
    "float64": declare(to_float, "a"),
    "floor": declare(lambda value: _whole_float(math.floor, value), "a"),
    "int": declare(to_int, "a"),
    "int64": declare(lambda value: Int64(to_int(value)), "a"),
    "max": declare(lambda *values: Int64(_extreme(max, to_int, values)), "aa*"),
    "maxf": declare(lambda *values: _extreme(max, to_float, values), "aa*"),
    "min": declare(lambda *values: Int64(_extreme(min, to_int, values)), "aa*"),
    "minf": declare(lambda *values: _extreme(min, to_float, values), "aa*"),
    "mod": declare(_remainder, "aa"),
    "mul": declare(_product, "aa*"),
    "mulf": declare(lambda first, *values: _fold(_DECIMALS.multiply, values, _decimal(first)), "aa*"),
    "round": declare(_round, "aif*"),
    "seq": declare(_sequence, "i*"),
    "sub": declare(lambda first, second: wrap_around(to_int(first) - to_int(second)), "aa"),
    "subf": declare(lambda first, *values: _fold(_DECIMALS.subtract, values, _decimal(first)), "aa*"),
    "toDecimal": declare(_octal, "a"),
    "until": declare(lambda count: _range(0, count, -1 if count < 0 else 1), "i"),
    "untilStep": declare(_range, "iii"),
}
