"""How text is shown that somebody else wrote: bytes of no encoding, and what would move a cursor, are spelled out.

A path of Git is bytes. Where they are no UTF-8 our texts hold each odd byte as a lone surrogate, as Python does for the
names of files, and so the path can be written back as it was; but no output takes such a text, so it is changed when it
is shown.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

_Data = TypeVar("_Data")

_WAITS: Final = re.compile(r"(?<!\d)\d+(?:\.\d+)?(?= ?(?:ms|s|seconds?|m|min|minutes?|h|hours?)\b)")

_ESCAPES: Final = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def shown(text: str) -> str:
    """Return *text* as any output takes it: a byte that is no UTF-8 by its number, as Python writes one in a string."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(map(_shown, text))
    return text


def printable(text: str) -> str:
    r"""Return *text* with each character that is not printable as its escape, such as ``\x1b``; line ends too."""
    if text.isprintable():
        return text
    text = shown(text)
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def printable_lines(text: str) -> str:
    """Return *text* as `printable` does, and keep its line ends: a traceback has many lines."""
    return "\n".join(map(printable, text.split("\n")))


def printable_data(data: _Data) -> _Data:
    """Return a copy of mappings, lists and texts in which every text is `printable`."""
    if isinstance(data, str):
        return printable(data)  # type: ignore[return-value]
    if isinstance(data, dict):
        return {key: printable_data(item) for key, item in data.items()}  # type: ignore[return-value]
    if isinstance(data, list):
        return [printable_data(item) for item in data]  # type: ignore[return-value]
    return data


def without_waits(text: str) -> str:
    """Return *text* with each duration as ``#``: the same failure is told with another wait each time, and is no other one."""
    return _WAITS.sub("#", text)


def is_plain(text: str) -> bool:
    """Return whether *text* can be shown as it is."""
    return shown(text) is text


def quoted(path: bytes) -> str:
    """Return *path* as it stands in a patch (git, quote.c): in quotes and with octal escapes where it is no plain ASCII."""
    if all(32 <= byte < 127 and byte not in _ESCAPES for byte in path):
        return path.decode("ascii")
    escaped = "".join(_ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in path)
    return f'"{escaped}"'


def _shown(character: str) -> str:
    if not "\ud800" <= character <= "\udfff":
        return character
    return f"\\x{ord(character) - 0xDC00:02x}" if "\udc80" <= character <= "\udcff" else f"\\u{ord(character):04x}"
