"""The base of every part of the settings: frozen, strict, described by its docstrings."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping


class Node(BaseModel):
    """A part of the settings: frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, defer_build=True)


@cache
def descriptions(tree: type[BaseModel]) -> Mapping[str, str]:
    """Return the docstring below each field of *tree*, those of the part that it extends among them.

    They are read from the source when a schema or a problem needs them: pydantic would read them at every start.
    """
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(tree))).body
    assert isinstance(found, ast.ClassDef)  # noqa: S101 - the source of a class
    described = {
        name: said
        for base in tree.__bases__
        if issubclass(base, BaseModel) and base not in {BaseModel, Node}
        for name, said in descriptions(base).items()
    }
    for field, text in zip(found.body, found.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                described[name] = inspect.cleandoc(said)
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=str(name)))]), ast.Expr(
                value=ast.Constant(value=str(said))
            ):
                described[name] = inspect.cleandoc(said)  # a key that is a word of Python
            case _:
                pass
    return described
