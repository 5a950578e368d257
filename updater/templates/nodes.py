"""The nodes of a parsed template."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiteralNode:
    """A text, a bool or nil."""

    position: int
    value: str | bool | None


@dataclass(frozen=True, slots=True)
class Number:
    """A number, as an int if it is whole and as a float; *is_float* decides if both are possible."""

    position: int
    text: str
    whole: int | None
    real: float
    is_float: bool


@dataclass(frozen=True, slots=True)
class Dot:
    """The current value."""

    position: int


@dataclass(frozen=True, slots=True)
class Field:
    """``.Name.Name``."""

    position: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """``$name.Name``; the first name is the variable, with its dollar."""

    position: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """``(pipeline).Name``, or fields of the result of a function."""

    position: int
    of: Operand
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """The name of a function."""

    position: int
    name: str


@dataclass(frozen=True, slots=True)
class Command:
    """One stage of a pipeline: an operand and its arguments."""

    position: int
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each with the result of the previous one; *variables* get the result of the last one."""

    position: int
    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    is_assignment: bool = False


Operand = LiteralNode | Number | Dot | Field | Variable | Chain | Call | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is printed as it is."""

    position: int
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose value is printed, unless it sets variables."""

    position: int
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Branch:
    """``if``, ``with`` and ``range``, distinguished by *word*."""

    position: int
    word: str
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...] | None


@dataclass(frozen=True, slots=True)
class Invocation:
    """``template``, and the invocation of a ``block``."""

    position: int
    name: str
    pipeline: Pipeline | None


@dataclass(frozen=True, slots=True)
class Leap:
    """``break`` and ``continue``, distinguished by *word*."""

    position: int
    word: str


Node = Text | Action | Branch | Invocation | Leap
