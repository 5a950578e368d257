"""JSON of others is read under caps, and every fault is a `ConfigError`."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.documents import DocumentLimits, load_json, read_bytes
from updater.errors import ConfigError


def test_plain_json_is_read():
    assert load_json("f", b'{"a": [1, 2.5, null, true, "x"]}') == {"a": [1, 2.5, None, True, "x"]}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "json"),
        (b"{'a': 1}", "json"),
        (b'{"a": 1, "a": 2}', "json"),
        (b"[NaN]", "json"),
        (b"[Infinity]", "json"),
        (b"1" * 50, "json"),
        (b"[" * 120 + b"]" * 120, "too-deep"),
        (b"[" * 200_000, "too-deep"),
        (b"\xff", "not-utf8"),
        (b'"' + b"x" * 99 + b'"', "too-large"),
    ],
)
def test_a_fault_is_a_config_error_with_a_code(data, code):
    with pytest.raises(ConfigError) as caught:
        load_json("f.json", data, caps=DocumentLimits(size=50 if code == "too-large" else 1_000_000))
    assert caught.value.code == code
    assert caught.value.path == "f.json"
    assert caught.value.hint


def test_a_fault_of_grammar_has_its_line():
    with pytest.raises(ConfigError) as caught:
        load_json("f", b'{\n "a": 1,\n}')
    assert caught.value.problems[0].line == 3


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_what_was_written_is_read(value):
    assert load_json("f", json.dumps(value).encode()) == value


@given(st.binary(max_size=100))
def test_no_bytes_cause_anything_but_a_config_error(data):
    with contextlib.suppress(ConfigError):
        load_json("f", data)


def test_reading_stops_one_byte_behind_the_cap(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 100)
    assert len(read_bytes(path, caps=DocumentLimits(size=10))) == 11


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_bytes(tmp_path / "absent")
    with pytest.raises(ConfigError, match="a folder"):
        read_bytes(tmp_path)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_bytes(loop)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_bytes(tmp_path / "nul\x00")
