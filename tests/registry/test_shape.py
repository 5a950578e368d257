"""Promises about what an answer may hold: it is counted exactly, whatever its strings hold, before anything is made of it."""

from __future__ import annotations

import json
import tracemalloc

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.errors import RegistryProtocolError
from updater.registry.shape import AnswerLimits, check_shape

TEXT = st.text(st.sampled_from('"\\[]{},:a\n\u00e9😀'), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)


def counted(value) -> tuple[int, int]:
    """Signs of structure, and depth."""
    if isinstance(value, dict):
        inner, own = list(value.values()), 1 + len(value) + max(len(value) - 1, 0)
    elif isinstance(value, list):
        inner, own = value, 1 + max(len(value) - 1, 0)
    else:
        return 0, 0
    found = [counted(item) for item in inner]
    return own + sum(count for count, _ in found), 1 + max((depth for _, depth in found), default=0)


def fits(body: bytes, **limits) -> bool:
    try:
        check_shape(body, AnswerLimits(**limits), what="it")
    except RegistryProtocolError:
        return False
    return True


@given(VALUES, st.booleans())
def test_values_and_depth_are_counted_exactly(value, is_ascii):
    """Brackets, commas and quotes in strings count for nothing."""
    body = json.dumps(value, ensure_ascii=is_ascii).encode()
    count, depth = counted(value)
    assert fits(body, values=count + 1, depth=max(depth, 1))
    assert not count or not fits(body, values=count, depth=1000)
    assert depth < 1 or not fits(body, values=1_000_000, depth=depth - 1)


@given(st.binary(max_size=60) | st.text(st.sampled_from('"\\[]{},:a '), max_size=60).map(str.encode))
def test_what_is_not_json_ends_too(body):
    fits(body, values=10, depth=3)


@given(VALUES, st.integers(0, 200))
def test_no_beginning_of_a_text_makes_more_than_was_counted(value, cut):
    """A text that breaks off is parsed until there, so what it holds until there counts."""
    body = json.dumps(value).encode()[:cut]
    count = 0
    while not fits(body, values=count + 1, depth=1000):
        count += 1
    assert count >= body.count(b"[") * (b'"' not in body)


@pytest.mark.parametrize("piece", [b"[],", b"{},", b'"",', b"0,", b'{"":0},', b'",",', b'"\\"",', b"[[]],", b"[[["])
def test_sixteen_megabytes_of_anything_cost_no_more_than_a_few_copies(piece):
    """No object is made for what is counted."""
    body = b'{"tags":[' + piece * ((16 << 20) // len(piece)) + b"0]}"
    tracemalloc.start()
    try:
        assert not fits(body)
        assert tracemalloc.get_traced_memory()[1] < 80e6
    finally:
        tracemalloc.stop()


def test_a_quarter_of_a_million_tags_fit():
    """The defaults let every list pass that the cap of tags lets pass."""
    body = orjson.dumps({"name": "org/app", "tags": [f"1.{number}" for number in range(250_000)]})
    assert fits(body)
