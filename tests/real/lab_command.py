"""`make cluster`: starts the lab with the examples in it, says where all of it is, and stays until Ctrl-C.

Whoever sits at a terminal may type ``acme/shop:1.4.2`` to let CI push that tag.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from tests.real.flux_examples import FluxExamples
from tests.real.flux_lab import USER as FLUX_USER
from tests.real.lab import USER, Lab, definitions_folder, missing
from tests.real.parts import find, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

_PUSHED: Final = re.compile(r"([a-z0-9]+(?:[._/-][a-z0-9]+)*):([A-Za-z0-9_][A-Za-z0-9._-]{0,127})")
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str], *, lines: TextIO = sys.stdin) -> int:
    """Run until a signal comes; *lines* are what a person types. Gives the exit code: 0 fine, 1 could not start, 2 usage."""
    parser = argparse.ArgumentParser(prog="make cluster", description="A cluster, a registry and a Git server on this machine.")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep everything in this new folder")
    parser.add_argument("--flux", action="store_true", help="with the objects of Flux instead of those of Argo CD")
    options = parser.parse_args(arguments)
    keep: Path | None = options.keep
    if keep and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        return _refuse(f"{keep} is not an empty folder", "name a new one: make cluster ARGS='--keep DIR'", code=2)
    if absent := missing():
        return _refuse(
            f"not on this machine: {', '.join(absent)}",
            "bash .ci/parts etcd kube_apiserver builds them, once, in some ten minutes; git by apt",
        )
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in _ENDING}
    try:
        return _live(FluxExamples if options.flux else Lab, keep, lines, ended)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _live(kind: type[Lab | FluxExamples], keep: Path | None, lines: TextIO, ended: threading.Event) -> int:
    with ExitStack() as stack:
        folder = keep.absolute() if keep else Path(tempfile.mkdtemp(prefix="updater-cluster-"))
        if keep is None:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        print("starting, a few seconds …", file=sys.stderr, flush=True)
        try:
            lab = stack.enter_context(kind(folder, definitions=definitions_folder()))
            names = lab.apply_examples()
        except (AssertionError, OSError) as error:
            if not ended.is_set():  # Ctrl-C reaches what was just started as well
                return _refuse(f"the cluster did not start: {error}", f"its logs are in {folder}/cluster, kept by --keep DIR")
        else:
            metrics = f"127.0.0.1:{free_port()}"
            (folder / "updater.yaml").write_text(lab.settings(metrics=metrics), encoding="utf-8")
            print(_told(lab, names, metrics), flush=True)
            _stay(lab, lines, ended)
        print("\nending", file=sys.stderr, flush=True)
    print(f"kept in {keep}" if keep else "nothing of it is left", file=sys.stderr)
    return 0


def _stay(lab: Lab | FluxExamples, lines: TextIO, ended: threading.Event) -> None:
    """Wait for the end; what is typed meanwhile is read in a thread, since no signal ends a read."""
    if lines.isatty():
        threading.Thread(target=_listen, args=(lab, lines), daemon=True).start()
    ended.wait()


def _listen(lab: Lab | FluxExamples, lines: TextIO) -> None:
    for line in lines:
        if text := line.strip():
            print(push(lab, text), flush=True)


def push(lab: Lab | FluxExamples, text: str) -> str:
    """Let CI push what a person typed, ``acme/shop:1.4.2``, and say what came of it."""
    asked = _PUSHED.fullmatch(text.removeprefix(f"{lab.registry.host}/"))
    if asked is None:
        return f"  {text!r} is no image with a tag; type acme/shop:1.4.2"
    name, tag = asked.groups()
    digest = lab.push_tag(name, tag, created=datetime.now(UTC))  # built now: the same tag again is another image
    return f"  pushed  {lab.registry.host}/{name}:{tag}  {digest}"


def _told(lab: Lab | FluxExamples, names: Sequence[str], metrics: str) -> str:
    definitions = f"definitions of {lab.definitions}" if lab.definitions else "definitions with open schemas"
    folder, updater = lab.folder, _short(Path(sys.executable).with_name("updater"))
    user, password = FLUX_USER if isinstance(lab, FluxExamples) else USER
    parts = [
        ("cluster", lab.cluster.url, definitions),
        ("registry", lab.registry.host, lab.registry.kind),
        ("Git", lab.git_url, f"user {user}, password {password}"),
        ("metrics", f"http://{metrics}/metrics", "while updater run works"),
        ("folder", str(folder), "logs, keys, Git, updater.yaml"),
    ]
    width = max(len(value) for _, value, _ in parts)
    rows = [f"  {name:<10}{value:<{width}}  {more}" for name, value, more in parts]
    commands = [
        f"export KUBECONFIG={lab.kubeconfig}",
        _reading(lab),
        f"{updater} once --dry-run -c {folder}/updater.yaml",
        f"{updater} run -c {folder}/updater.yaml",
        f"git --no-pager --git-dir {folder}/git/fleet.git log -1 -p main",
    ]
    typing = ["", "Type an image and a tag to push it, such as acme/shop:1.4.2."] if sys.stdin.isatty() else []
    shown = [f"  {name}" for name in names]
    told = ["", "A cluster for updater", "", *rows, "", "In it", *shown, "", "In another terminal"]
    return "\n".join([*told, *(f"  {command}" for command in commands), *typing, "", "Ctrl-C ends all of it."])


def _reading(lab: Lab | FluxExamples) -> str:
    """Return the command that lists the objects of the examples."""
    if not isinstance(lab, FluxExamples):
        return "kubectl get applications,imageupdaters -A"
    flux = find("flux")
    return (
        f"{flux} get images all" if flux else "kubectl -n flux-system get imagerepositories,imagepolicies,imageupdateautomations"
    )


def _short(path: Path) -> str:
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)


def _refuse(message: str, hint: str, *, code: int = 1) -> int:
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
