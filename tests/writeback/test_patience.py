"""A text that takes too long is given up, told with a code, and holds up nobody else."""

from __future__ import annotations

import threading

import pytest

from updater.editors.base import FileReadings
from updater.errors import EditError
from updater.git.tree import EntryKind, TreeEntry
from updater.writeback import patience, reading
from updater.writeback.patience import SMALL, within
from updater.writeback.reading import TRIES, BlobReader


def test_work_that_does_not_end_is_left_behind():
    gate = threading.Event()
    with pytest.raises(EditError) as caught:
        within(gate.wait, "a.yaml", SMALL + 1, seconds=0.05)
    gate.set()
    assert (caught.value.code, caught.value.path) == ("too-slow", "a.yaml")


def test_what_the_work_gives_or_raises_comes_back():
    assert within(lambda: 7, "a.yaml", SMALL + 1) == 7
    with pytest.raises(KeyError):
        within(lambda: {}["x"], "a.yaml", SMALL + 1)


class Stuck:
    """An editor that never ends, until its gate is opened."""

    name = "marker"
    needles: tuple[bytes, ...] = ()

    def __init__(self):
        self.gate = threading.Event()
        self.asked = 0

    def read(self, path, data, locator=None):
        self.asked += 1
        self.gate.wait()
        return FileReadings()


class Large:
    """A tree of one large file."""

    def read(self, path):
        return b"x" * (SMALL + 1)


def test_a_file_that_was_given_up_is_tried_a_few_times_and_never_kept_on_disk(tmp_path, monkeypatch):
    editor = Stuck()
    monkeypatch.setattr(reading, "within", lambda *given: patience.within(*given, seconds=0.01))
    blobs = BlobReader({"marker": editor}, tmp_path / "found", "rule")
    entry = TreeEntry(path="a.yaml", id="1" * 40, kind=EntryKind.FILE, mode=0o100644)
    for _ in range(TRIES + 3):
        (problem,) = blobs.read("marker", entry, Large(), None).problems
        assert problem.code == "too-slow"
    editor.gate.set()
    assert editor.asked == TRIES + 1
    blobs.save()
    assert not (tmp_path / "found").exists()
