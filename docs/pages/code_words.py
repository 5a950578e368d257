"""Find stable codes in the source; a code has one of these forms.

A code is a word such as ``no-such-key``. It is found as ``code="…"`` in a call or an assignment, as a class's
``default_code``, in a table whose name ends in ``CODES``, ``FAULTS``, ``FAILURES`` or ``KINDS``, as an argument at the place
of a parameter named ``code``, as a constant that stands at one of these places, and as the code of a flaw
(``(place, code, message, hint)``, with or without the place) in the rooms that read files.
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WORD: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TABLES: Final = ("CODES", "FAULTS", "FAILURES", "KINDS")
_FLAW_ROOMS: Final = ("settings", "sources", "argocd", "flux", "validation")
# these speak of other things under the name `code`: the code of a line of text, of a registry that is played
_STRANGERS: Final = ("cli/embedded_registry.py", "editors/marker_text.py", "templates/quoting.py", "templates/literals.py")


def code_words(package: Path) -> dict[str, str]:
    """Return every code in the source of *package*, with one place (path:line) where it stands."""
    trees = {path.relative_to(package).as_posix(): ast.parse(path.read_bytes()) for path in sorted(package.rglob("*.py"))}
    constants = {name: value for tree in trees.values() for name, value in _constants(tree)}
    takers = {name: index for path, tree in trees.items() if path not in _STRANGERS for name, index in _takers(tree)}
    found: dict[str, str] = {}
    for path, tree in trees.items():
        for value in (value for node in ast.walk(tree) for value in _places(node, takers, path)):
            for word, line in _words(value, constants):
                found.setdefault(word, f"{path}:{line}")
    return dict(sorted(found.items()))


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield target.id, value.value


def _takers(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Find the functions that take a code by its place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [item.arg for item in node.args.args if item.arg not in {"self", "cls"}]
            if "code" in names:
                yield node.name, names.index("code")


def _places(node: ast.AST, takers: dict[str, int], path: str) -> Iterator[ast.expr]:
    match node:
        case ast.keyword(arg="code", value=value):
            yield value
        case (
            ast.Assign(targets=[ast.Name(id="code" | "default_code")], value=value)
            | ast.AnnAssign(target=ast.Name(id="code"), value=ast.expr() as value)
        ):
            yield value
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as table)
            | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as table)
        ) if name.endswith(_TABLES):
            yield from _entries(table, with_keys=name.endswith("FAULTS"))
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in takers:
            yield from args[takers[name] : takers[name] + 1]
        case ast.Tuple(elts=parts) if path.startswith(_FLAW_ROOMS):
            yield from _of_flaw(parts)
        case ast.ClassDef(name="Code", body=body):
            yield from (item.value for item in body if isinstance(item, ast.Assign))


def _entries(table: ast.expr, *, with_keys: bool) -> Iterator[ast.expr]:
    if isinstance(table, ast.Dict):
        yield from (part for part in (*(table.keys if with_keys else ()), *table.values) if part is not None)
    elif isinstance(table, ast.Tuple | ast.List):
        yield from (part for row in table.elts if isinstance(row, ast.Tuple) for part in row.elts)


def _of_flaw(parts: list[ast.expr]) -> Iterator[ast.expr]:
    """Return the code of a flaw: the word before its message, which is a text with spaces in it."""
    for word, message in pairwise(parts[:3]):
        if len(parts) in {3, 4} and " " in ast.unparse(message) and isinstance(message, ast.Constant | ast.JoinedStr):
            yield word


def _words(node: ast.expr, constants: dict[str, str]) -> Iterator[tuple[str, int]]:
    match node:
        case ast.Constant(value=str(word)) if _WORD.fullmatch(word):
            yield word, node.lineno
        case ast.Name(id=name) if name in constants and _WORD.fullmatch(constants[name]):
            yield constants[name], node.lineno
        case ast.IfExp(body=body, orelse=other):
            yield from _words(body, constants)
            yield from _words(other, constants)
        case ast.BoolOp(values=values):
            yield from (word for value in values for word in _words(value, constants))
