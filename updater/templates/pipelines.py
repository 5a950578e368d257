"""The grammar of an action: pipelines, commands, operands, and the variables in scope.

Source: https://pkg.go.dev/text/template, "Arguments", "Pipelines", "Variables"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.templates.lexer import Token, TokenKind
from updater.templates.literals import read_character, read_number
from updater.templates.nodes import Call, Chain, Command, Dot, Field, LiteralNode, Number, Operand, Pipeline, Variable

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.templates.cursor import Cursor

KEYWORDS: Final = frozenset({"block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"})
_OPERANDS: Final = frozenset(
    {
        TokenKind.DOT,
        TokenKind.FIELD,
        TokenKind.WORD,
        TokenKind.NUMBER,
        TokenKind.CHARACTER,
        TokenKind.STRING,
        TokenKind.VARIABLE,
        TokenKind.OPEN,
    }
)


class Pipelines:
    """Parse pipelines at a cursor; *variables* are those in scope, which the parser of blocks removes again.

    *check_function* is asked about each function that is named, and raises for a wrong one.
    """

    def __init__(self, cursor: Cursor, check_function: Callable[[str, int], None]) -> None:
        self._cursor = cursor
        self._check_function = check_function
        self.variables = ["$"]

    def pipeline(self, context: str, end: TokenKind) -> Pipeline:
        """Read a pipeline and the token *end* behind it; *context* names it in messages. Raise `TemplateError`."""
        start = self._cursor.peek()
        names, is_assignment = self._declarations(context)
        commands: list[Command] = []
        while (token := self._cursor.peek()).kind is not end:
            if token.kind not in _OPERANDS:
                self._cursor.fail(token, f"{token} is unexpected in {context}")
            commands.append(self._command())
        self._cursor.at += 1
        if not commands:
            self._cursor.fail(start, f"{context} has no value", hint="give it a field, a variable or a function")
        for command in commands[1:]:
            if isinstance(command.operands[0], (LiteralNode, Number, Dot)):
                self._cursor.fail_at(command.position, "only a function or a method can follow a |")
        self.variables.extend(name for name in names if not is_assignment)
        return Pipeline(start.position, tuple(commands), names, is_assignment)

    def _declarations(self, context: str) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        mark = self._cursor.at
        while (token := self._cursor.peek()).kind is TokenKind.VARIABLE:
            self._cursor.at += 1
            following = self._cursor.peek()
            if following.kind is TokenKind.COMMA and context == "range" and not names:
                names.append(token.text)
                self._cursor.at += 1
                continue
            if following.kind in {TokenKind.DECLARE, TokenKind.ASSIGN}:
                self._cursor.at += 1
                return self._declared((*names, token.text), token, is_assignment=following.kind is TokenKind.ASSIGN)
            if following.kind is TokenKind.COMMA or names:
                self._cursor.fail(
                    following, f"{context} declares variables as {'$index, $value := …' if context == 'range' else '$name := …'}"
                )
            break
        self._cursor.at = mark
        return (), False

    def _declared(self, names: tuple[str, ...], token: Token, *, is_assignment: bool) -> tuple[tuple[str, ...], bool]:
        if is_assignment:
            for name in names:
                self._check_variable(name, token.position)
        return names, is_assignment

    def _command(self) -> Command:
        start = self._cursor.peek()
        operands: list[Operand] = []
        while True:
            if self._cursor.peek().kind in _OPERANDS:
                operands.append(self._operand())
            token = self._cursor.next()
            if token.kind is TokenKind.SPACE:
                continue
            if token.kind in {TokenKind.RIGHT, TokenKind.CLOSE}:
                self._cursor.at -= 1
            elif token.kind is not TokenKind.PIPE:
                self._cursor.fail(
                    token, f"{token} is unexpected here", hint="separate arguments by spaces" if token.kind in _OPERANDS else ""
                )
            return Command(start.position, tuple(operands))

    def _operand(self) -> Operand:
        token = self._cursor.next()
        term = self._term(token)
        names: list[str] = []
        while (following := self._cursor.tokens[self._cursor.at]).kind is TokenKind.FIELD:
            names.append(following.text[1:])
            self._cursor.at += 1
        if not names:
            return term
        if isinstance(term, Field):
            return Field(term.position, (*term.names, *names))
        if isinstance(term, Variable):
            return Variable(term.position, (*term.names, *names))
        if isinstance(term, (LiteralNode, Number, Dot)):
            self._cursor.fail(token, f"{token} has no fields")
        return Chain(token.position, term, tuple(names))

    def _term(self, token: Token) -> Operand:
        position = token.position
        if token.kind is TokenKind.WORD:
            return self._word(token)
        if token.kind is TokenKind.DOT:
            return Dot(position)
        if token.kind is TokenKind.FIELD:
            return Field(position, (token.text[1:],))
        if token.kind is TokenKind.VARIABLE:
            self._check_variable(token.text, position)
            return Variable(position, (token.text,))
        if token.kind is TokenKind.STRING:
            return LiteralNode(position, self._cursor.unquoted(token))
        if token.kind is TokenKind.OPEN:
            return self._parenthesised(token)
        return self._number(token)

    def _word(self, token: Token) -> Operand:
        if token.text in {"true", "false"}:
            return LiteralNode(token.position, token.text == "true")
        if token.text == "nil":
            return LiteralNode(token.position, None)
        if token.text in KEYWORDS:
            self._cursor.fail(token, f"{token.text!r} begins an action and is not allowed inside one")
        self._check_function(token.text, token.position)
        return Call(token.position, token.text)

    def _parenthesised(self, token: Token) -> Pipeline:
        self._cursor.enter(token)
        pipeline = self.pipeline("parentheses", TokenKind.CLOSE)
        self._cursor.leave()
        return pipeline

    def _number(self, token: Token) -> Number:
        try:
            if token.kind is TokenKind.CHARACTER:
                code = read_character(token.text)
                return Number(token.position, token.text, code, float(code), is_float=False)
            return read_number(token.position, token.text)
        except ValueError as error:
            self._cursor.fail(token, str(error))

    def _check_variable(self, name: str, position: int) -> None:
        if name not in self.variables:
            self._cursor.fail_at(position, f"there is no variable {name}", hint=f"declare it first: {{{{ {name} := … }}}}")
