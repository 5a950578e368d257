"""Split a template into tokens: text, delimiters with their trim markers, and the words of an action.

Source: https://pkg.go.dev/text/template, "Text and spaces", "Actions".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from updater.templates.source import TemplateSource

SPACES: Final = " \t\r\n"


class TokenKind(StrEnum):
    """The kind of a token; the value is its name in messages."""

    TEXT = "text"
    LEFT = "{{"
    RIGHT = "}}"
    SPACE = "a space"
    DECLARE = ":="
    ASSIGN = "="
    PIPE = "|"
    OPEN = "("
    CLOSE = ")"
    COMMA = ","
    STRING = "a string"
    CHARACTER = "a character"
    NUMBER = "a number"
    VARIABLE = "a variable"
    FIELD = "a field"
    DOT = "."
    WORD = "a word"
    END = "the end of the template"


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of the source, and the index of its first character."""

    kind: TokenKind
    text: str
    position: int

    def __str__(self) -> str:
        return self.kind if self.kind in {TokenKind.END, TokenKind.RIGHT, TokenKind.SPACE} else repr(self.text)


_DIGITS: Final = r"[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?"
_HEX: Final = r"0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
_PIECES: Final = (
    (TokenKind.SPACE, r"[ \t\r\n]+"),
    (TokenKind.DECLARE, ":="),
    (TokenKind.ASSIGN, "="),
    (TokenKind.PIPE, r"\|"),
    (TokenKind.OPEN, r"\("),
    (TokenKind.CLOSE, r"\)"),
    (TokenKind.COMMA, ","),
    (TokenKind.STRING, r'"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`'),
    (TokenKind.CHARACTER, r"'(?:[^'\\\n]|\\[^\n])*'"),
    (TokenKind.NUMBER, rf"[+-]?(?:{_HEX}|0[oObB][0-9_]*|(?=\.?[0-9]){_DIGITS})"),
    (TokenKind.VARIABLE, r"\$\w*"),
    (TokenKind.FIELD, r"\.\w+"),
    (TokenKind.DOT, r"\."),
    (TokenKind.WORD, r"\w+"),
)
_ACTION: Final = re.compile("|".join(f"(?P<{kind.name}>{pattern})" for kind, pattern in _PIECES))
_TRIMMED_RIGHT: Final = re.compile(r"[ \t\r\n]-}}")
_BEFORE_COMMENT: Final = re.compile(r"{{(?:-[ \t\r\n])?/\*")
_NEEDS_END: Final = frozenset({TokenKind.NUMBER, TokenKind.VARIABLE, TokenKind.FIELD, TokenKind.DOT, TokenKind.WORD})
_UNCLOSED: Final = {'"': "a string is not closed", "`": "a raw string is not closed", "'": "a character is not closed"}


def scan(source: TemplateSource) -> list[Token]:
    """Cut a template into tokens, the last of which is `TokenKind.END`; raise `TemplateError`."""
    tokens: list[Token] = []
    position = 0
    text = source.text
    while True:
        start = text.find("{{", position)
        upto = len(text) if start < 0 else start
        plain = text[position:upto]
        if start >= 0 and _has_left_trim(text, start):
            plain = plain.rstrip(SPACES)
        if plain:
            tokens.append(Token(TokenKind.TEXT, plain, position))
        if start < 0:
            return [*tokens, Token(TokenKind.END, "", len(text))]
        position = _skip_comment(source, start) if _BEFORE_COMMENT.match(text, start) else _scan_action(source, start, tokens)


def _has_left_trim(text: str, start: int) -> bool:
    return text[start + 2 : start + 3] == "-" and text[start + 3 : start + 4] in (*SPACES,)


def _skip_comment(source: TemplateSource, start: int) -> int:
    end = source.text.find("*/", source.text.index("/*", start) + 2)
    if end < 0:
        raise source.fault(start, "a comment is not closed", hint="end it with */}}")
    end += 2
    return _after_right(source.text, end) or _wrong_comment(source, end)


def _wrong_comment(source: TemplateSource, position: int) -> int:
    raise source.fault(position, "a comment ends before its closing }}", hint="a comment is alone in its action: {{/* … */}}")


def _after_right(text: str, position: int) -> int | None:
    """Return the position behind the right delimiter at *position* and the spaces its marker trims; None without one."""
    if text.startswith("}}", position):
        return position + 2
    if not _TRIMMED_RIGHT.match(text, position):
        return None
    position += 4
    while text[position : position + 1] in (*SPACES,):
        position += 1
    return position


def _scan_action(source: TemplateSource, start: int, tokens: list[Token]) -> int:
    text = source.text
    tokens.append(Token(TokenKind.LEFT, "{{", start))
    position = start + (3 if _has_left_trim(text, start) else 2)
    while True:
        after = _after_right(text, position)
        if after is not None:
            tokens.append(Token(TokenKind.RIGHT, "}}", position))
            return after
        token = _next_piece(source, position, start)
        tokens.append(token)
        position += len(token.text)


def _next_piece(source: TemplateSource, position: int, start: int) -> Token:
    text = source.text
    if position >= len(text):
        raise source.fault(start, "an action is not closed", hint="end it with }}")
    found = _ACTION.match(text, position)
    if found is None:
        raise _unknown_piece(source, position)
    kind, piece = TokenKind[found.lastgroup or "END"], found.group()
    if kind is TokenKind.SPACE and _TRIMMED_RIGHT.match(text, position + len(piece) - 1) and len(piece) > 1:
        piece = piece[:-1]
    if kind in _NEEDS_END and not _is_terminated(text, position + len(piece), kind):
        raise source.fault(
            position + len(piece), f"{text[position + len(piece)]!r} cannot follow {piece!r}", hint="leave a space"
        )
    return Token(kind, piece, position)


def _unknown_piece(source: TemplateSource, position: int) -> Exception:
    char = source.text[position]
    if char in _UNCLOSED:
        return source.fault(position, _UNCLOSED[char], hint=f"end it with {char}")
    return source.fault(position, f"{char!r} has no meaning in an action")


def _is_terminated(text: str, position: int, kind: TokenKind) -> bool:
    following = text[position : position + 1]
    if kind in {TokenKind.NUMBER, TokenKind.DOT}:
        return not (following == "_" or following.isalnum())
    return not following or following in " \t\r\n.,|:)(" or text.startswith("}}", position)
