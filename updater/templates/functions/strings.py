"""Sprig's functions on texts. Lengths and positions are in bytes where Go counts bytes.

Source: https://masterminds.github.io/sprig/strings.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.templates.functions.faults import fault
from updater.templates.functions.lists import texts_of
from updater.templates.functions.signature import Function, declare
from updater.templates.functions.words import camel_case, dashed, lower, swap_case, title, untitle, upper, wrap
from updater.templates.limits import check_text
from updater.templates.printing import show, sprint
from updater.templates.quoting import quote
from updater.templates.values import StringMap, Strings, from_octets, octets

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPACES: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


def _quote(*values: object) -> str:
    return " ".join(quote(show(value)) for value in values if value is not None)


def _single_quote(*values: object) -> str:
    return " ".join(f"'{show(value)}'" for value in values if value is not None)


def _cat(*values: object) -> str:
    present = [show(value) for value in values if value is not None]
    return " ".join(present)


def _repeat(count: int, text: str) -> str:
    if count < 0:
        raise fault(f"repeat {count} times")
    check_text(count * len(text))
    return text * count


def _indent(spaces: int, text: str) -> str:
    if spaces < 0:
        raise fault(f"indent by {spaces}")
    check_text(len(text) + spaces * (text.count("\n") + 1))
    pad = " " * spaces
    return pad + text.replace("\n", "\n" + pad)


def _replace(old: str, new: str, text: str) -> str:
    found = text.count(old)
    check_text(len(text) + found * len(new))
    return text.replace(old, new)


def _join(separator: str, values: object) -> str:
    texts = texts_of(values)
    check_text(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _truncate(count: int, text: str) -> str:
    data = octets(text)
    if count < 0:
        return from_octets(data[count:]) if len(data) + count > 0 else text
    return from_octets(data[:count])


def _substring(start: int, end: int, text: str) -> str:
    data = octets(text)
    if start < 0:
        start = 0
    elif end < 0 or end > len(data):
        end = len(data)
    if not 0 <= start <= end <= len(data):
        raise fault(f"there is no part {start} to {end} of {len(data)} bytes")
    return from_octets(data[start:end])


def _split(separator: str, text: str, count: int = -1) -> Strings:
    """Cut like Go's `SplitN`: an empty separator cuts between characters, *count* bounds the parts."""
    if count == 0:
        return Strings()
    if separator:
        return Strings(text.split(separator, count - 1 if count > 0 else -1))
    parts = list(text)
    return Strings(parts if count < 0 or count >= len(parts) else [*parts[: count - 1], "".join(parts[count - 1 :])])


def _numbered(parts: list[str]) -> StringMap:
    return StringMap((f"_{index}", part) for index, part in enumerate(parts))


def _abbreviate(width: int, text: str) -> str:
    data = octets(text)
    return text if width < 4 or len(data) <= width else from_octets(data[: width - 3]) + "..."


def _abbreviate_both(offset: int, width: int, text: str) -> str:
    data = octets(text)
    if width < 4 or (offset > 0 and width < 7) or len(data) <= width:
        return text
    offset = min(offset, len(data))
    offset = min(offset, len(data) - (width - 3)) if len(data) - offset <= width - 3 else offset
    if offset <= 4:
        return from_octets(data[: width - 3]) + "..."
    if offset + width - 3 < len(data):
        return "..." + _abbreviate(width - 3, from_octets(data[offset:]))
    return "..." + from_octets(data[len(data) - (width - 3) :])


def _initials(text: str) -> str:
    return "".join(word[0] for word in text.split())


STRINGS: Final[Mapping[str, Function]] = {
    "abbrev": declare(_abbreviate, "is"),
    "abbrevboth": declare(_abbreviate_both, "iis"),
    "camelcase": declare(camel_case, "s"),
    "cat": declare(_cat, "a*", deep=True),
    "contains": declare(lambda part, text: part in text, "ss"),
    "hasPrefix": declare(lambda part, text: text.startswith(part), "ss"),
    "hasSuffix": declare(lambda part, text: text.endswith(part), "ss"),
    "indent": declare(_indent, "is"),
    "initials": declare(_initials, "s"),
    "join": declare(_join, "sa", deep=True),
    "kebabcase": declare(lambda text: dashed(text, "-"), "s"),
    "lower": declare(lower, "s"),
    "nindent": declare(lambda spaces, text: "\n" + _indent(spaces, text), "is"),
    "nospace": declare(lambda text: "".join(text.split()), "s"),
    "plural": declare(lambda one, many, count: one if count == 1 else many, "ssi"),
    "quote": declare(_quote, "a*", deep=True),
    "repeat": declare(_repeat, "is"),
    "replace": declare(_replace, "sss"),
    "snakecase": declare(lambda text: dashed(text, "_"), "s"),
    "split": declare(lambda separator, text: _numbered(_split(separator, text)), "ss"),
    "splitList": declare(_split, "ss"),
    "splitn": declare(lambda separator, count, text: _numbered(_split(separator, text, count)), "sis"),
    "squote": declare(_single_quote, "a*", deep=True),
    "substr": declare(_substring, "iis"),
    "swapcase": declare(swap_case, "s"),
    "title": declare(title, "s"),
    "toString": declare(lambda value: sprint([value]), "a", deep=True),
    "toStrings": declare(texts_of, "a", deep=True),
    "trim": declare(lambda text: text.strip(_SPACES), "s"),
    "trimAll": declare(lambda cut, text: text.strip(cut) if cut else text, "ss"),
    "trimPrefix": declare(lambda part, text: text.removeprefix(part), "ss"),
    "trimSuffix": declare(lambda part, text: text.removesuffix(part), "ss"),
    "trimall": declare(lambda cut, text: text.strip(cut) if cut else text, "ss"),
    "trunc": declare(_truncate, "is"),
    "untitle": declare(untitle, "s"),
    "upper": declare(upper, "s"),
    "wrap": declare(lambda width, text: wrap(text, width, "\n", cuts_long=False), "is"),
    "wrapWith": declare(lambda width, end, text: wrap(text, width, end or "\n", cuts_long=True), "iss"),
}
