"""The tutorial for Flux's users holds: its commands are run in its order, and say what it says."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

import pytest

from tests.real.flux_examples import EXAMPLES, FLEET, FluxExamples
from tests.real.lab import PROGRAMS
from tests.real.lab_command import push
from tests.real.lab_objects import ROOT
from tests.real.parts import require
from tests.real.tutorial_page import DAEMON, Reader, Step, entered, expect, missed, steps

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flux-flows")]

PAGE = ROOT / "docs" / "tutorial" / "flux-in-ten-minutes.md"
STARTED = ("bash .ci/parts", "make cluster")
#: what changes something is typed once; all else until it says what the page shows
ONCE = ("git clone", "git -C", "sed ", "flux suspend", "flux resume")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    for program in (*PROGRAMS, "kubectl", "flux"):
        require(program)
    with FluxExamples(tmp_path_factory.mktemp("tutorial-flux")) as lab:
        lab.apply_examples()
        (lab.folder / "updater.yaml").write_text(lab.settings())
        yield lab


def test_the_page_is_read_as_it_is_meant():
    found = [step.typed for step in steps(PAGE)]
    assert sum(text.startswith(STARTED) for text in found) == 2
    assert sum(DAEMON in text for text in found) == 1
    assert len(found) >= 18


def test_a_line_that_is_not_said_is_found():
    assert missed("imagepolicy/a  …\n", "imagepolicy/a\tx\t\n") is None
    assert missed("imagepolicy/a 127.0.0.1:1/b True\n", "imagepolicy/a\t127.0.0.1:2/b\tFalse\n") is not None


def test_the_examples_are_without_a_problem():
    """The objects and the marked files of the examples fit each other, by the words of `updater validate`."""
    command = [sys.executable, "-m", "updater", "validate", str(EXAMPLES), str(FLEET)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_every_command_says_what_the_page_says(lab, tmp_path):
    reader, log = Reader(lab.folder, lab.kubeconfig), tmp_path / "daemon.log"
    with ExitStack() as running:
        for step in steps(PAGE):
            text = entered(step.typed)
            if text.startswith(STARTED):
                continue  # the lab's own tests hold what it says
            if text.startswith("acme/"):
                assert "pushed" in push(lab, text.strip())
            elif DAEMON in text:
                running.enter_context(reader.daemon(log))
                expect(step, log.read_text)
            else:
                reader.follow(Step(text, step.shown), once=ONCE)
