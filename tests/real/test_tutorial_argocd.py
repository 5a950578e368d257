"""The tutorial for Argo CD's users holds: its commands are run in its order, and say what it says."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.real.lab import PROGRAMS, Lab
from tests.real.lab_command import push
from tests.real.lab_objects import ROOT
from tests.real.parts import require
from tests.real.tutorial_page import DAEMON, Reader, Step, entered, expect, missed, steps

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("lab")]

PAGE = ROOT / "docs" / "tutorial" / "argocd-in-ten-minutes.md"
STARTED = ("bash .ci/parts", "make cluster")
READING = ("updater ", "kubectl -n argocd get ", "git --git-dir ")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    for program in (*PROGRAMS, "kubectl"):
        require(program)
    with Lab(tmp_path_factory.mktemp("tutorial")) as lab:
        lab.apply_examples()
        (lab.folder / "updater.yaml").write_text(lab.settings())
        yield lab


def test_the_page_is_read_as_it_is_meant():
    found = [step.typed for step in steps(PAGE)]
    assert sum(text.startswith(STARTED) for text in found) == 2
    assert sum(DAEMON in text for text in found) == 1
    assert len(found) >= 12


def test_a_line_that_is_not_said_is_found():
    assert missed("a …\nb\n", "x\na 127.0.0.1:80\nb\n") is None
    assert missed("in 127.0.0.1:1 …\nc\n", "in 127.0.0.1:2 more\nb\n") == "c"


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
                reader.follow(Step(text, step.shown), once=() if text.startswith(READING) else (text.partition("\n")[0],))
