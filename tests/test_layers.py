"""The shape holds: who may import whom, where each third party lives, and how big a part may be."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "updater"
MODULES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_bytes()) for path in sorted(PACKAGE.rglob("*.py"))}

# third party → where it may be imported; a folder ends in /
HOMES = {
    "aiohttp": ("http/", "web/", "cli/embedded_registry.py"),  # the client in http/, the server in the others
    "yarl": ("http/",),
    "bcrypt": ("web/passwords.py",),
    "dulwich": ("git/", "checkout/"),
    "paramiko": ("git/",),
    "pysequoia": ("git/openpgp.py",),
    "python_socks": ("git/tunnel.py",),
    "urllib3": ("git/",),
    "yaml": ("documents/", "editors/"),
    "ruamel": ("documents/roundtrip.py",),
    "apscheduler": ("engine/schedule.py",),
    "prometheus_client": ("reporting/metrics.py",),
    "pydantic": ("settings/",),
    "click": ("cli/",),
    "sqlite3": ("cache/",),
    "apprise": ("reporting/notifications/chat.py",),
    "requests": ("reporting/notifications/chat.py",),
}
LONGEST_MODULE = 400
LONGEST_FUNCTION = 50
MOST_METHODS = 12


def imports(tree: ast.Module) -> set[str]:
    """Give the packages that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def rooms(tree: ast.Module) -> set[str]:
    """Give the rooms of this program that a module imports, where it is only for types as well."""
    names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    names += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    found = {name.split(".")[1] for name in names if name.startswith("updater.")}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "updater":
            found |= {alias.name for alias in node.names}
    return found & set(LEVELS)


def room_of(path: str) -> str:
    return Path(path).with_suffix("").parts[0]


def contract(kind: str) -> dict:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    return next(item for item in project["tool"]["importlinter"]["contracts"] if item["type"] == kind)


LEVELS = {name.strip(" ()"): level for level, line in enumerate(contract("layers")["layers"]) for name in line.split("|")}


def test_every_room_stands_in_a_layer() -> None:
    """A new room is entered in the contract before it is used."""
    assert {room_of(path) for path in MODULES} - {"__init__"} <= set(LEVELS)


@pytest.mark.parametrize("path", list(MODULES))
def test_imports_go_down_the_layers(path: str) -> None:
    """A room imports only rooms of lower layers; `make check` proves it along whole chains of imports too."""
    own = room_of(path)
    wrong = [room for room in rooms(MODULES[path]) if room != own and LEVELS[room] <= LEVELS.get(own, -1)]
    assert wrong == []


@pytest.mark.parametrize("room", [name.partition(".")[2] for name in contract("forbidden")["source_modules"]])
def test_pure_rooms_do_no_io(room: str) -> None:
    """What decides, reads bytes or fills templates opens nothing and waits for nothing."""
    forbidden = set(contract("forbidden")["forbidden_modules"])
    assert [path for path, tree in MODULES.items() if room_of(path) == room and imports(tree) & forbidden] == []


@pytest.mark.parametrize("party", list(HOMES))
def test_each_third_party_has_one_home(party: str) -> None:
    """A library is imported only where its room is, so that replacing it changes one room."""
    strays = [path for path, tree in MODULES.items() if party in imports(tree) and not path.startswith(HOMES[party])]
    assert strays == []


def test_the_client_of_aiohttp_is_in_one_room() -> None:
    """Outside http/ only aiohttp's server is used."""
    strays = []
    for path, tree in MODULES.items():
        if path.startswith("http/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                strays += [path for alias in node.names if alias.name.startswith("aiohttp")]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiohttp"):
                strays += [path for alias in node.names if (node.module, alias.name) != ("aiohttp", "web")]
    assert strays == []


@pytest.mark.parametrize("path", list(MODULES))
def test_every_module_says_what_it_knows_and_stays_small(path: str) -> None:
    """A module has a docstring and at most 400 lines."""
    assert ast.get_docstring(MODULES[path])
    assert len((PACKAGE / path).read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


def test_no_function_is_long() -> None:
    """A function has at most 50 lines from its `def` to its end."""
    long = [
        f"{path}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1}"
        for path, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


def test_no_class_does_everything() -> None:
    """A class has at most 12 methods; properties and what the language asks for (`__aenter__`) are none."""
    big = [
        f"{path}:{node.lineno} {node.name}: {count}"
        for path, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and (count := sum(_is_method(item) for item in node.body)) > MOST_METHODS
    ]
    assert big == []


def _is_method(node: ast.stmt) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("__"):
        return False
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
    return not marks & {"property", "setter", "overload"}


def test_no_module_is_a_bag() -> None:
    """Nothing is called utils, helpers or common: such a module knows nothing."""
    assert [path for path in MODULES if {"utils", "helpers", "common", "misc"} & set(Path(path).with_suffix("").parts)] == []


def test_a_public_class_has_a_name_of_its_own() -> None:
    """One name, one thing: a class is known by its name alone, in whichever room it is met."""
    homes: dict[str, list[str]] = {}
    for path, tree in MODULES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(path)
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_docstrings_begin_with_the_verbs_of_the_field() -> None:
    """A function returns, raises, reads or reports; it neither gives nor says, and a class does not know."""
    old = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and (ast.get_docstring(node) or "").startswith(("Give ", "Gives ", "Say ", "Knows "))
    ]
    assert old == []
