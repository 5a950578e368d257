"""A splice is written only with the proof that nothing else changed."""

from __future__ import annotations

import pytest

from updater.editors import proof, scalars
from updater.errors import EditError


def index_of(parsed, value):
    return next(at for at, event in enumerate(parsed.events) if getattr(event, "value", None) == value)


def code_of(data):
    with pytest.raises(EditError) as caught:
        scalars.parse(data, "a.yaml")
    assert caught.value.path == "a.yaml"
    assert caught.value.hint
    return caught.value.code, caught.value.line


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        pytest.param(b"a: 1\nb: [1\n", "not-yaml", 2, id="flow-not-closed"),
        pytest.param(b"a: 1\nb: \x07\n", "not-yaml", 2, id="control-character"),
        pytest.param(b"a: 1\n\x00", "not-yaml", 2, id="nul"),
        pytest.param(b"%YAML 3.0\n---\na: 1\n", "not-yaml", 1, id="other-major-version"),
        pytest.param(b"a: !e!x 1\n", "not-yaml", 1, id="unknown-tag-handle"),
        pytest.param("a: 1\n".encode("utf-16"), "not-utf8", 1, id="utf-16"),
        pytest.param(b"a: 1\nb: \xff\n", "not-utf8", 2, id="latin-1"),
        pytest.param(b"[" * 300 + b"]" * 300, "too-large", 1, id="deep-flow"),
        pytest.param(b"- " * 300 + b"a\n", "too-large", 1, id="deep-block"),
        pytest.param(b"a: 1\nb: " + b"[" * 200_000, "too-large", 2, id="endless-flow"),
        pytest.param(b"{a: " * 200_000, "too-large", 1, id="endless-flow-mappings"),
        pytest.param(b"[\n" * 200_000, "too-large", scalars.MAX_DEPTH + 1, id="endless-flow-lines"),
        pytest.param(b"- " * 200_000, "too-large", 1, id="endless-block"),
        pytest.param(b"[]\n---\n" * 300 + b"[" * 200_000, "too-large", 601, id="endless-behind-many-documents"),
        pytest.param(b"a" * (scalars.MAX_BYTES + 1), "too-large", None, id="too-many-bytes"),
        pytest.param(b"- \n" * 300_000, "too-large", None, id="too-many-values"),
    ],
)
def test_a_file_that_cannot_be_edited_is_refused_with_its_line(data, code, line):
    assert code_of(data) == (code, line)


def test_an_alias_bomb_is_only_some_events():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 50)}]" for n in range(1, 60)]
    parsed = scalars.parse("\n".join([*lines, "tag: v1"]).encode(), "a.yaml")
    after = proof.apply(parsed, [scalars.replacement(parsed, index_of(parsed, "v1"), "v2", "a.yaml")], "a.yaml")
    assert after.endswith(b"tag: v2")


def test_a_splice_that_changes_another_value_is_not_proved():
    parsed = scalars.parse(b"a: x\nb: y\n", "a.yaml")
    wrong = scalars.Splice(start=3, end=9, text="z\nb: q", at=index_of(parsed, "x"), value="z")
    with pytest.raises(EditError, match="cannot be changed alone") as caught:
        proof.apply(parsed, [wrong], "a.yaml")
    assert caught.value.code == "unproved"
    assert caught.value.line == 2


@pytest.mark.parametrize("text", ["z\nc: d", "'z", "{", "z # w", "&n z", "!t z", "1.20"])
def test_no_text_that_says_more_or_less_than_the_value_is_proved(text):
    parsed = scalars.parse(b"a: x\nb: y\n", "a.yaml")
    value = "1.20" if text == "1.20" else "z # w"
    with pytest.raises(EditError) as caught:
        proof.apply(parsed, [scalars.Splice(start=3, end=4, text=text, at=index_of(parsed, "x"), value=value)], "a.yaml")
    assert caught.value.code == "unproved"


def test_overlapping_splices_are_refused():
    parsed = scalars.parse(b"a: xyz\n", "a.yaml")
    at = index_of(parsed, "xyz")
    one = scalars.Splice(start=3, end=6, text="a", at=at, value="a")
    two = scalars.Splice(start=4, end=6, text="b", at=at, value="b")
    with pytest.raises(EditError, match="touch the same text"):
        proof.apply(parsed, [one, two], "a.yaml")


