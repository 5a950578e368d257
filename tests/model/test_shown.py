"""What showing promises: nothing that a person did not write moves a cursor."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from updater.model.text import printable, printable_data, printable_lines


@given(st.text(alphabet=st.characters()))
def test_what_is_shown_is_printable_and_what_is_printable_stays(text):
    assert printable(text).isprintable()
    assert not text.isprintable() or printable(text) == text
    assert printable_lines(text).replace("\n", "").isprintable()


def test_escapes_say_what_was_there():
    assert printable("a\x1b[0m\u202e\nb") == "a\\x1b[0m\\u202e\\nb"
    assert printable_lines("a\x1b\nb") == "a\\x1b\nb"
    assert printable_data({"k": ["\x07", 1, None], "t": "\t"}) == {"k": ["\\x07", 1, None], "t": "\\t"}
