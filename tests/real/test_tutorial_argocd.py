"""The tutorial for Argo CD's users holds: its commands are run in its order, and say what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.lab import PROGRAMS, Lab
from tests.real.lab_command import push
from tests.real.lab_objects import ROOT
from tests.real.parts import require

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("lab")]

PAGE = ROOT / "docs" / "tutorial" / "argocd-in-ten-minutes.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STARTED = "make cluster"
DAEMON = "updater run"
READING = ("updater ", "kubectl -n argocd get ", "git --git-dir ")
SECONDS = 40.0
#: what is another one each time: ports, commits, digests, times, ages, columns
CHANGING = [
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
    (re.compile(r"sha256:[0-9a-f]{64}"), "DIGEST"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b"), "COMMIT"),
    (re.compile(r" \(HEAD -> main\)$"), ""),  # git says it to terminals
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "TIME"),
    (re.compile(r"^Date: .*"), "DATE"),
    (re.compile(r"^\d+m?\d*s\b"), "AGE"),
    (re.compile(r" +"), " "),
]


@dataclass(frozen=True)
class Step:
    """What a reader types, and what the page shows below it, "" where it shows nothing."""

    typed: str
    shown: str


def steps():
    """Give the blocks of the page in order: a shell block with the text block behind it, and lines typed into the lab."""
    found: list[Step] = []
    for kind, text in FENCE.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "sh" or text.startswith("acme/"):
            found.append(Step(text, ""))
        elif kind == "text":
            found[-1] = Step(found[-1].typed, text)
    return found


def plain(line):
    for pattern, word in CHANGING:
        line = pattern.sub(word, line)
    return line.strip()


def missed(shown, said):
    """Give the first line of the page that is not in what was *said*, in order; None where all are. ``…`` stands for anything."""
    lines = iter([plain(line) for line in said.splitlines()])
    for wanted in shown.splitlines():
        start, cut, _ = plain(wanted).partition("…")
        start = start.rstrip() if cut else start
        if start and not any(line.startswith(start) if cut else line == start for line in lines):
            return wanted
    return None


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    for program in (*PROGRAMS, "kubectl"):
        require(program)
    with Lab(tmp_path_factory.mktemp("tutorial")) as lab:
        lab.apply_examples()
        (lab.folder / "updater.yaml").write_text(lab.settings())
        yield lab


@pytest.fixture(scope="module")
def typed(lab):
    """Run a block as a reader's shell does, and give what it said."""
    beside = Path(sys.executable).parent
    variables = {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}", "KUBECONFIG": str(lab.kubeconfig)}
    variables |= {"NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull}

    def run(text, **more):
        return subprocess.run(
            ["bash", "-e", "-c", text],
            cwd=lab.folder,
            env=variables,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
            **more,
        ).stdout

    run.variables = variables
    return run


def entered(text):
    """Give a block without the lines that only open a terminal: the fixture stands where they lead."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(("cd lab", "export PATH=")))


def test_the_page_is_read_as_it_is_meant():
    found = [step.typed for step in steps()]
    assert sum(text.startswith(("bash .ci/parts", STARTED)) for text in found) == 2
    assert sum(DAEMON in text for text in found) == 1
    assert len(found) >= 12


def test_a_line_that_is_not_said_is_found():
    assert missed("a …\nb\n", "x\na 127.0.0.1:80\nb\n") is None
    assert missed("in 127.0.0.1:1 …\nc\n", "in 127.0.0.1:2 more\nb\n") == "c"


def test_every_command_says_what_the_page_says(lab, typed, tmp_path):
    log = tmp_path / "daemon.log"
    daemon = None
    try:
        for step in steps():
            text = entered(step.typed)
            if text.startswith(("bash .ci/parts", STARTED)):
                continue  # the lab's own tests hold what it says
            if text.startswith("acme/"):
                assert "pushed" in push(lab, text.strip())
            elif DAEMON in text:
                with log.open("w") as out:
                    daemon = subprocess.Popen(
                        [sys.executable, "-m", "updater", "run"], cwd=lab.folder, env=typed.variables, stdout=out, stderr=out
                    )
                expect(step, log.read_text)
            elif text.startswith(READING):
                expect(step, lambda text=text: typed(text))
            else:
                first, _, rest = text.partition("\n")
                said = typed(first)
                expect(step, lambda said=said, rest=rest: said + (typed(rest) if rest else ""))
        assert daemon is not None
        daemon.send_signal(signal.SIGINT)
        assert daemon.wait(timeout=20) == 0, log.read_text()
    finally:
        if daemon is not None and daemon.poll() is None:
            daemon.kill()
            daemon.wait()


def expect(step, ask):
    """Ask until all that the page shows is said: a daemon takes its seconds."""
    end = time.monotonic() + SECONDS
    while True:
        said = ask()
        line = missed(step.shown, said)
        if line is None:
            return
        assert time.monotonic() < end, f"{step.typed}\nnever says: {line}\nsays:\n{said}"
        time.sleep(0.5)
