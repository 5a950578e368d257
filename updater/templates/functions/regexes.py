"""Sprig's functions on regular expressions, which run in time linear in their text (RE2, as in Go).

Source: https://masterminds.github.io/sprig/strings.html; https://pkg.go.dev/regexp, `Expand`, `ReplaceAll`, `Split`
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import re2

from updater.templates.functions.faults import fault
from updater.templates.functions.signature import Function, declare, with_strict_names
from updater.templates.limits import check_items, check_text
from updater.templates.values import Strings, from_octets, octets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_MAX_PATTERN: Final = 1024
_REFERENCE: Final = re.compile(rb"\$(?:\$|\{(\w+)\}|(\w+))", re.ASCII)
_META: Final = frozenset("\\.+*?()|[]{}^$")


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    if len(pattern) > _MAX_PATTERN:
        raise fault(f"a regular expression of {len(pattern)} characters", hint=f"the longest has {_MAX_PATTERN}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 18
    try:
        return re2.compile(octets(pattern), options)
    except re2.error as error:
        reason = error.args[0] if error.args else "it does not parse"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise fault(f"{pattern!r} is not a regular expression: {reason}", hint="the syntax is RE2's") from error


def _matches(pattern: str, data: bytes, count: int = -1) -> Iterator[Any]:
    """Return the matches from left to right as Go does: an empty one is left out right behind another match."""
    compiled = _compiled(pattern)
    position, last_end, found = 0, -1, 0
    while position <= len(data) and found != count:
        match = compiled.search(data, position)
        if match is None:
            return
        start, end = match.span()
        if end > start or start != last_end:
            found += 1
            check_items(found)
            yield match
            last_end = end
        position = end if end > start else end + _width(data, end)


def _width(data: bytes, position: int) -> int:
    """Return the length of the character at *position*, at least 1."""
    end = position + 1
    while end < len(data) and data[end] & 0xC0 == 0x80:
        end += 1
    return end - position


def _find(pattern: str, text: str) -> str:
    match = _compiled(pattern).search(octets(text))
    return from_octets(match.group()) if match else ""


def _find_all(pattern: str, text: str, count: int) -> Strings:
    return Strings(from_octets(match.group()) for match in _matches(pattern, octets(text), count))


def _replace(pattern: str, text: str, replacement: str) -> str:
    template = octets(replacement)
    return _replaced(pattern, text, lambda match: _REFERENCE.sub(lambda found: _reference(match, found), template))


def _replace_literally(pattern: str, text: str, replacement: str) -> str:
    made = octets(replacement)
    return _replaced(pattern, text, lambda _: made)


def _replaced(pattern: str, text: str, make: Callable[[Any], bytes]) -> str:
    data = octets(text)
    made: list[bytes] = []
    position = length = 0
    for match in _matches(pattern, data):
        made += [data[position : match.start()], make(match)]
        length += len(made[-1]) + len(made[-2])
        check_text(length)
        position = match.end()
    return from_octets(b"".join([*made, data[position:]]))


def _reference(match: Any, found: re.Match[bytes]) -> bytes:
    """Return the text of ``$1``, ``$name`` or ``${name}``; a group that is not there is empty."""
    name = found[1] or found[2]
    if name is None:
        return b"$"
    if name.isdigit():
        index = int(name) if len(name) < 5 else -1
        return (match.group(index) or b"") if 0 <= index <= match.re.groups else b""
    text_name = name.decode()
    index = next((index for known, index in match.re.groupindex.items() if _as_text(known) == text_name), -1)
    return (match.group(index) or b"") if index > 0 else b""


def _as_text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _split(pattern: str, text: str, count: int) -> Strings:
    if count == 0:
        return Strings()
    data = octets(text)
    if pattern and not data:
        return Strings([""])
    made: list[bytes] = []
    position = end = 0
    for match in _matches(pattern, data, count):
        if 0 < count == len(made) + 1:
            break
        end = match.start()
        if match.end():
            made.append(data[position:end])
        position = match.end()
    if end != len(data):
        made.append(data[position:])
    return Strings(map(from_octets, made))


def _quote_meta(text: str) -> str:
    return "".join(f"\\{char}" if char in _META else char for char in text)


_STRICT: Final[Mapping[str, Function]] = {
    "regexFind": declare(_find, "ss", slow=True),
    "regexFindAll": declare(_find_all, "ssi", slow=True),
    "regexMatch": declare(lambda pattern, text: _compiled(pattern).search(octets(text)) is not None, "ss", slow=True),
    "regexReplaceAll": declare(_replace, "sss", slow=True),
    "regexReplaceAllLiteral": declare(_replace_literally, "sss", slow=True),
    "regexSplit": declare(_split, "ssi", slow=True),
}

REGEXES: Final[Mapping[str, Function]] = {
    **with_strict_names(_STRICT, *_STRICT),
    "regexQuoteMeta": declare(_quote_meta, "s"),
}
