"""One tag's path: through which functions, modules and rooms a new tag goes from the registry to the commit.

Run it by hand: `python benchmarks/tag_path.py [--package FOLDER] [--verbose]`. One pass of `once` over one image with one marker
is traced by `sys.setprofile`: of each call of a function of the package it is asked whether one of its arguments, the object of a
method left out, holds the new tag in what it shows of itself. *Functions* and *modules* count those, each once. A *move* is a
change of the room, the first folder below the package, between one of these functions and the next, in the order in which they
are first called. The path ends where the push begins; what is told of it afterwards is counted apart. The registry is a process
of its own, the branch is in a bare repository beside it.

*--package* is the folder that holds another version of `updater`, to compare two by one measure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

Functions = list[tuple[str, str]]
ROOT = Path(__file__).resolve().parent.parent
OLD, NEW = "7.31.4158", "7.31.4159"
SERVE = f"""
import asyncio
from updater.cli.embedded_registry import EmbeddedRegistry

async def serve():
    async with EmbeddedRegistry() as served:
        served.push("bench/app", "{OLD}")
        served.push("bench/app", "{NEW}")
        print(served.host, flush=True)
        await asyncio.Event().wait()

asyncio.run(serve())
"""
PUSH = "Remote.push"
#: what only shows things, and would show the tag once more for each line of a table
OUTPUT = frozenset({"cli"})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--package", type=Path, default=ROOT)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        with tempfile.TemporaryDirectory(prefix="tag-path-") as folder:
            paths = walked(Path(folder), server.stdout.readline().strip(), options.package.resolve())
    finally:
        server.terminate()
        server.wait()
    for name, path in zip(("to the push", "after it"), paths, strict=True):
        show(name, path, is_verbose=options.verbose)


def walked(folder: Path, host: str, package: Path) -> tuple[Functions, Functions]:
    """Return module and name of each function that is given the tag, in the order of first calls: to the push, and after it."""
    sys.path.insert(0, str(ROOT))
    from tests.fakes.git_server import BareRepository

    for name in [name for name in sys.modules if name.partition(".")[0] in {"updater", "tests"}]:
        del sys.modules[name]
    sys.path.insert(0, str(package))
    repository = BareRepository.make(folder / "fleet.git", {"a.yaml": marked(host)})
    config = folder / "updater.yaml"
    config.write_text(configured(folder, host))
    met: dict[tuple[str, str], None] = {}
    ended: list[int] = []
    below = f"{package}/updater/"

    def note(frame, event, _argument) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(below) and is_given(frame):
            met.setdefault((code.co_filename.removeprefix(below), code.co_qualname), None)
        if event == "call" and code.co_filename.startswith(below) and code.co_qualname == PUSH:
            ended.append(len(met))

    from updater.cli.main import main as command  # its modules are not the tag's path

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        sys.argv = ["updater", "once", "-c", str(config)]
        command()
    except SystemExit:
        pass
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert f":{NEW} ".encode() in repository.show("a.yaml"), "nothing was written"
    path = [item for item in met if item[0].partition("/")[0] not in OUTPUT]
    behind = set(list(met)[ended[0] :])
    return [item for item in path if item not in behind], [item for item in path if item in behind]


def is_given(frame) -> bool:
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return any(NEW in text(frame.f_locals.get(name)) for name in names if name not in {"self", "cls"})


def text(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - what is not made whole yet shows nothing
        return ""


def marked(host: str) -> bytes:
    return f'image: {host}/bench/app:{OLD} # {{"$imagepolicy": "ns:app"}}\n'.encode()


def configured(folder: Path, host: str) -> str:
    return f"""\
state: {folder}/state
listen: {{metrics: null}}
registries:
  - {{prefix: "{host}", url: "http://{host}", insecure: true}}
git:
  author: {{name: updater, email: updater@example.org}}
subscriptions:
  - key: app
    image: {host}/bench/app
    policy: {{semver: {{range: ">=1.0.0"}}}}
    targets:
      - git: {{url: "{folder}/fleet.git"}}
        marker: ns:app
"""


def show(name: str, path: Functions, *, is_verbose: bool) -> None:
    rooms = [module.partition("/")[0].removesuffix(".py") for module, _ in path]
    moves = Counter((one, other) for one, other in pairwise(rooms) if one != other)
    if is_verbose:
        for module, function in path:
            print(f"    {module:<40} {function}")
    modules = {module for module, _ in path}
    counted = f"{len(path)} functions, {len(modules)} modules, {len(set(rooms))} rooms, {moves.total()} room moves"
    print(f"one tag's path, {name}: {counted}")
    entered: Counter[str] = Counter()
    for (_, room), count in moves.items():
        entered[room] += count
    print(f"    entered: {', '.join(f'{room} {count}' for room, count in entered.most_common())}")


if __name__ == "__main__":
    main()
