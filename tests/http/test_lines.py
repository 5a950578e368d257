"""Laws of cutting an endless answer into lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.http.lines import Lines, LineTooLong


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b".")), max_size=8), st.data())
def test_lines_are_the_same_however_the_answer_is_cut(wanted, data):
    text = b"".join(line + b"\n" for line in wanted) + data.draw(st.sampled_from([b"", b"broken off"]))
    lines, found = Lines(1000), []
    while text:
        cut = data.draw(st.integers(1, len(text)))
        found += lines.feed(text[:cut])
        text = text[cut:]
    assert found == [line for line in wanted if line.strip()]


def test_a_line_of_exactly_its_cap_is_fine_and_one_byte_more_is_not():
    assert list(Lines(4).feed(b"1234\n5678\n")) == [b"1234", b"5678"]
    with pytest.raises(LineTooLong):
        list(Lines(4).feed(b"12345"))


def test_lines_before_one_that_is_too_long_are_given():
    found = Lines(4).feed(b"12\n123456\n")
    assert next(found) == b"12"
    with pytest.raises(LineTooLong):
        next(found)
