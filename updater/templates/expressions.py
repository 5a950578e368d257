"""Evaluate pipelines, fields and calls to values.

Source: https://pkg.go.dev/text/template, "Arguments", "Pipelines", "Functions"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from updater.errors import TemplateError
from updater.templates.fields import Fields
from updater.templates.functions.signature import Param
from updater.templates.limits import MAX_ITEMS, MAX_TEXT, Meter, refuse
from updater.templates.nodes import Call, Chain, Dot, Field, LiteralNode, Number, Pipeline, Variable
from updater.templates.values import NOTHING, is_number, is_true, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from updater.templates.functions.signature import Function
    from updater.templates.nodes import Command, Operand
    from updater.templates.source import TemplateSource

_SLOW_CALL: Final = 20
_SHORT_CIRCUITS: Final = {"and": False, "or": True}


class VariableScope:
    """The variables in scope, innermost last."""

    def __init__(self, root: object) -> None:
        self._variables: list[tuple[str, object]] = [("$", root)]

    def mark(self) -> int:
        """Remember how many there are now."""
        return len(self._variables)

    def forget(self, mark: int) -> None:
        """Drop those made since *mark*."""
        del self._variables[mark:]

    def bind(self, values: Iterable[tuple[str, object]], *, is_assignment: bool) -> None:
        """Make new variables, or give known ones another value."""
        for name, value in values:
            if is_assignment:
                self._variables[self._position(name)] = (name, value)
            else:
                self._variables.append((name, value))

    def find(self, name: str) -> object:
        """Return the value of a variable, which the parser has seen."""
        return self._variables[self._position(name)][1]

    def _position(self, name: str) -> int:
        return next(index for index in range(len(self._variables) - 1, -1, -1) if self._variables[index][0] == name)


class Evaluator:
    """Return the values of expressions; every error has the position of its expression."""

    def __init__(self, source: TemplateSource, functions: Mapping[str, Function], meter: Meter) -> None:
        self._source = source
        self._functions = functions
        self._meter = meter
        self._fields = Fields(source)

    def at(self, position: int, do: Callable[[], None]) -> None:
        """Do something, and say where it was if it raises."""
        try:
            do()
        except TemplateError as error:
            raise self._source.fault(position, error.message, hint=error.hint, code=error.code) from None

    def pipeline(self, node: Pipeline, dot: object, scope: VariableScope) -> object:
        """Return the value of the last command, and bind the variables."""
        value = self.range_value(node, dot, scope)
        scope.bind(((name, value) for name in node.variables), is_assignment=node.is_assignment)
        return value

    def range_value(self, node: Pipeline, dot: object, scope: VariableScope) -> object:
        """Return the value of the last command; the variables are left to the caller."""
        piped: tuple[object, ...] = ()
        for command in node.commands:
            value = self._command(command, dot, scope, piped)
            piped = (NOTHING if value is None else value,)
        return piped[0]

    def _command(self, command: Command, dot: object, scope: VariableScope, piped: tuple[object, ...]) -> object:
        first, *arguments = command.operands
        if isinstance(first, Call):
            return self._call(first, arguments, dot, scope, piped)
        if isinstance(first, (Field, Chain, Variable)) and not (isinstance(first, Variable) and len(first.names) == 1):
            return self._field_of(first, arguments, dot, scope, piped)
        if arguments or piped:
            self._source.stop(
                command.position, "what is not a function is given arguments", hint="a function comes first: {{ len .Changes }}"
            )
        if isinstance(first, LiteralNode) and first.value is None:
            self._source.stop(first.position, "nil alone is not a command")
        return self._plain(first, dot, scope)

    def _plain(self, node: Operand, dot: object, scope: VariableScope) -> object:
        """Return the value of an operand that nothing is asked of."""
        if isinstance(node, LiteralNode):
            return node.value
        if isinstance(node, Number):
            return node.real if node.is_float or node.whole is None else node.whole
        if isinstance(node, Dot):
            return dot
        if isinstance(node, Pipeline):
            return self.pipeline(node, dot, scope)
        if isinstance(node, Call):
            return self._call(node, [], dot, scope, ())
        return self._field_of(node, [], dot, scope, ())

    def _field_of(
        self,
        node: Field | Chain | Variable,
        arguments: list[Operand],
        dot: object,
        scope: VariableScope,
        piped: tuple[object, ...],
    ) -> object:
        names: tuple[str, ...] = node.names
        if isinstance(node, Field):
            value = dot
        elif isinstance(node, Variable):
            value, names = scope.find(names[0]), names[1:]
        else:
            value = self._plain(node.of, dot, scope)
        if not names:
            return value
        for name in names[:-1]:
            value = self._fields.get(node.position, value, name)
        given = [*(self._plain(argument, dot, scope) for argument in arguments), *piped]
        return self._fields.get(node.position, value, names[-1], given)

    def _call(self, node: Call, arguments: list[Operand], dot: object, scope: VariableScope, piped: tuple[object, ...]) -> object:
        self.at(node.position, self._meter.spend)
        if node.name in _SHORT_CIRCUITS:
            return self._short_circuit(node, arguments, dot, scope, piped)
        function = self._functions[node.name]
        count = len(arguments) + len(piped)
        if complaint := function.wants(count):
            self._source.stop(node.position, f"{node.name} {complaint}")
        values = [self._argument(item, function.param(index), dot, scope) for index, item in enumerate(arguments)]
        values += [self._fitting(node.position, value, function.param(count - 1)) for value in piped]
        return self._called(node, function, values)

    def _called(self, node: Call, function: Function, values: list[object]) -> object:
        try:
            for value in values:
                self._meter.weigh(value, deep=function.is_deep)
            if function.is_slow:
                self._meter.spend(_SLOW_CALL + sum(len(value) for value in values if isinstance(value, str)))
            made = function.call(*values)
            self._meter.weigh(made, deep=False)
        except TemplateError as error:
            raise self._source.fault(node.position, f"{node.name}: {error.message}", hint=error.hint, code=error.code) from None
        too_long = isinstance(made, str) and len(made) > MAX_TEXT
        too_many = isinstance(made, (list, dict)) and len(made) > MAX_ITEMS
        if too_long or too_many:
            self.at(node.position, lambda: _raise(refuse(f"{node.name} makes too much")))
        return made

    def _short_circuit(
        self, node: Call, arguments: list[Operand], dot: object, scope: VariableScope, piped: tuple[object, ...]
    ) -> object:
        if not arguments and not piped:
            self._source.stop(node.position, f"{node.name} wants at least 1 argument, not 0")
        value: object = NOTHING
        for argument in arguments:
            value = self._argument(argument, Param.ANY, dot, scope)
            if is_true(value) is _SHORT_CIRCUITS[node.name]:
                return value
        return piped[0] if piped else value

    def _argument(self, node: Operand, param: Param | None, dot: object, scope: VariableScope) -> object:
        if isinstance(node, LiteralNode) and node.value is None:
            if param not in {Param.ANY, Param.MAP}:
                self._source.stop(node.position, f"nil is no {param}")
            return {} if param is Param.MAP else None
        if isinstance(node, Number) and param is Param.INT and node.whole is not None:
            return node.whole
        if isinstance(node, Number) and param is Param.FLOAT:
            return node.real
        return self._fitting(node.position, self._plain(node, dot, scope), param)

    def _fitting(self, position: int, value: object, param: Param | None) -> object:
        """Return *value* as what the parameter wants. Ints of both kinds fit, and any map does; Go is stricter."""
        if value is NOTHING or value is None:
            if param in {Param.ANY, Param.MAP}:
                return {} if param is Param.MAP else None
        elif param is Param.ANY or _fits(value, param):
            return value
        hint = (
            "convert it first, by toString" if param is Param.STRING else "convert it first, by int" if param is Param.INT else ""
        )
        return self._source.stop(position, f"a {type_name(value)} is no {param}", hint=hint)


def _fits(value: object, param: Param | None) -> bool:
    if param is Param.STRING:
        return isinstance(value, str)
    if param is Param.INT:
        return is_number(value)
    if param is Param.FLOAT:
        return isinstance(value, float)
    if param is Param.BOOL:
        return isinstance(value, bool)
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def _raise(error: TemplateError) -> None:
    raise error
