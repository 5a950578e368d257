"""The table of templates: what each gives here, and what Go's own engine gives for it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.real.parts import require
from tests.templates.world import WORLD
from updater.errors import TemplateError
from updater.templates import parse

HERE = Path(__file__).parent
CASES = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_template_gives_the_expected_text_or_fails_with_its_place(case):
    if case["expected"] is not None:
        assert parse(case["template"]).render(WORLD) == case["expected"]
        return
    with pytest.raises(TemplateError, match=r"^template:\d+:\d+: ") as caught:
        parse(case["template"]).render(WORLD)
    assert caught.value.code.startswith("template")


def test_every_template_that_differs_from_go_says_why():
    assert all(bool(case.get("why")) == ("go" in case) for case in CASES)


@pytest.fixture(scope="session")
def oracle(tmp_path_factory):
    """Build Go's own engine with sprig once."""
    go = require("go")
    program = tmp_path_factory.mktemp("oracle") / "oracle"
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    built = subprocess.run(
        [go, "build", "-o", program, "."], cwd=HERE / "oracle", env=environment, capture_output=True, text=True, check=False
    )
    if built.returncode:
        if os.environ.get("UPDATER_REQUIRE_REAL") == "1":
            pytest.fail(f"the oracle does not build: {built.stderr}")
        pytest.skip(f"the oracle does not build, its Go modules may be out of reach: {built.stderr[-200:]}")
    return program


@pytest.mark.real
def test_go_itself_gives_what_the_table_says(oracle):
    """The table is Go's own answer, but where it says that and why ours differs."""
    questions = "".join(json.dumps(case["template"]) + "\n" for case in CASES)
    told = subprocess.run([oracle], input=questions, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    assert len(answers) == len(CASES)
    wrong = {
        case["id"]: answer
        for case, answer in zip(CASES, answers, strict=True)
        if case.get("go", case["expected"]) != (None if answer["error"] else answer["out"])
    }
    assert wrong == {}
