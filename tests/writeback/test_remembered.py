"""What the file of readings promises: it gives back what was kept, and nothing at all where it was damaged."""

from __future__ import annotations

import pytest

from tests.engine.making import reading
from updater.editors.base import Found
from updater.model.problem import Problem
from updater.writeback.remembered import read_remembered, write_remembered

KEPT = {
    "marker a.yaml": ("1" * 40, Found(readings=(reading(),), problems=(Problem(path="a.yaml", line=3, code="x", message="y"),)))
}


def test_what_was_kept_comes_back_whole(tmp_path):
    write_remembered(tmp_path / "readings", "rule", KEPT)
    assert read_remembered(tmp_path / "readings", "rule") == KEPT


def test_another_rule_finds_nothing(tmp_path):
    write_remembered(tmp_path / "readings", "rule", KEPT)
    assert read_remembered(tmp_path / "readings", "another") == {}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data.replace(b"1.0.0", b"9.0.0"), id="value"),
        pytest.param(lambda data: data[: len(data) // 2], id="cut"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\xff" * 100, id="rubbish"),
    ],
)
def test_a_damaged_file_is_empty(tmp_path, damage):
    file = tmp_path / "readings"
    write_remembered(file, "rule", KEPT)
    file.write_bytes(damage(file.read_bytes()))
    assert read_remembered(file, "rule") == {}


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_file(tmp_path):
    write_remembered(tmp_path / "absent" / "readings", "rule", KEPT)
    assert read_remembered(tmp_path / "absent" / "readings", "rule") == {}
