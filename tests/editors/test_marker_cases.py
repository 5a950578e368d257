"""What Flux's automation changes, we change; every other byte stays. Inputs and values are Flux's, the bytes are ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.editors.parts import DIGEST, edit_markers
from updater.editors.marker import MarkerEditor

TABLE = json.loads(Path(__file__).with_name("cases_marker.json").read_text())
POLICIES = TABLE["policies"]


@pytest.mark.parametrize("case", TABLE["cases"], ids=[case["id"] for case in TABLE["cases"]])
def test_the_value_changes_as_in_the_peer_and_nothing_else(case):
    editor = MarkerEditor()
    codes = []
    for path, text in case["before"].items():
        if not editor.wants(path):
            assert path not in case["after"]
            continue
        edit, problems = edit_markers(editor, path, text, POLICIES)
        codes += [problem.code for problem in problems]
        assert edit.after.decode() == case["after"].get(path, text)
        assert all(problem.line for problem in problems)
        again, _ = edit_markers(editor, path, edit.after, POLICIES)
        assert again.after == edit.after
    assert codes == case["codes"]


def test_flux_147_name_and_tag_in_both_spellings_of_a_kustomization():
    text = 'kind: Kustomization\nimages:\n- name: x\n  newName: replaced # {"$imagepolicy": "ns:p:name"}\n'
    text += '  newTag: v1 # {"$imagepolicy": "ns:p:tag"}\n'
    for path in ("kustomization.yml", "Kustomization"):
        edit, problems = edit_markers(MarkerEditor(), path, text, {"ns:p": "index.repo.fake/updated:v1.0.1"})
        assert edit.after.decode() == text.replace("replaced", "index.repo.fake/updated").replace(
            "newTag: v1 ", "newTag: v1.0.1 "
        )
        assert not problems
        assert {change.object_id for change in edit.changes} == {("", "Kustomization", "", "")}


def test_flux_148_a_policy_with_a_digest_writes_tag_and_digest():
    text = 'image: image # {"$imagepolicy": "automation-ns:policy-with-digest"}\n'
    edit, _ = edit_markers(MarkerEditor(), "a.yaml", text, {"automation-ns:policy-with-digest": f"image:v1.0.0@{DIGEST}"})
    assert edit.after.decode() == text.replace("image: image", f"image: image:v1.0.0@{DIGEST}")


def test_flux_149_an_unmarked_file_is_not_even_parsed():
    found = MarkerEditor().read("a.yaml", b"image: a:1\n{{ this is no YAML\n")
    assert found.readings == ()
    assert found.problems == ()


def test_flux_150_a_literal_with_nested_yaml_stays_as_it_is():
    text = 'a: a:1 # {"$imagepolicy": "ns:p"}\npatch: |\n    - op: add\n      value:\n          deep: 1\n\n\n    # end\n'
    edit, _ = edit_markers(MarkerEditor(), "kustomization.yaml", text, POLICIES)
    assert edit.after.decode() == text.replace("a:1", "ghcr.io/o/app:1.2.3")


def test_flux_151_only_files_with_a_marker_hold_places():
    marked = b'image: a:1 # {"$imagepolicy": "other:p"}\n'
    files = {"marked.yaml": marked, "otherns.yaml": marked, "kustomization.yml": marked, "Kustomization": marked}
    files |= {"unmarked.yaml": b"image: a:1\n", "test.yaml": b""}
    editor = MarkerEditor()
    assert [path for path, data in files.items() if editor.read(path, data).readings] == list(files)[:4]
