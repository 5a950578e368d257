"""A text stays plain only where every YAML reader takes it for the same string."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from updater.editors import quoting

NO_STRINGS = [
    "1.20",
    "12",
    "0",
    "-1",
    "+1",
    "0755",
    "0o17",
    "0x1F",
    "0X1f",
    "0b11",
    "1e3",
    "1E-3",
    "1.5e3",
    ".5",
    "5.",
    "089",
    "1_000",
    "1:30",
    "12:30:45",
    "1:30.5",
    ".inf",
    "-.Inf",
    ".NaN",
    "y",
    "Y",
    "yes",
    "Yes",
    "YES",
    "n",
    "N",
    "no",
    "No",
    "NO",
    "true",
    "True",
    "TRUE",
    "false",
    "False",
    "FALSE",
    "on",
    "On",
    "ON",
    "off",
    "Off",
    "OFF",
    "null",
    "Null",
    "NULL",
    "~",
    "=",
    "<<",
    "2024-01-02",
    "2024-1-2",
    "2024-01-02T10:11:12Z",
]
STRINGS = [
    "v1",
    "1.2.3",
    "1.2.3-rc.1",
    "latest",
    "ghcr.io/o/app:1.2.3",
    "localhost:5000/a@sha256:abc",
    "a1b2c3d",
    "1e3x",
    "0x",
    "yesterday",
    "nUll",
    "12:99",
    "2024-01-02-abc",
    ".",
    "a#b",
    "1.2.3_4",
    "é",
]
SYNTAX = [
    "a: b",
    "x #y",
    "- a",
    "*a",
    "&a",
    "!a",
    "@a",
    "`a",
    "%a",
    "? a",
    "|",
    ">",
    "[a",
    "{a",
    "a]",
    "a, b",
    "'a",
    '"a',
    "a:",
    " a",
    "a ",
    "#a",
]


@pytest.mark.parametrize("text", [*NO_STRINGS, "", *SYNTAX, "a\nb", "a\tb", "...", "---", "\ufeffa", "a\u2028b"])
def test_what_would_not_read_back_is_quoted(text):
    written = quoting.write(text)
    assert written.startswith('"')
    assert yaml.safe_load(f"k: {written}\n") == {"k": text}


@pytest.mark.parametrize("text", STRINGS)
def test_what_reads_back_stays_plain(text):
    assert quoting.write(text) == text
    assert yaml.safe_load(f"k: {text}\n") == {"k": text}
    assert yaml.safe_load(f"k: [{text}]\n") == {"k": [text]}


def test_quotes_that_are_there_stay():
    assert quoting.write("v1", style="'") == "'v1'"
    assert quoting.write("v1", style='"') == '"v1"'
    assert quoting.write("it's", style="'") == "'it''s'"
    assert quoting.write('say "x" \\', style='"') == '"say \\"x\\" \\\\"'


def test_a_line_break_leaves_single_quotes():
    assert quoting.write("a\nb", style="'") == '"a\\nb"'


def test_behind_an_explicit_tag_a_number_is_no_number():
    assert quoting.write("1.20", is_typed=True) == "1.20"


@given(st.text(), st.sampled_from(["", "'", '"']))
def test_every_text_reads_back_in_every_style(text, style):
    printable = "".join(char for char in text if char.isprintable() or char in "\n\t")
    assert yaml.safe_load(f"- {quoting.write(printable, style=style)}\n") == [printable]
