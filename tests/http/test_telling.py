"""Promises of how a server's words are repeated."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.http.address import shown
from updater.http.redaction import masked, told


@given(text=st.text(), most=st.integers(0, 50))
def test_it_is_one_line_of_bounded_length(text, most):
    said = told(text, most=most)
    assert said.isprintable()
    assert len(said) <= most


@given(before=st.text(), after=st.text(), secret=st.text("abcdefXYZ/+=", min_size=4), most=st.integers(4, 80))
def test_no_secret_is_left_even_where_the_text_is_cut(before, after, secret, most):
    assert secret not in told(before + secret + after, most=most, secrets=(secret,))
    assert secret[:4] not in told("!" * (most - 4) + secret, most=most, secrets=(secret,))


@pytest.mark.parametrize("secrets", [("word", "password"), ("password", "word")])
def test_the_longest_secret_goes_first_in_any_case(secrets):
    assert masked("my PassWord", secrets) == "my •••"


def test_what_is_too_short_to_be_told_from_a_word_stays():
    assert masked("an image", ("", "a", "an")) == "an image"


def test_a_shown_url_holds_no_control_character():
    assert shown("https://r.example.com/\x1b[31m\u2028x").isprintable()


@given(before=st.binary(max_size=9), after=st.binary(max_size=9), secret=st.text("abcXYZ019&+/=%é", min_size=12, max_size=30))
def test_a_secret_is_found_in_every_form_in_which_a_server_writes_it(before, after, secret):
    raw = secret.encode()
    inside = base64.b64encode(before + raw + after).decode()
    core = inside[-(-8 * len(before) // 6) : 8 * (len(before) + len(raw)) // 6]
    for form in (secret, quote(secret, safe=""), quote_plus(secret), raw.hex().upper(), json.dumps(secret), inside):
        assert "•••" in masked(form, (secret,))
    assert core not in masked(inside, (secret,))
    assert core.translate(str.maketrans("+/", "-_")) not in masked(inside.translate(str.maketrans("+/", "-_")), (secret,))
