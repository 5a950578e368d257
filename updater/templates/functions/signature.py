"""The signature of a template function: the kinds of its parameters, and the cost of a call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Param(StrEnum):
    """A kind of parameter, by the name of its type in Go."""

    STRING = "string"
    INT = "int"
    FLOAT = "float64"
    BOOL = "bool"
    MAP = "map[string]interface {}"
    ANY = "interface {}"


_LETTERS = {"s": Param.STRING, "i": Param.INT, "f": Param.FLOAT, "b": Param.BOOL, "m": Param.MAP, "a": Param.ANY}


@dataclass(frozen=True, slots=True)
class Function:
    """A function of templates: *takes* are its parameters, *rest* the kind of any number more.

    *is_deep* says that it looks into what it is given, so that all of it is weighed; *is_slow* that every character counts.
    """

    call: Callable[..., object]
    takes: tuple[Param, ...]
    rest: Param | None = None
    is_deep: bool = False
    is_slow: bool = False

    def param(self, index: int) -> Param | None:
        """Return the kind of the parameter *index*, counted from 0; None where there is none."""
        return self.takes[index] if index < len(self.takes) else self.rest

    def wants(self, count: int) -> str:
        """Return what is wrong with *count* arguments, or give the empty text."""
        least = len(self.takes)
        if self.rest is not None and count < least:
            return f"wants at least {least} arguments, not {count}"
        if self.rest is None and count != least:
            return f"wants {least} argument{'' if least == 1 else 's'}, not {count}"
        return ""


def declare(call: Callable[..., object], takes: str = "", *, deep: bool = False, slow: bool = False) -> Function:
    """Describe a function by letters: ``s`` string, ``i`` int, ``f`` float, ``b`` bool, ``m`` map, ``a`` any.

    ``*`` behind the last means any number of it.
    """
    letters = takes.removesuffix("*")
    params = tuple(_LETTERS[letter] for letter in letters)
    if letters != takes:
        return Function(call, params[:-1], params[-1], is_deep=deep, is_slow=slow)
    return Function(call, params, is_deep=deep, is_slow=slow)


def with_strict_names(functions: Mapping[str, Function], *names: str) -> dict[str, Function]:
    """Return *functions* with each of *names* under its ``must…`` name too: ours always say what is wrong."""
    return {**functions, **{f"must{name[0].upper()}{name[1:]}": functions[name] for name in names}}
