"""Every recipe of docs/how-to/version-schemes.md answers as it says, on the command line and as settings."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from updater.cli.check_lines import answer_line
from updater.cli.main import run_cli

PAGE = Path(__file__).parents[2] / "docs/how-to/version-schemes.md"
RECIPE = re.compile(
    r"^## (?P<title>.*?)\n.*?```yaml\n(?P<yaml>.*?)```\n+"
    r"```console\n\$ (?P<command>.*?)\n(?P<answer>.*?)\n```",
    re.DOTALL | re.MULTILINE,
)
RECIPES = [match.groupdict() for match in RECIPE.finditer(PAGE.read_text())]


def test_every_section_is_a_recipe():
    assert len(RECIPES) == PAGE.read_text().count("\n## ") >= 9


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe["title"])
def test_a_recipe_answers_as_it_says(recipe, capsys, monkeypatch):
    listed, _, call = recipe["command"].partition(" | updater ")
    tags = shlex.split(listed)[2:]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(tags).encode())))
    assert run_cli(shlex.split(call)) == 0
    assert capsys.readouterr().out.splitlines()[0] == recipe["answer"]
    current = shlex.split(call)[1].rpartition(":")[2]
    answer = answer_line(json.dumps({"tags": tags, "current": current, **yaml.safe_load(recipe["yaml"])}).encode())
    said = {"updated": "would update"}.get(answer["status"], answer["status"])
    assert (said, answer["tag"]) == tuple(recipe["answer"].split(" is ")[0].split(": "))
