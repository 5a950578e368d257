"""Parse strings, characters and numbers in Go's syntax.

Source: https://go.dev/ref/spec, "Integer literals", "Floating-point literals", "Rune literals", "String literals".
"""

from __future__ import annotations

import math
import re
from typing import Final

from updater.templates.nodes import Number
from updater.templates.values import from_octets, octets

INT_MIN: Final = -(1 << 63)
INT_MAX: Final = (1 << 63) - 1

_SIMPLE: Final = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_INTEGER: Final = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)"
)
_DECIMAL: Final = re.compile(
    r"[+-]?(?:[0-9](?:_?[0-9])*(?:\.(?:[0-9](?:_?[0-9])*)?)?|\.(?:[0-9](?:_?[0-9])*)?)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?"
)
_HEX_FLOAT: Final = re.compile(r"[+-]?0[xX](?:_?[0-9a-fA-F])*(?:\.(?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?)?[pP][+-]?[0-9](?:_?[0-9])*")


def unquote(text: str) -> str:
    """Read a string with its quotes; raise `ValueError`."""
    if text.startswith("`"):
        return text[1:-1].replace("\r", "")
    return from_octets(_unescape(text[1:-1], '"'))


def read_character(text: str) -> int:
    """Read a character with its quotes, and give its number; raise `ValueError`."""
    inner = text[1:-1]
    escape = _ESCAPE.fullmatch(inner)
    if escape and (escape[1] or escape[4]):
        return int(escape[1], 16) if escape[1] else _small(int(escape[4], 8))
    if len(inner) != 1 and not escape:
        raise ValueError("a character constant holds one character")
    return ord(_unescape(inner, "'").decode())


def _small(code: int) -> int:
    if code > 255:
        raise ValueError("an octal escape goes up to \\377")
    return code


def _unescape(inner: str, quote: str) -> bytes:
    made = bytearray()
    position = 0
    for found in _ESCAPE.finditer(inner):
        made += octets(inner[position : found.start()])
        made += _escaped(found, quote)
        position = found.end()
    rest = inner[position:]
    if "\\" in rest:
        raise ValueError("a single backslash")
    return bytes(made + octets(rest))


def _escaped(found: re.Match[str], quote: str) -> bytes:
    two, four, eight, octal, char = found.groups()
    if two:
        return bytes([int(two, 16)])
    if octal:
        return bytes([_small(int(octal, 8))])
    if four or eight:
        code = int(four or eight, 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise ValueError(f"{found.group()} is not a character")
        return chr(code).encode()
    if char == quote:
        return char.encode()
    if char not in _SIMPLE:
        raise ValueError(f"{found.group()} is not an escape; a backslash is written \\\\, or use a `raw string`")
    return bytes([_SIMPLE[char]])


def parse_int(text: str) -> int | None:
    """Read a whole number of 64 bits by Go's prefixes and underscores; None where *text* is none."""
    if not _INTEGER.fullmatch(text):
        return None
    digits = text.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        digits = "0o" + digits[1:]
    # Longer digits cannot be 64 bits, and Python refuses to read very long ones.
    value = sign * int(digits, 0) if len(digits) <= 80 else INT_MAX + 1
    return value if INT_MIN <= value <= INT_MAX else None


def parse_float(text: str) -> float | None:
    """Read a floating-point number by Go's grammar; None where *text* is none, or too large."""
    if _HEX_FLOAT.fullmatch(text):
        value = _from_hex(text.replace("_", ""))
    elif any(char.isdigit() for char in text) and _DECIMAL.fullmatch(text) and re.match(r"[+-]?\.?[0-9]", text):
        value = float(text.replace("_", ""))
    else:
        return None
    return None if math.isinf(value) else value


def _from_hex(text: str) -> float:
    try:
        return float.fromhex(text)
    except (OverflowError, ValueError):
        return math.inf


def read_number(position: int, text: str) -> Number:
    """Read a number token; raise `ValueError`."""
    whole = parse_int(text)
    if whole is not None:
        return Number(position, text, whole, float(whole), is_float=False)
    real = parse_float(text)
    if real is None:
        raise ValueError(f"{text} is not a number")
    if not (set(text) & set(".eEpP")):
        raise ValueError(f"{text} does not fit into 64 bits")
    as_whole = int(real) if real.is_integer() and INT_MIN <= real <= INT_MAX else None
    return Number(position, text, as_whole, real, is_float=True)
