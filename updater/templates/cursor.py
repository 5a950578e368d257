"""The parser's position in the tokens, its depth, and its error messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from updater.templates.lexer import Token, TokenKind, scan
from updater.templates.limits import MAX_BLOCK_DEPTH
from updater.templates.literals import unquote
from updater.templates.source import LIMIT

if TYPE_CHECKING:
    from updater.templates.source import TemplateSource


class Cursor:
    """The tokens of one template, and the index of the next one, *at*."""

    def __init__(self, source: TemplateSource) -> None:
        self.source = source
        self.tokens = scan(source)
        self.at = 0
        self._depth = 0

    def next(self) -> Token:
        """Take the next token; at the end it stays."""
        token = self.tokens[self.at]
        self.at += token.kind is not TokenKind.END
        return token

    def peek(self) -> Token:
        """Pass over spaces, and look at the token behind them."""
        while self.tokens[self.at].kind is TokenKind.SPACE:
            self.at += 1
        return self.tokens[self.at]

    def next_word(self) -> Token:
        """Pass over spaces, and take the token behind them."""
        self.peek()
        return self.next()

    def expect_right(self, context: str) -> None:
        """Take the right delimiter, or fail."""
        token = self.next_word()
        if token.kind is not TokenKind.RIGHT:
            self.fail(token, f"{token} is unexpected after {context}")

    def fail(self, token: Token, message: str, *, hint: str = "") -> NoReturn:
        """Return what is wrong with *token*; raise `TemplateError`."""
        self.fail_at(token.position, message, hint=hint)

    def fail_at(self, position: int, message: str, *, hint: str = "") -> NoReturn:
        """Return what is wrong at *position*; raise `TemplateError`."""
        raise self.source.fault(position, message, hint=hint)

    def unquoted(self, token: Token) -> str:
        """Return the text of a string token; raise `TemplateError`."""
        try:
            return unquote(token.text)
        except ValueError as error:
            self.fail(token, str(error))

    def enter(self, token: Token) -> None:
        """Go one level deeper, into a block or parentheses; raise `TemplateError` where that is too deep."""
        self._depth += 1
        if self._depth > MAX_BLOCK_DEPTH:
            raise self.source.fault(token.position, f"{token} is nested deeper than {MAX_BLOCK_DEPTH}", code=LIMIT)

    def leave(self) -> None:
        """Come back from the level entered last."""
        self._depth -= 1
