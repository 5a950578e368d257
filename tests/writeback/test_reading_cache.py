"""What the file of readings promises: it gives back what was kept, and nothing at all where it was damaged."""

from __future__ import annotations

import pytest

from tests.engine.making import reading
from updater.editors.base import FileReadings
from updater.git.tree import EntryKind, TreeEntry
from updater.model.problem import Problem
from updater.writeback.reading import BLOBS_OF_A_PLACE, BlobReader
from updater.writeback.reading_cache import read_remembered, write_remembered

KEPT = {
    "marker a.yaml": (
        "1" * 40,
        FileReadings(readings=(reading(),), problems=(Problem(path="a.yaml", line=3, code="x", message="y"),)),
    )
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


def test_readings_of_what_was_written_over_are_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr("updater.writeback.reading.REMEMBERED_PLACES", 5)
    asked = []

    class Editor:
        def read(self, path, data, _locator):
            asked.append(data)
            return FileReadings()

    class Files:
        def read(self, path):
            return path.encode()

    reader = BlobReader({"marker": Editor()}, tmp_path / "readings", "rule")
    for number in range(50):
        reader.read("marker", TreeEntry(path="a.yaml", id=f"{number}", kind=EntryKind.FILE, mode=0o100644), Files(), None)
        reader.read("marker", TreeEntry(path=f"{number}.yaml", id="0", kind=EntryKind.FILE, mode=0o100644), Files(), None)
    assert sum(map(len, reader._found.values())) <= 4 + BLOBS_OF_A_PLACE
    assert len(reader._kept) <= 5
    asked.clear()
    for number in range(50 - BLOBS_OF_A_PLACE, 50):
        reader.read("marker", TreeEntry(path="a.yaml", id=f"{number}", kind=EntryKind.FILE, mode=0o100644), Files(), None)
    assert asked == []
