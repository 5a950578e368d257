"""Change the case of words and wrap lines, as Go and sprig do.

Source: https://pkg.go.dev/strings, `ToUpper`, `Title`; https://masterminds.github.io/sprig/strings.html
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from updater.templates.limits import check_text
from updater.templates.values import from_octets, octets

_JOINERS: Final = frozenset("-_")
_WORD: Final = re.compile("C+|P+|(?:U(?!L))+|UL+|L+|N+|O+")


def upper(text: str) -> str:
    """Raise every character that has one upper-case character; Go leaves ``ß`` alone."""
    return "".join(map(_raise, text))


def lower(text: str) -> str:
    """Lower every character, one for one."""
    return "".join(char.lower()[:1] for char in text)


def _raise(char: str) -> str:
    raised = char.upper()
    return raised if len(raised) == 1 else char


def _title_character(char: str) -> str:
    raised = char.title()
    return raised if len(raised) == 1 else char


def title(text: str) -> str:
    """Raise the first character of every word."""
    before = [" ", *text[:-1]] if text else []
    return "".join(_title_character(char) if _separates(previous) else char for previous, char in zip(before, text, strict=True))


def _separates(char: str) -> bool:
    return not (char.isalnum() or char == "_") if char.isascii() else char.isspace()


def untitle(text: str) -> str:
    """Lower the first character of every word."""
    before = [" ", *text[:-1]] if text else []
    return "".join(char.lower()[:1] if previous.isspace() else char for previous, char in zip(before, text, strict=True))


def swap_case(text: str) -> str:
    """Raise what is low, and lower what is high."""
    return "".join(char.lower()[:1] if char.isupper() else _raise(char) for char in text)


def _is_joiner(char: str) -> bool:
    return char in _JOINERS or char.isspace()


def camel_case(text: str) -> str:
    """Join words, each with a capital: ``some_words`` is ``SomeWords``."""
    made: list[str] = []
    is_start, had_capital = True, False
    for char in text:
        if _is_joiner(char):
            made.append(char)
            is_start = True
        elif is_start:
            if made and len(made) > _leading_joiners(text):
                made.pop()
            had_capital, is_start = char.isupper(), False
            made.append(_raise(char))
        else:
            had_capital = had_capital and char.isupper()
            made.append(char.lower()[:1] if had_capital else char)
    return "".join(made)


def _leading_joiners(text: str) -> int:
    return next((index for index, char in enumerate(text) if not _is_joiner(char)), len(text))


def dashed(text: str, joiner: str) -> str:
    """Lower words and put *joiner* between them: ``HTTPServer`` is ``http-server``."""
    words = _words(text)
    made: list[str] = []
    at = 0
    while at < len(words) - 1:
        kind, word = words[at]
        at += 1
        made.append(_lowered(kind, word, joiner))
        if kind in "CP":
            continue
        if kind == "N":
            at = _absorb(words, at, made)
        elif words[at][0] == "N":
            if at == len(words) - 1:
                break
            at = _number_inside(words, at, made, joiner)
        if at < len(words) and words[at][0] not in "CP":
            made.append(joiner)
    if at < len(words):
        made.append(_lowered(*words[at], joiner))
    return "".join(made)


def _words(text: str) -> list[tuple[str, str]]:
    shadow = "".join(map(_letter_kind, text))
    return [(found[0][0] if found[0][0] != "U" else "U", text[found.start() : found.end()]) for found in _WORD.finditer(shadow)]


def _letter_kind(char: str) -> str:
    if _is_joiner(char):
        return "C"
    category = unicodedata.category(char)
    if category[0] in "PN":
        return category[0]
    if category == "Lu":
        return "U"
    return "L" if category[0] == "L" else "O"


def _lowered(kind: str, word: str, joiner: str) -> str:
    if kind == "C":
        return joiner * len(word)
    return lower(word) if kind == "U" else word


def _number_inside(words: list[tuple[str, str]], at: int, made: list[str], joiner: str) -> int:
    """A number belongs to the word before it, unless small letters follow: ``Bld4Floor``, but ``HTTP2xx``."""
    number = words[at][1]
    at += 1
    if words[at][0] != "L":
        made.append(number)
        return at
    made.extend((joiner, number))
    return _absorb(words, at, made)


def _absorb(words: list[tuple[str, str]], at: int, made: list[str]) -> int:
    while at < len(words) and words[at][0] in "LN":
        made.append(words[at][1])
        at += 1
    return at


def wrap(text: str, width: int, end: str, *, cuts_long: bool) -> str:
    """Break *text* at spaces into lines of at most *width* bytes; words that are longer are cut only where *cuts_long*."""
    data, width = octets(text), max(width, 1)
    check_text(len(data) + len(end) * (len(data) // width + data.count(b" ") + 1))
    lines: list[bytes] = []
    offset = 0
    while len(data) - offset > width:
        if data[offset] == 0x20:
            offset += 1
            continue
        space = data.rfind(b" ", offset, offset + width + 1)
        if space < 0:
            space = offset + width if cuts_long else data.find(b" ", offset + width)
            if space < 0:
                break
        lines.append(data[offset:space])
        offset = space + (data[space : space + 1] == b" " and not (cuts_long and space == offset + width and data[space] != 0x20))
    return from_octets(octets(end).join([*lines, data[offset:]]))
