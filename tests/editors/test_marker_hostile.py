"""Texts built to be slow or misread: each is read with work that grows with its size, and said where it is wrong."""

from __future__ import annotations

import sys

import pytest

from tests.editors.parts import edit_markers
from updater.editors.marker import MarkerEditor
from updater.editors.scalars import parse

NEED = ' {"$imagepolicy": "ns:p"}'


def steps(function):
    """Count the lines of Python that *function* runs."""
    count = 0

    def trace(_frame, event, _argument):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


SHAPES = {
    "empty items before comments": ("a.yaml", lambda n: "l:\n" + "-\n" * n + f"#{NEED}\n" * n),
    "markers in a block scalar": ("a.yaml", lambda n: "a: |\n" + f"  x #{NEED}\n" * n),
    "lines ended by carriage returns": ("a.yaml", lambda n: "".join(f"k{i}: h/a:1 #{NEED}\r" for i in range(n))),
    "one key again and again": ("a.yaml", lambda n: f"k: h/a:1 #{NEED}\n" * n),
    "tags side by side": ("a.yaml", lambda n: "".join(f'k{i}: "1" # {{"$imagepolicy": "ns:p:tag"}}\n' for i in range(n))),
    "aliases": ("a.yaml", lambda n: "x: &a 1\n" + "".join(f"k{i}: *a #{NEED}\n" for i in range(n))),
    "platforms": ("a.env", lambda n: "--platform=x " * n + f"h/a:1 #{NEED}\n"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_work_grows_with_the_text_and_not_with_its_square(name):
    path, text = SHAPES[name]
    editor = MarkerEditor(("*.env",))
    few, many = (text(n).encode() for n in (100, 800))
    editor.read(path, few)
    assert steps(lambda: editor.read(path, many)) < 12 * steps(lambda: editor.read(path, few + b"\n"))


def test_positions_say_which_child_an_event_is():
    parsed = parse(b"a: [1, 2]\nb: {c: 3}\n---\nd\n", "a.yaml")
    for inside in parsed.children.values():
        assert [parsed.position(index) for index in inside] == list(range(len(inside)))


@pytest.mark.parametrize(
    "comment",
    [
        '# Values below carry {"$imagepolicy": "ns:p:tag"} because the digest is pinned by hand.',
        '# {"$imagepolicy": "ns:p:tag"} marks the tag below',
        '# see "$imagepolicy" in the handbook',
        '## a: h/a:1 # {"$imagepolicy": "ns:p"}',
    ],
)
def test_a_comment_alone_on_its_line_that_speaks_of_a_marker_is_none(comment):
    text = f'{comment}\nimage: h/a:1 # {{"$imagepolicy": "ns:p"}}\n'
    edit, problems = edit_markers(MarkerEditor(), "a.yaml", text, {"ns:p": "h/a:2"})
    assert problems == []
    assert edit.after.decode() == text.replace("image: h/a:1", "image: h/a:2")


@pytest.mark.parametrize("key", ["$imagePolicy", "$ImagePolicy", "imagepolicy", "imagePolicy", "ImagePolicy"])
@pytest.mark.parametrize("path", ["a.yaml", "a.env"])
def test_a_misspelt_key_is_said_with_the_right_one(key, path):
    editor = MarkerEditor(("*.env",))
    text = f'image=h/a:1 # {{"{key}": "ns:p"}}\n' if path == "a.env" else f'image: h/a:1 # {{"{key}": "ns:p"}}\n'
    assert any(needle in text.encode() for needle in editor.needles)
    (problem,) = editor.read(path, text.encode()).problems
    assert (problem.code, problem.line) == ("marker-syntax", 1)
    assert '{"$imagepolicy": "ns:p"}' in problem.hint


@pytest.mark.parametrize("marker", ["ns:p", "ns:p:tag", "ns:p:name"])
def test_a_marked_value_that_is_longer_than_any_reference_is_refused_and_not_repeated(marker):
    """It would stand in every log line, Event and commit message."""
    text = f'a: {"x" * 100_000} # {{"$imagepolicy": "{marker}"}}\nb: h/a:1 # {{"$imagepolicy": "ns:p"}}\n'
    found = MarkerEditor().read("a.yaml", text.encode(), None)
    assert [reading.where for reading in found.readings] == ["b"]
    (problem,) = found.problems
    assert problem.code == "misfit"
    assert len(str(problem)) < 300


@pytest.mark.parametrize(
    ("before", "where"),
    [("", "[0].image"), ("f: g\n", "[2].image"), ("f: f\n", "[2].image"), ("f: >+\n  fold\n", "[2].image")],
)
def test_a_marker_in_a_key_that_is_a_mapping_is_read_at_its_position(before, where):
    text = before + '? image: ghcr.io/o/app:1.0.0 # {"$imagepolicy": "ns:app"}\n: v\n'
    found = MarkerEditor().read("a.yaml", text.encode(), None)
    assert ([reading.where for reading in found.readings], found.problems) == ([where], ())