def test_a_value_that_vanishes_is_not_proved():
    parsed = scalars.parse(b"a: x\nb: y\n", "a.yaml")
    with pytest.raises(EditError):
        proof.apply(parsed, [scalars.Splice(start=4, end=10, text="", at=index_of(parsed, "x"), value="x")], "a.yaml")


@pytest.mark.parametrize("kind", ["float", "int", "bool", "null", "binary", "timestamp", "seq"])
def test_a_value_that_says_it_is_no_string_is_refused(kind):
    parsed = scalars.parse(f"a: !!{kind} x\n".encode(), "a.yaml")
    with pytest.raises(EditError) as caught:
        scalars.replacement(parsed, index_of(parsed, "x"), "y", "a.yaml")
    assert caught.value.code == "explicit-tag"
    assert kind in caught.value.hint


def test_properties_on_a_line_of_their_own_stay():
    parsed = scalars.parse(b"a: !!str # why\n  &x\n  v1\nb: 1\n", "a.yaml")
    after = proof.apply(parsed, [scalars.replacement(parsed, index_of(parsed, "v1"), "v2", "a.yaml")], "a.yaml")
    assert after == b"a: !!str # why\n  &x\n  v2\nb: 1\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(b"a: |\n  x\n  y\n", "x\ny\n", id="two-lines"),
        pytest.param(b"a: |\n\n  x\n", "\nx\n", id="blank-line-first"),
        pytest.param(b"a: |1\n  x\n", " x\n", id="leading-blank"),
        pytest.param(b"a: |\n\nb: 1\n", "", id="no-line"),
    ],
)
def test_a_block_scalar_of_other_than_one_line_is_refused(text, value):
    parsed = scalars.parse(text, "a.yaml")
    at = next(at for at, event in enumerate(parsed.events) if getattr(event, "style", None) == "|")
    assert parsed.events[at].value.rstrip("\n") == value.rstrip("\n")
    with pytest.raises(EditError) as caught:
        scalars.replacement(parsed, at, "z", "a.yaml")
    assert caught.value.code == "block-scalar"


def test_exotic_line_breaks_do_not_shift_an_edit():
    text = "a: é\x85b: x\u2028c: v1\r\nd: 'y\u2029z'\n"
    parsed = scalars.parse(text.encode(), "a.yaml")
    after = proof.apply(parsed, [scalars.replacement(parsed, index_of(parsed, "v1"), "v2", "a.yaml")], "a.yaml")
    assert after.decode() == text.replace("v1", "v2")


@pytest.mark.parametrize(
    "after",
    [
        "a: &n x\nb: [y, z]\nc: *m\n",
        "a: !!str x\nb: [y, z]\nc: *m\n",
        "a: 'x'\nb: [y, z]\nc: *m\n",
        "a: w\nb: [y, z]\nc: *m\n",
        "a: x\nb: &n [y, z]\nc: *m\n",
        "a: x\nb: !!seq [y, z]\nc: *m\n",
        "a: x\nb: {y: z}\nc: *m\n",
        "a: x\nb: [y, z, w]\nc: *m\n",
        "a: x\nb: [y, z]\nc: *n\n",
        "a: x\nb: [y, z]\nc: m\n",
        "---\na: x\nb: [y, z]\nc: *m\n",
        "!!map\na: x\nb: [y, z]\nc: *m\n",
        "&n\na: x\nb: [y, z]\nc: *m\n",
    ],
)
def test_the_proof_sees_every_difference_that_a_reader_could_see(after):
    """A value, an anchor, a tag, a type, an alias, an item or the start of a document: none may differ unasked."""
    before = "a: x\nb: [y, z]\nc: *m\n"
    parsed = scalars.parse(before.encode(), "f")
    anything = scalars.Splice(start=0, end=len(before), text=after, at=-1)
    one_value = scalars.Splice(start=0, end=len(before), text=after, at=index_of(parsed, "y"), value="y")
    for splice in (anything, one_value):
        with pytest.raises(EditError) as caught:
            proof.apply(parsed, [splice], "f")
        assert caught.value.code == "unproved"


def test_a_result_is_read_only_to_its_first_other_event():
    """What would take long to read ends the proof where it differs: the depth and the number of events stay bounded."""
    parsed = scalars.parse(b"a: x\nb: y\n", "f")
    deep = scalars.Splice(start=3, end=4, text="z\nc: " + "[" * 200_000, at=index_of(parsed, "x"), value="z")
    with pytest.raises(EditError) as caught:
        proof.apply(parsed, [deep], "f")
    assert (caught.value.code, caught.value.line) == ("unproved", 2)
