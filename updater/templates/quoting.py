"""Quote strings and characters as Go does.

Source: https://pkg.go.dev/strconv, `Quote`, `QuoteToASCII`, `QuoteRune`.
"""

from __future__ import annotations

from typing import Final

from updater.templates.values import from_octets, octets

_NAMED: Final = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 92: "\\\\"}


def quote(text: str, *, mark: str = '"', ascii_only: bool = False) -> str:
    """Return *text* in quotes, with Go's escapes."""
    # Bytes that were cut apart and joined again are characters once more.
    whole = from_octets(octets(text))
    return mark + "".join(_escape(char, mark, ascii_only=ascii_only) for char in whole) + mark


def quote_character(code: int, *, ascii_only: bool = False) -> str:
    """Return the character with this number in single quotes; one that is none becomes U+FFFD."""
    return quote(character(code), mark="'", ascii_only=ascii_only)


def character(code: int) -> str:
    """Return the character with this number, U+FFFD where there is none."""
    is_character = 0 <= code <= 0x10FFFF and not 0xD800 <= code < 0xE000
    return chr(code) if is_character else "\ufffd"


def _escape(char: str, mark: str, *, ascii_only: bool) -> str:
    code = ord(char)
    if char == mark:
        return "\\" + char
    if code in _NAMED:
        return _NAMED[code]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if char.isprintable() and (code < 0x80 or not ascii_only):
        return char
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
