"""Decide whether a text needs quotes in YAML to be read back as the same string.

Two schemas are in the field at once: YAML 1.1 (PyYAML, and Go's yaml as kustomize and Helm use it, which
takes ``1e3`` and ``0o17`` for numbers too) and the core schema of YAML 1.2. A text stays plain only if
both read a string.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

PLAIN: Final = ""
SINGLE: Final = "'"

_WORDS: Final = frozenset(
    {"", "~", "=", "<<", "null", "Null", "NULL"}
    | {"y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO"}
    | {"true", "True", "TRUE", "false", "False", "FALSE"}
    | {"on", "On", "ON", "off", "Off", "OFF"}
)
_NUMBER: Final = re.compile(
    r"""
      [-+]?0[xX][0-9a-fA-F_]+                                  # 0x1F
    | [-+]?0[oO][0-7_]+                                        # 0o17, of YAML 1.2 and Go
    | [-+]?0[bB][01_]+
    | [-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?      # 12, 0755, 1.20, 1e3
    | [-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
    | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?         # sexagesimal 1:30 of YAML 1.1
    | [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN)
    """,
    re.VERBOSE,
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}.*)?")
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNPRINTABLE: Final = re.compile('[\\\\"\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]')


@lru_cache(maxsize=1024)  # one value is written to many files
def is_string(text: str) -> bool:
    """Return whether a plain scalar of this text is a string in YAML 1.1, in Go's yaml and in YAML 1.2."""
    return not (text in _WORDS or _NUMBER.fullmatch(text) or _DATE.fullmatch(text))


# a first character without a meaning of its own, then nothing that could end the scalar or open a comment
_SYNTAX: Final = re.compile(
    r"[A-Za-z0-9_./+\u00a1-\u2027\u202a-\ud7ff]"
    r"(?:[^\s,\[\]{}:\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]|:(?![\s,\[\]{}]|$)|\x20(?![\s#]|$))*"
)


def is_plain(text: str) -> bool:
    """Return whether *text* may stand plain as far as syntax goes, in block and in flow collections."""
    return _SYNTAX.fullmatch(text) is not None and not text.startswith(("...", "---"))


@lru_cache(maxsize=1024)
def write(text: str, *, style: str = PLAIN, is_typed: bool = False) -> str:
    """Write *text* as a scalar in *style*, or double-quoted where that style cannot hold it.

    *is_typed* is true where an explicit tag before the scalar decides its type, so that a plain text is
    never taken for a number.
    """
    if style == SINGLE and not _UNPRINTABLE.search(text.replace("\\", "").replace('"', "")):
        return "'" + text.replace("'", "''") + "'"
    if style == PLAIN and is_plain(text) and (is_typed or is_string(text)):
        return text
    return '"' + _UNPRINTABLE.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    return _ESCAPES.get(char) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
