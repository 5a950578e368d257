"""The grammar of blocks: which actions open, divide and end them, and what a template defines.

Source: https://pkg.go.dev/text/template, "Actions", "Nested template definitions"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.templates.cursor import Cursor
from updater.templates.lexer import Token, TokenKind
from updater.templates.nodes import Action, Branch, Invocation, Leap, Text
from updater.templates.pipelines import KEYWORDS, Pipelines

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.templates.nodes import Node
    from updater.templates.source import TemplateSource


class Parser:
    """Parse one template; *check_function* is called with the name of each function, and raises for an unknown one.

    `parse` gives the nodes by template name; that of the whole text is ``""``.
    """

    def __init__(self, source: TemplateSource, check_function: Callable[[str, int], None]) -> None:
        self._cursor = Cursor(source)
        self._pipelines = Pipelines(self._cursor, check_function)
        self._ranges = 0
        self._trees: dict[str, tuple[Node, ...]] = {}

    def parse(self) -> dict[str, tuple[Node, ...]]:
        """Read the whole; raise `TemplateError`."""
        nodes, ending = self._nodes(is_top=True)
        if ending is not None:
            self._cursor.fail(
                ending, f"{{{{{ending.text}}}}} has nothing to end", hint="remove it, or open an if, range or with before it"
            )
        self._trees[""] = nodes
        return self._trees

    def _nodes(self, *, is_top: bool = False, opened: Token | None = None) -> tuple[tuple[Node, ...], Token | None]:
        """Read up to the ``end`` or ``else`` that belongs here, and give that token; at the top, up to the end of the text."""
        nodes: list[Node] = []
        while (token := self._cursor.next()).kind is not TokenKind.END:
            if token.kind is TokenKind.TEXT:
                nodes.append(Text(token.position, token.text))
                continue
            word = self._cursor.peek()
            if word.kind is TokenKind.WORD and word.text in {"end", "else"}:
                return tuple(nodes), self._cursor.next()
            if word.kind is TokenKind.WORD and word.text in KEYWORDS:
                self._cursor.at += 1
                node = self._control(word, is_top=is_top)
            else:
                node = Action(word.position, self._pipelines.pipeline("an action", TokenKind.RIGHT))
            if node is not None:
                nodes.append(node)
        if opened is not None:
            self._cursor.fail(opened, f"{{{{{opened.text}}}}} is not ended", hint="write {{end}} where it ends")
        return tuple(nodes), None

    def _control(self, word: Token, *, is_top: bool) -> Node | None:
        self._cursor.enter(word)
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
        self._cursor.leave()
        return node

    def _branch(self, word: Token) -> Branch:
        mark = len(self._pipelines.variables)
        pipeline = self._pipelines.pipeline(word.text, TokenKind.RIGHT)
        self._ranges += word.text == "range"
        body, ending = self._nodes(opened=word)
        self._ranges -= word.text == "range"
        otherwise = self._otherwise(word) if ending is not None and ending.text == "else" else None
        if otherwise is None:
            self._cursor.expect_right("end")
        del self._pipelines.variables[mark:]
        return Branch(word.position, word.text, pipeline, body, otherwise)

    def _otherwise(self, word: Token) -> tuple[Node, ...]:
        following = self._cursor.peek()
        if following.kind is TokenKind.WORD and following.text == word.text and word.text in {"if", "with"}:
            # An else-if chain nests one deeper with each link, and shares one {{end}}.
            self._cursor.at += 1
            node = self._control(following, is_top=False)
            return (node,) if node else ()
        self._cursor.expect_right("else")
        body, ending = self._nodes(opened=word)
        if ending is not None and ending.text == "else":
            self._cursor.fail(ending, "a second {{else}}", hint="an if, range or with has one {{else}}")
        self._cursor.expect_right("end")
        return body

    def _leap(self, word: Token) -> Leap:
        self._cursor.expect_right(word.text)
        if not self._ranges:
            self._cursor.fail(word, f"{{{{{word.text}}}}} outside {{{{range}}}}")
        return Leap(word.position, word.text)

    def _invocation(self, word: Token) -> Invocation:
        name = self._name(word)
        if self._cursor.peek().kind is TokenKind.RIGHT:
            self._cursor.at += 1
            return Invocation(word.position, name, None)
        return Invocation(word.position, name, self._pipelines.pipeline("template", TokenKind.RIGHT))

    def _block(self, word: Token) -> Invocation:
        name = self._name(word)
        pipeline = self._pipelines.pipeline("block", TokenKind.RIGHT)
        self._definition(word, name)
        return Invocation(word.position, name, pipeline)

    def _define(self, word: Token, *, is_top: bool) -> None:
        if not is_top:
            self._cursor.fail(word, "{{define}} inside another block", hint="define it at the top, outside if, range and with")
        name = self._name(word)
        self._cursor.expect_right("define")
        self._definition(word, name)

    def _definition(self, word: Token, name: str) -> None:
        kept = self._pipelines.variables, self._ranges
        self._pipelines.variables, self._ranges = ["$"], 0
        body, ending = self._nodes(opened=word)
        if ending is not None and ending.text == "else":
            self._cursor.fail(ending, f"{{{{else}}}} in {{{{{word.text}}}}}")
        self._cursor.expect_right("end")
        self._pipelines.variables, self._ranges = kept
        is_blank = all(isinstance(node, Text) and not node.text.strip() for node in body)
        before = self._trees.get(name)
        if before and not is_blank and not all(isinstance(node, Text) and not node.text.strip() for node in before):
            self._cursor.fail(word, f"template {name!r} is defined twice", hint="give one of them another name")
        if not (before and is_blank):
            self._trees[name] = body

    def _name(self, word: Token) -> str:
        token = self._cursor.next_word()
        if token.kind is not TokenKind.STRING:
            self._cursor.fail(token, f"{{{{{word.text}}}}} wants a name in quotes, not {token}")
        return self._cursor.unquoted(token)
