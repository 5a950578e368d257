"""How a tutorial is followed: what a reader types, what the page shows below it, and whether that is what is said."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.real.parts import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECONDS: Final = 40.0
DAEMON: Final = "updater run"
_FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: what is another one each time: ports, commits, digests, times, ages, columns
_CHANGING: Final = [
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
    (re.compile(r"sha256:[0-9a-f]{64}"), "DIGEST"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b"), "COMMIT"),
    (re.compile(r"with checksum \w+"), "with checksum SUM"),  # digits alone look like a commit
    (re.compile(r" \(HEAD -> main\)$"), ""),  # git says it to terminals
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"^Date: .*"), "DATE"),
    (re.compile(r"^\d+m?\d*s\b"), "AGE"),
    (re.compile(r"\s+"), " "),
]


@dataclass(frozen=True)
class Step:
    """What a reader types, and what the page shows below it, "" where it shows nothing."""

    typed: str
    shown: str


def steps(page: Path) -> list[Step]:
    """Return the blocks of a page in order: a shell block with the text block below it, and lines typed into the lab."""
    found: list[Step] = []
    for kind, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        if kind == "sh" or text.startswith("acme/"):
            found.append(Step(text, ""))
        elif kind == "text":
            found[-1] = Step(found[-1].typed, text)
    return found


def plain(line: str) -> str:
    """Return a line without what differs each time."""
    for pattern, word in _CHANGING:
        line = pattern.sub(word, line)
    return line.strip()


def missed(shown: str, said: str) -> str | None:
    """Return the first line of the page that is not in what was *said*, in order; ``…`` stands for anything."""
    lines = iter([plain(line) for line in said.splitlines()])
    for wanted in shown.splitlines():
        start, cut, _ = plain(wanted).partition("…")
        start = start.rstrip() if cut else start
        if start and not any(line.startswith(start) if cut else line == start for line in lines):
            return wanted
    return None


def entered(text: str) -> str:
    """Return a block without the lines that only open a terminal: the tests stand where they lead."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(("cd lab", "export PATH=")))


class Reader:
    """Types what a page says, in *folder*, with the programs of the lab."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        self.folder = folder
        flux = find("flux")
        folders = [Path(program).parent for program in (sys.executable, flux) if program]
        path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
        self.variables = {**os.environ, "PATH": path, "KUBECONFIG": str(kubeconfig)}
        self.variables |= {"NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(folder)}

    def types(self, text: str) -> str:
        """Run a block as a reader's shell does, and return what it said."""
        return subprocess.run(
            ["bash", "-e", "-c", text],
            cwd=self.folder,
            env=self.variables,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        ).stdout

    @contextmanager
    def daemon(self, log: Path) -> Iterator[None]:
        """Run `updater run` until left, as Ctrl-C ends it."""
        with log.open("w") as out:
            started = subprocess.Popen(
                [sys.executable, "-m", "updater", "run"], cwd=self.folder, env=self.variables, stdout=out, stderr=out
            )
        try:
            yield
            started.send_signal(signal.SIGINT)
            assert started.wait(timeout=20) == 0, log.read_text()
        finally:
            if started.poll() is None:
                started.kill()
                started.wait()

    def follow(self, step: Step, *, once: Sequence[str] = ()) -> None:
        """Type a step until all that the page shows is said; lines that start with one of *once* change things: once."""
        lines = step.typed.splitlines(keepends=True)
        changing = [index for index, line in enumerate(lines) if line.startswith(tuple(once))] if once else []
        cut = changing[-1] + 1 if changing else 0
        said = self.types("".join(lines[:cut])) if cut else ""
        rest = "".join(lines[cut:])
        expect(step, lambda: said + (self.types(rest) if rest else ""))


def expect(step: Step, ask: Callable[[], str]) -> None:
    """Ask until all that the page shows is said: a daemon takes its seconds."""
    end = time.monotonic() + SECONDS
    while True:
        said = ask()
        line = missed(step.shown, said)
        if line is None:
            return
        assert time.monotonic() < end, f"{step.typed}\nnever says: {line}\nsays:\n{said}"
        time.sleep(0.5)
