"""Whole folders before and after, byte by byte; every expected byte was written by hand."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from updater.editors import EDITORS, make_editor
from updater.model.image import parse_ref
from updater.model.subscription import Locator
from updater.model.update import EditRequest

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/*/case.toml"))


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def locator_of(request, path):
    return Locator(path=path, **{key: request.get(key) for key in ("name", "tag", "digest", "spec", "section")})


@pytest.mark.parametrize("folder", CASES, ids=[f"{path.parent.name}-{path.name}" for path in CASES])
def test_only_the_bytes_of_the_values_change(folder):
    case = tomllib.loads((folder / "case.toml").read_text())
    editor = make_editor(folder.parent.name, text_markers=tuple(case.get("text_markers", ())))
    after, refused = {}, []
    for path, data in files_below(folder / "before").items():
        assert editor.wants(path)
        locators = [locator_of(request, path) for request in case["request"]]
        found = [editor.read(path, data, locator) for locator in locators]
        requests = [
            EditRequest(locator=locator, reading=reading, image=parse_ref(request["image"]))
            for request, locator, here in zip(case["request"], locators, found, strict=True)
            for reading in here.readings
        ]
        edit = editor.edit(path, data, requests)
        after[path] = edit.after
        assert edit.before == data
        assert bool(edit.changes) == (edit.after != data)
        problems = [*(problem for here in found for problem in here.problems), *edit.refused]
        refused += sorted({(problem.path, problem.line, problem.code) for problem in problems}, key=lambda item: item[1] or 0)
        assert all(problem.hint for problem in problems)
    assert after == files_below(folder / "after")
    assert refused == [(item["path"], item.get("line"), item["code"]) for item in case.get("refused", ())]


def test_there_are_at_least_sixty_cases_and_every_editor_has_some():
    assert len(CASES) >= 60
    assert {path.parent.name for path in CASES} == set(EDITORS)
