"""Evaluate the nodes of a template: text, actions and blocks.

Source: https://pkg.go.dev/text/template, "Actions", "Variables"
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from updater.templates.expressions import Evaluator, VariableScope
from updater.templates.limits import MAX_RUN_DEPTH, MAX_TEXT, Meter
from updater.templates.nodes import Action, Branch, Invocation, Leap, Text
from updater.templates.printing import show
from updater.templates.source import DATA, LIMIT
from updater.templates.values import NOTHING, is_number, is_true, sorted_items, type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.templates.functions.signature import Function
    from updater.templates.nodes import Node
    from updater.templates.source import TemplateSource


class _Then(Enum):
    """How the walk goes on behind a node."""

    NEXT = "next"
    BREAK = "break"
    CONTINUE = "continue"


class Run:
    """One run of a template over its data; it is used once."""

    def __init__(self, source: TemplateSource, trees: Mapping[str, tuple[Node, ...]], functions: Mapping[str, Function]) -> None:
        self._source = source
        self._trees = trees
        self._meter = Meter()
        self._evaluator = Evaluator(source, functions, self._meter)
        self._made: list[str] = []
        self._length = 0
        self._depth = 0

    def render(self, data: object) -> str:
        """Return the text; raise `TemplateError`."""
        self._walk(self._trees[""], data, VariableScope(data))
        return "".join(self._made)

    def _walk(self, nodes: Iterable[Node], dot: object, scope: VariableScope) -> _Then:
        for node in nodes:
            self._evaluator.at(node.position, self._meter.spend)
            then = self._node(node, dot, scope)
            if then is not _Then.NEXT:
                return then
        return _Then.NEXT

    def _node(self, node: Node, dot: object, scope: VariableScope) -> _Then:
        if isinstance(node, Text):
            self._print(node.position, node.text)
        elif isinstance(node, Action):
            self._act(node, dot, scope)
        elif isinstance(node, Leap):
            return _Then(node.word)
        elif isinstance(node, Invocation):
            self._invoke(node, dot, scope)
        else:
            return self._block(node, dot, scope)
        return _Then.NEXT

    def _act(self, node: Action, dot: object, scope: VariableScope) -> None:
        value = self._evaluator.pipeline(node.pipeline, dot, scope)
        if not node.pipeline.variables:
            self._evaluator.at(node.position, lambda: self._meter.weigh(value, deep=True))
            self._print(node.position, _shown(value))

    def _print(self, position: int, text: str) -> None:
        self._length += len(text)
        if self._length > MAX_TEXT:
            raise self._source.fault(position, f"the text is longer than {MAX_TEXT} characters", code=LIMIT)
        self._made.append(text)

    def _block(self, node: Branch, dot: object, scope: VariableScope) -> _Then:
        self._depth += 1
        if self._depth > MAX_RUN_DEPTH:
            raise self._source.fault(node.position, "templates call each other too deep", code=LIMIT)
        mark = scope.mark()
        then = self._range(node, dot, scope) if node.word == "range" else self._choose(node, dot, scope)
        scope.forget(mark)
        self._depth -= 1
        return then

    def _choose(self, node: Branch, dot: object, scope: VariableScope) -> _Then:
        value = self._evaluator.pipeline(node.pipeline, dot, scope)
        if is_true(value):
            return self._walk(node.body, value if node.word == "with" else dot, scope)
        return self._walk(node.otherwise or (), dot, scope)

    def _range(self, node: Branch, dot: object, scope: VariableScope) -> _Then:
        value = self._evaluator.range_value(node.pipeline, dot, scope)
        pairs = self._pairs(node, value)
        names = node.pipeline.variables
        is_empty = True
        for index, item in pairs:
            is_empty = False
            mark = scope.mark()
            self._evaluator.at(node.position, self._meter.spend)
            bound = ((names[0], item),) if len(names) == 1 else tuple(zip(names, (index, item), strict=False))
            scope.bind(bound, is_assignment=node.pipeline.is_assignment)
            then = self._walk(node.body, item, scope)
            scope.forget(mark)
            if then is _Then.BREAK:
                break
        # A leap in the else branch belongs to a range around this one.
        return self._walk(node.otherwise or (), dot, scope) if is_empty else _Then.NEXT

    def _pairs(self, node: Branch, value: object) -> Iterable[tuple[object, object]]:
        if isinstance(value, list):
            return enumerate(value)
        if isinstance(value, dict):
            return sorted_items(value)
        if is_number(value) and isinstance(value, int):
            if len(node.pipeline.variables) > 1:
                raise self._source.fault(node.position, "a range over a number has one variable", code=DATA)
            return ((NOTHING, type(value)(count)) for count in range(value))
        if value is NOTHING or value is None:
            return ()
        raise self._source.fault(
            node.position,
            f"range cannot go over a {type_name(value)}",
            hint="it goes over lists, maps and whole numbers",
            code=DATA,
        )

    def _invoke(self, node: Invocation, dot: object, scope: VariableScope) -> None:
        nodes = self._trees.get(node.name)
        if nodes is None:
            raise self._source.fault(node.position, f"there is no template {node.name!r}", hint=self._defined(), code=DATA)
        value = NOTHING if node.pipeline is None else self._evaluator.pipeline(node.pipeline, dot, scope)
        self._depth += 1
        if self._depth > MAX_RUN_DEPTH:
            raise self._source.fault(node.position, "templates call each other too deep", code=LIMIT)
        self._walk(nodes, value, VariableScope(value))
        self._depth -= 1

    def _defined(self) -> str:
        names = ", ".join(repr(name) for name in sorted(self._trees) if name)
        return f"defined are {names}" if names else "write it by {{define}} first"


def _shown(value: object) -> str:
    """Return what an action prints: a value that is not there shows as ``<no value>``."""
    return NOTHING.value if value is NOTHING or value is None else show(value)
