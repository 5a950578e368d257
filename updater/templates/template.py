"""A template: parsed once, checked by name, rendered any number of times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from updater.templates.evaluate import Run
from updater.templates.functions import FUNCTIONS, REFUSED, SHORT_CIRCUITS, meant
from updater.templates.functions.signature import Function, Param
from updater.templates.limits import MAX_SOURCE
from updater.templates.nodes import Action, Branch, Chain, Command, Field, Invocation, Pipeline, Variable
from updater.templates.parser import Parser
from updater.templates.source import FUNCTION, LIMIT, TemplateSource
from updater.templates.values import octets, thaw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from updater.templates.nodes import Node, Operand


class Template:
    """A parsed template. It keeps no state of a run, and may be shared."""

    def __init__(self, source: TemplateSource, trees: Mapping[str, tuple[Node, ...]], functions: Mapping[str, Function]) -> None:
        self._source = source
        self._trees = trees
        self._functions = functions

    def render(self, data: object) -> str:
        """Return the text for *data*: mappings, sequences, `Struct`, texts, numbers, bools and None.

        The data is copied first, so that no template changes it. Raise `TemplateError` with line and column.
        """
        text = Run(self._source, self._trees, self._functions).render(thaw(data))
        return octets(text).decode("utf-8", "replace")

    def fields(self) -> frozenset[str]:
        """Return the fields of its data that the template names, for a check before there is any data."""
        return frozenset(names[0] for names in self.chains())

    def chains(self) -> frozenset[tuple[str, ...]]:
        """Return the same with what follows: ``("Changed", "Changes")`` for ``.Changed.Changes``.

        Where range or with have moved the dot only ``$.Field`` is counted, and nothing in a defined template.
        """
        return frozenset(_chains(self._trees[""], is_root=True))


def parse(text: str, *, name: str = "template", functions: Mapping[str, Callable[..., object]] | None = None) -> Template:
    """Read a template; *functions* add to the known ones, or stand in for one of the same name.

    A function of the caller takes any values (see `updater.templates.values`) and raises `TemplateError` only.
    Raises `TemplateError` with line, column and a hint.
    """
    source = TemplateSource(name, text)
    if len(text) > MAX_SOURCE:
        raise source.fault(0, f"a template of {len(text)} characters", hint=f"the longest has {MAX_SOURCE}", code=LIMIT)
    known = {**FUNCTIONS, **{key: _adopted(key, call) for key, call in (functions or {}).items()}}
    trees = Parser(source, lambda called, position: _check(source, known, called, position)).parse()
    return Template(source, trees, known)


def _adopted(name: str, call: Callable[..., object]) -> Function:
    known = FUNCTIONS.get(name)
    if known is not None:
        return Function(call, known.takes, known.rest, is_deep=known.is_deep)
    return Function(call, (), Param.ANY, is_deep=True)


def _check(source: TemplateSource, known: Mapping[str, Function], name: str, position: int) -> None:
    if name in known or name in SHORT_CIRCUITS:
        return
    if name in REFUSED:
        raise source.fault(position, f"function {name!r} is refused", hint=REFUSED[name], code=FUNCTION)
    close = meant(name, known)
    hint = f"did you mean {close}?" if close else "docs/reference/templates.md lists the functions"
    raise source.fault(position, f"function {name!r} is not defined", hint=hint, code=FUNCTION)


def _chains(nodes: Iterable[Node], *, is_root: bool) -> Iterator[tuple[str, ...]]:
    for node in nodes:
        if isinstance(node, (Action, Invocation)) and node.pipeline is not None:
            yield from _of_pipeline(node.pipeline, is_root=is_root)
        elif isinstance(node, Branch):
            yield from _of_pipeline(node.pipeline, is_root=is_root)
            yield from _chains(node.body, is_root=is_root and node.word == "if")
            yield from _chains(node.otherwise or (), is_root=is_root)


def _of_pipeline(pipeline: Pipeline, *, is_root: bool) -> Iterator[tuple[str, ...]]:
    for command in pipeline.commands:
        yield from _of_command(command, is_root=is_root)


def _of_command(command: Command, *, is_root: bool) -> Iterator[tuple[str, ...]]:
    for operand in command.operands:
        yield from _of_operand(operand, is_root=is_root)


def _of_operand(operand: Operand, *, is_root: bool) -> Iterator[tuple[str, ...]]:
    if isinstance(operand, Field) and is_root:
        yield operand.names
    elif isinstance(operand, Variable) and operand.names[0] == "$" and len(operand.names) > 1:
        yield operand.names[1:]
    elif isinstance(operand, Chain):
        yield from _of_operand(operand.of, is_root=is_root)
    elif isinstance(operand, Pipeline):
        yield from _of_pipeline(operand, is_root=is_root)
