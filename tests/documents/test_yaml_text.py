"""YAML enters with the line of every value, and hostile text ends in a problem."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.documents import Dialect, DocumentLimits, Mark, load_yaml, plain_scalar, read_yaml
from updater.errors import ConfigError


def only(data: bytes, **options):
    found = read_yaml("f.yaml", data, **options)
    assert not found.problems
    assert len(found.documents) == 1
    return found.documents[0]


def problem(data: bytes, **options):
    found = read_yaml("f.yaml", data, **options)
    assert len(found.problems) == 1, found.problems
    return found.problems[0]


def test_every_key_and_value_keeps_its_line():
    document = only(b"# head\na: 1\nb:\n  - x\n  - y: 2\n    z: |\n      text\nc: {d: 1,\n    e: 2}\n")
    lines = {
        ("a",): 2,
        ("b",): 3,
        ("b", 0): 4,
        ("b", 1): 5,
        ("b", 1, "y"): 5,
        ("b", 1, "z"): 6,
        ("c",): 8,
        ("c", "d"): 8,
        ("c", "e"): 9,
    }
    assert {place: document.line_of(place) for place in lines} == lines


def test_a_place_that_is_absent_has_the_line_of_the_nearest_above():
    document = only(b"a:\n  b: [1]\n")
    assert document.line_of(("a", "x", "y")) == 1
    assert document.line_of(("a", "b", 7)) == 2
    assert document.line_of(("a", "b", 0, "deeper")) == 2


def test_many_documents_keep_their_order_and_lines():
    found = read_yaml("f", b"a: 1\n---\n# only a comment\n---\nb: 2\n...\n")
    assert [document.value for document in found.documents] == [{"a": 1}, None, {"b": 2}]
    assert found.documents[2].line_of(("b",)) == 5


def test_documents_before_an_error_are_kept():
    found = read_yaml("f", b"a: 1\n---\nb: [\n")
    assert found.is_broken
    assert [document.value for document in found.documents] == [{"a": 1}]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# nothing\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_documents(data):
    assert read_yaml("f", data).documents == ()


def test_a_byte_order_mark_is_no_part_of_a_key():
    assert only(b"\xef\xbb\xbfa: 1\n").value == {"a": 1}


def test_carriage_returns_do_not_shift_lines():
    assert only(b"a: 1\r\nb: 2\r\n").line_of(("b",)) == 2


@pytest.mark.parametrize(
    ("text", "configuration", "manifest"),
    [
        ("yes", "yes", True),
        ("off", "off", False),
        ("true", True, True),
        ("FALSE", False, False),
        ("~", None, None),
        ("", None, None),
        ("1:30", "1:30", "1:30"),
        ("0755", 755, 755),
        ("0o17", 15, 15),
        ("0x1F", 31, 31),
        ("1.20", 1.2, 1.2),
        ("1e3", 1000.0, 1000.0),
        ("1e999", "1e999", "1e999"),
        ("2024-01-02", "2024-01-02", "2024-01-02"),
        ("-", "-", "-"),
        ("9" * 50, "9" * 50, "9" * 50),
    ],
)
def test_plain_scalars_are_read_by_the_dialect(text, configuration, manifest):
    assert plain_scalar(text) == configuration
    assert plain_scalar(text, Dialect.MANIFEST) == manifest


def test_quotes_and_the_text_tag_keep_text():
    assert only(b"a: '1'\nb: \"true\"\nc: !!str 1\nd: ! 2\ne: !!int '3'\n").value == {
        "a": "1",
        "b": "true",
        "c": "1",
        "d": "2",
        "e": 3,
    }


def test_keys_are_always_text():
    assert only(b"1: a\ntrue: b\nnull: c\n").value == {"1": "a", "true": "b", "null": "c"}


def test_aliases_and_merge_keys_are_followed_and_keep_their_lines():
    document = only(b"base: &b {x: 1, y: 2}\nown:\n  <<: *b\n  y: 3\nlist:\n  <<: [*b, {z: 4}]\nsame: *b\n")
    assert document.value["own"] == {"x": 1, "y": 3}
    assert document.value["list"] == {"x": 1, "y": 2, "z": 4}
    assert document.value["same"] == {"x": 1, "y": 2}
    assert document.line_of(("own", "y")) == 4
    assert document.line_of(("own", "x")) == 1
    assert document.line_of(("same",)) == 7


def test_a_scalar_anchor_serves_as_a_key_and_on_a_key():
    assert only(b"&k a: &v b\n*v : *k\n").value == {"a": "b", "b": "a"}


def test_duplicate_keys_are_said_and_the_first_stays():
    found = read_yaml("f", b"a: 1\nb: 2\na: 3\n")
    assert found.documents[0].value == {"a": 1, "b": 2}
    assert [(item.code, item.line) for item in found.problems] == [("duplicate-key", 3)]
    assert "line 1" in found.problems[0].hint


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"a: [1\n", "not-yaml", 2),
        (b"a:\n\t- b\n", "not-yaml", 2),
        (b"a: b: c\n", "not-yaml", 1),
        (b"- a\nb: c\n", "not-yaml", 2),
        (b"a: 'x\n", "not-yaml", 2),
        (b"%YAML 3.0\n---\na\n", "not-yaml", 1),
        (b"x: 1\na: \x00\n", "not-yaml", 2),
        (b"a: 1\nb: \xff\n", "not-utf8", 2),
        ("ü: 1\n".encode("utf-16"), "not-utf8", 1),
        (b"a: *nobody\n", "no-anchor", 1),
        (b"a: &a [*a]\n", "no-anchor", 1),
        (b"a: " + b"[" * 5000, "too-deep", 1),
        (b"a: !!python/object/apply:os.system [x]\n", "tag", 1),
        (b"a: !!binary aGk=\n", "tag", 1),
        (b"a: !Ref x\n", "tag", 1),
        (b"!k a: x\n", "tag", 1),
        (b"a: .nan\n", "number", 1),
        (b"a: -.inf\n", "number", 1),
        (b"? [a]\n: b\n", "key", 1),
        (b"<<: 1\n", "merge-key", 1),
        (b"<<: [1]\n", "merge-key", 1),
    ],
)
def test_hostile_and_broken_text_is_one_problem_with_its_line(data, code, line):
    found = problem(data)
    assert (found.path, found.code, found.line) == ("f.yaml", code, line)
    assert found.message
    assert found.hint


def test_a_manifest_keeps_foreign_tags_as_text():
    assert only(b"a: !Ref x\nb: .nan\nc: !!timestamp 2024-01-01\n", dialect=Dialect.MANIFEST).value == {
        "a": "x",
        "b": ".nan",
        "c": "2024-01-01",
    }


def test_an_alias_bomb_ends_at_the_cap():
    lines = [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [b"a%d: &a%d [" % (n, n) + b", ".join([b"*a%d" % (n - 1)] * 10) + b"]" for n in range(1, 12)]
    assert problem(b"\n".join(lines)).code == "too-large"


def test_a_file_larger_than_the_cap_is_not_parsed():
    assert problem(b"a: 1\n" * 10, caps=DocumentLimits(size=20)).code == "too-large"


def test_problems_of_one_file_are_bounded():
    found = read_yaml("f", b"a: 1\n" * 1000)
    assert len(found.problems) == 100


def test_loading_raises_one_error_that_holds_every_problem():
    with pytest.raises(ConfigError) as caught:
        load_yaml("f", b"a: 1\na: 2\nb: .nan\n")
    assert [item.line for item in caught.value.problems] == [2, 3]
    assert "(and 1 more)" in str(caught.value)
    assert caught.value.path == "f"
    assert caught.value.hint


def test_loading_gives_the_documents():
    assert load_yaml("f", b"a: 1\n")[0].value == {"a": 1}


def test_a_mark_of_a_scalar_has_nothing_below():
    assert Mark(3).find(("a", 0)).line == 3


@given(st.binary(max_size=400))
def test_no_bytes_cause_anything_but_problems(data):
    found = read_yaml("f", data)
    assert all(item.message and item.code for item in found.problems)
    assert found.is_broken <= bool(found.problems)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@,?\n\t <~0.", max_size=120))
def test_no_text_made_of_yaml_signs_causes_anything_but_problems(text):
    read_yaml("f", text.encode())
    read_yaml("f", text.encode(), dialect=Dialect.MANIFEST)
