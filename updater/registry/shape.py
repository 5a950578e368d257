"""Count the values and the nesting of a JSON text before it is parsed.

Sixteen megabytes of ``[],`` become half a gigabyte of lists. What stands between the strings is counted, by searches of
bytes that make no object for what they count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from updater.errors import RegistryProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

_STRUCTURE: Final = b'"[]{},:'
_OTHERS: Final = bytes(set(range(256)) - set(_STRUCTURE))
_STRING: Final = re.compile(rb'"[^"]*"?')
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLimits:
    """What one answer of a registry may cost: decoded bytes of a page of tags, values and depth of any document.

    *manifest_bytes* is the same for a manifest, an index or a configuration, *index_entries* how many images an index may name.
    *list_time* is how many seconds a registry may take for the whole list of an image; waiting for our own turn does not count.
    *rate* is how many requests a second a registry gets that nobody configured, after a burst of as many; None is no limit.
    """

    page_bytes: int = 16 * 1024 * 1024
    manifest_bytes: int = 8 * 1024 * 1024
    index_entries: int = 512
    values: int = 500_000
    depth: int = 32
    list_time: float = 300.0
    rate: float | None = 20.0


def check_shape(body: bytes, limits: AnswerLimits, *, what: str) -> None:
    """Raise `RegistryProtocolError` if the JSON text *body* holds more than *limits* allow; it need not be JSON."""
    opens = _count(body, b"[{")
    if opens <= limits.depth and (len(body) < limits.values or opens + _count(body, b",:") < limits.values):
        return
    between = _between_strings(body, limits.values)
    if between is None or _count(between, b"[{,:") >= limits.values:
        raise RegistryProtocolError(
            f"{what}: the answer holds more than {limits.values} values",
            hint="if the registry really has that much to say, raise registry_limits.values; check what answers at this address",
            code="registry-too-large",
        )
    if _is_deeper(between, limits.depth):
        raise RegistryProtocolError(
            f"{what}: the answer is nested deeper than {limits.depth} levels",
            hint="no healthy registry answers so; check what answers at this address, or raise registry_limits.depth",
            code="registry-too-deep",
        )


def _count(body: bytes, signs: Iterable[int]) -> int:
    return sum(body.count(sign) for sign in signs)


def _between_strings(body: bytes, most: int) -> bytes | None:
    """Return the signs of *body* that stand in no string; None where it has more than *most* keys and values anyway.

    In what a parser accepts, two quotes side by side are an empty string or one whose text was left out.
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    signs = body.translate(None, _OTHERS).replace(b'""', b"")
    quotes = signs.count(b'"')
    if quotes > 4 * most:
        return None
    return _STRING.sub(b"", signs) if quotes else signs


def _is_deeper(between: bytes, depth: int) -> bool:
    brackets = between.translate(_ONE_KIND, b",:")
    for _ in range(depth):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    return b"[]" in brackets or brackets.count(b"[") > depth
