"""Knows the grammar of templates: which tokens make which nodes, and which variables are in sight.

Source: https://pkg.go.dev/text/template, "Actions", "Arguments", "Pipelines", "Variables", "Nested template definitions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from updater.templates.lexer import Kind, Token, scan
from updater.templates.limits import MAX_BLOCK_DEPTH
from updater.templates.literals import read_character, read_number, unquote
from updater.templates.nodes import (
    Action,
    Branch,
    Call,
    Chain,
    Command,
    Dot,
    Field,
    Invocation,
    Leap,
    Literal,
    Number,
    Operand,
    Pipeline,
    Text,
    Variable,
)
from updater.templates.source import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.templates.nodes import Node
    from updater.templates.source import Source

_OPERANDS: Final = frozenset(
    {Kind.DOT, Kind.FIELD, Kind.WORD, Kind.NUMBER, Kind.CHARACTER, Kind.STRING, Kind.VARIABLE, Kind.OPEN}
)
_KEYWORDS: Final = frozenset(
    {"block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"},
)


class Parser:
    """Reads one template; *check_function* is asked about each function that is named, and raises for a wrong one.

    `parse` gives the nodes by template name; that of the whole text is ``""``.
    """

    def __init__(self, source: Source, check_function: Callable[[str, int], None]) -> None:
        self._source = source
        self._check_function = check_function
        self._tokens = scan(source)
        self._at = 0
        self._variables = ["$"]
        self._ranges = 0
        self._depth = 0
        self._trees: dict[str, tuple[Node, ...]] = {}

    def parse(self) -> dict[str, tuple[Node, ...]]:
        """Read the whole; raises `TemplateError`."""
        nodes, ending = self._nodes(is_top=True)
        if ending is not None:
            self._fail(
                ending, f"{{{{{ending.text}}}}} has nothing to end", hint="remove it, or open an if, range or with before it"
            )
        self._trees[""] = nodes
        return self._trees

    def _nodes(self, *, is_top: bool = False, opened: Token | None = None) -> tuple[tuple[Node, ...], Token | None]:
        """Read up to the ``end`` or ``else`` that belongs here, and give that token; at the top, up to the end of the text."""
        nodes: list[Node] = []
        while (token := self._next()).kind is not Kind.END:
            if token.kind is Kind.TEXT:
                nodes.append(Text(token.position, token.text))
                continue
            word = self._skip_space()
            if word.kind is Kind.WORD and word.text in {"end", "else"}:
                return tuple(nodes), self._next()
            if word.kind is Kind.WORD and word.text in _KEYWORDS:
                self._at += 1
                node = self._control(word, is_top=is_top)
            else:
                node = Action(word.position, self._pipeline("an action", Kind.RIGHT))
            if node is not None:
                nodes.append(node)
        if opened is not None:
            self._fail(opened, f"{{{{{opened.text}}}}} is not ended", hint="write {{end}} where it ends")
        return tuple(nodes), None

    def _control(self, word: Token, *, is_top: bool) -> Node | None:
        self._depth += 1
        if self._depth > MAX_BLOCK_DEPTH:
            raise self._source.fault(word.position, f"blocks are nested deeper than {MAX_BLOCK_DEPTH}", code=LIMIT)
        node: Node | None = None
        if word.text in {"if", "with", "range"}:
            node = self._branch(word)
        elif word.text in {"break", "continue"}:
            node = self._leap(word)
        elif word.text == "template":
            node = self._invocation(word)
        elif word.text == "block":
            node = self._block(word)
        else:
            self._define(word, is_top=is_top)
        self._depth -= 1
        return node

    def _branch(self, word: Token) -> Branch:
        mark = len(self._variables)
        pipeline = self._pipeline(word.text, Kind.RIGHT)
        self._ranges += word.text == "range"
        body, ending = self._nodes(opened=word)
        self._ranges -= word.text == "range"
        otherwise = self._otherwise(word) if ending is not None and ending.text == "else" else None
        if otherwise is None:
            self._expect_right("end")
        del self._variables[mark:]
        return Branch(word.position, word.text, pipeline, body, otherwise)

    def _otherwise(self, word: Token) -> tuple[Node, ...]:
        following = self._skip_space()
        if following.kind is Kind.WORD and following.text == word.text and word.text in {"if", "with"}:
            # An else-if chain nests one deeper with each link, and shares one {{end}}.
            self._at += 1
            node = self._control(following, is_top=False)
            return (node,) if node else ()
        self._expect_right("else")
        body, ending = self._nodes(opened=word)
        if ending is not None and ending.text == "else":
            self._fail(ending, "a second {{else}}", hint="an if, range or with has one {{else}}")
        self._expect_right("end")
        return body

    def _leap(self, word: Token) -> Leap:
        self._expect_right(word.text)
        if not self._ranges:
            self._fail(word, f"{{{{{word.text}}}}} outside {{{{range}}}}")
        return Leap(word.position, word.text)

    def _invocation(self, word: Token) -> Invocation:
        name = self._name(word)
        if self._skip_space().kind is Kind.RIGHT:
            self._at += 1
            return Invocation(word.position, name, None)
        return Invocation(word.position, name, self._pipeline("template", Kind.RIGHT))

    def _block(self, word: Token) -> Invocation:
        name = self._name(word)
        pipeline = self._pipeline("block", Kind.RIGHT)
        self._definition(word, name)
        return Invocation(word.position, name, pipeline)

    def _define(self, word: Token, *, is_top: bool) -> None:
        if not is_top:
            self._fail(word, "{{define}} inside another block", hint="define templates at the top, outside if, range and with")
        name = self._name(word)
        self._expect_right("define")
        self._definition(word, name)

    def _definition(self, word: Token, name: str) -> None:
        kept = self._variables, self._ranges
        self._variables, self._ranges = ["$"], 0
        body, ending = self._nodes(opened=word)
        if ending is not None and ending.text == "else":
            self._fail(ending, f"{{{{else}}}} in {{{{{word.text}}}}}")
        self._expect_right("end")
        self._variables, self._ranges = kept
        is_blank = all(isinstance(node, Text) and not node.text.strip() for node in body)
        before = self._trees.get(name)
        if before and not is_blank and not all(isinstance(node, Text) and not node.text.strip() for node in before):
            self._fail(word, f"template {name!r} is defined twice", hint="give one of them another name")
        if not (before and is_blank):
            self._trees[name] = body

    def _name(self, word: Token) -> str:
        token = self._next_past_space()
        if token.kind is not Kind.STRING:
            self._fail(token, f"{{{{{word.text}}}}} wants a name in quotes, not {token}")
        return self._unquoted(token)

    def _pipeline(self, context: str, end: Kind) -> Pipeline:
        start = self._skip_space()
        names, is_assignment = self._declarations(context)
        commands: list[Command] = []
        while (token := self._skip_space()).kind is not end:
            if token.kind not in _OPERANDS:
                self._fail(token, f"{token} is unexpected in {context}")
            commands.append(self._command())
        self._at += 1
        if not commands:
            self._fail(start, f"{context} has no value", hint="give it a field, a variable or a function")
        for command in commands[1:]:
            if isinstance(command.operands[0], (Literal, Number, Dot)):
                self._fail_at(command.position, "only a function or a method can follow a |")
        self._variables.extend(name for name in names if not is_assignment)
        return Pipeline(start.position, tuple(commands), names, is_assignment)

    def _declarations(self, context: str) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        mark = self._at
        while (token := self._skip_space()).kind is Kind.VARIABLE:
            self._at += 1
            following = self._skip_space()
            if following.kind is Kind.COMMA and context == "range" and not names:
                names.append(token.text)
                self._at += 1
                continue
            if following.kind in {Kind.DECLARE, Kind.ASSIGN}:
                self._at += 1
                return self._declared((*names, token.text), token, is_assignment=following.kind is Kind.ASSIGN)
            if following.kind is Kind.COMMA or names:
                self._fail(
                    following, f"{context} declares variables as {'$index, $value := …' if context == 'range' else '$name := …'}"
                )
            break
        self._at = mark
        return (), False

    def _declared(self, names: tuple[str, ...], token: Token, *, is_assignment: bool) -> tuple[tuple[str, ...], bool]:
        if is_assignment:
            for name in names:
                self._check_variable(name, token.position)
        return names, is_assignment

    def _command(self) -> Command:
        start = self._skip_space()
        operands: list[Operand] = []
        while True:
            if self._skip_space().kind in _OPERANDS:
                operands.append(self._operand())
            token = self._next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in {Kind.RIGHT, Kind.CLOSE}:
                self._at -= 1
            elif token.kind is not Kind.PIPE:
                self._fail(
                    token, f"{token} is unexpected here", hint="separate arguments by spaces" if token.kind in _OPERANDS else ""
                )
            return Command(start.position, tuple(operands))

    def _operand(self) -> Operand:
        token = self._next()
        term = self._term(token)
        names: list[str] = []
        while (following := self._tokens[self._at]).kind is Kind.FIELD:
            names.append(following.text[1:])
            self._at += 1
        if not names:
            return term
        if isinstance(term, Field):
            return Field(term.position, (*term.names, *names))
        if isinstance(term, Variable):
            return Variable(term.position, (*term.names, *names))
        if isinstance(term, (Literal, Number, Dot)):
            self._fail(token, f"{token} has no fields")
        return Chain(token.position, term, tuple(names))

    def _term(self, token: Token) -> Operand:
        position = token.position
        if token.kind is Kind.WORD:
            return self._word(token)
        if token.kind is Kind.DOT:
            return Dot(position)
        if token.kind is Kind.FIELD:
            return Field(position, (token.text[1:],))
        if token.kind is Kind.VARIABLE:
            self._check_variable(token.text, position)
            return Variable(position, (token.text,))
        if token.kind is Kind.STRING:
            return Literal(position, self._unquoted(token))
        if token.kind is Kind.OPEN:
            return self._parenthesised(token)
        return self._number(token)

    def _word(self, token: Token) -> Operand:
        if token.text in {"true", "false"}:
            return Literal(token.position, token.text == "true")
        if token.text == "nil":
            return Literal(token.position, None)
        if token.text in _KEYWORDS:
            self._fail(token, f"{token.text!r} begins an action and cannot stand inside one")
        self._check_function(token.text, token.position)
        return Call(token.position, token.text)

    def _parenthesised(self, token: Token) -> Pipeline:
        self._depth += 1
        if self._depth > MAX_BLOCK_DEPTH:
            raise self._source.fault(token.position, f"parentheses are nested deeper than {MAX_BLOCK_DEPTH}", code=LIMIT)
        pipeline = self._pipeline("parentheses", Kind.CLOSE)
        self._depth -= 1
        return pipeline

    def _number(self, token: Token) -> Number:
        try:
            if token.kind is Kind.CHARACTER:
                code = read_character(token.text)
                return Number(token.position, token.text, code, float(code), is_float=False)
            return read_number(token.position, token.text)
        except ValueError as error:
            self._fail(token, str(error))

    def _unquoted(self, token: Token) -> str:
        try:
            return unquote(token.text)
        except ValueError as error:
            self._fail(token, str(error))

    def _check_variable(self, name: str, position: int) -> None:
        if name not in self._variables:
            self._fail_at(position, f"there is no variable {name}", hint=f"declare it first: {{{{ {name} := … }}}}")

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += token.kind is not Kind.END
        return token

    def _skip_space(self) -> Token:
        while self._tokens[self._at].kind is Kind.SPACE:
            self._at += 1
        return self._tokens[self._at]

    def _next_past_space(self) -> Token:
        self._skip_space()
        return self._next()

    def _expect_right(self, context: str) -> None:
        token = self._next_past_space()
        if token.kind is not Kind.RIGHT:
            self._fail(token, f"{token} is unexpected after {context}")

    def _fail(self, token: Token, message: str, *, hint: str = "") -> NoReturn:
        self._fail_at(token.position, message, hint=hint)

    def _fail_at(self, position: int, message: str, *, hint: str = "") -> NoReturn:
        raise self._source.fault(position, message, hint=hint)
