"""No regular expression of the package goes back over a text again and again, whatever the text."""

from __future__ import annotations

import re

import pytest

from tests.patterns import ACCEPTED, faults, is_linear, uses


def test_every_expression_of_the_package_takes_linear_time():
    assert faults() == []


def test_every_accepted_expression_is_still_there():
    assert set(ACCEPTED) <= {use.place for use in uses()}


@pytest.mark.parametrize(
    ("pattern", "how"),
    [
        (r"(?:^|\s)(#+\s*\{.*\})\s*$", "search"),
        (r"(?:#+|//+|--+|;+)[ \t]*\Z", "search"),
        (r"(a*)*b", "match"),
        (r"(a|a)*b", "match"),
        (r"(a|aa)+$", "match"),
        (r"\s+$", "search"),
        (r"[a-z]+://x", "search"),
        (r"[0-9]++x", "search"),
        (r".*,.*,.*;", "match"),
        (r"<.*?>", "search"),
        (r"(x)\1*y", "match"),
        (r"(?=a*b)a*c|a*a*d", "match"),
    ],
)
def test_an_expression_that_divides_a_text_in_many_ways_is_found(pattern, how):
    assert not is_linear(re.compile(pattern), how=how)


@pytest.mark.parametrize(
    ("pattern", "how"),
    [
        (r"[a-z]+", "search"),
        (r"[a-z]+(?:-[a-z]+)*", "fullmatch"),
        (r"(?<=://)[^/\s@]+@", "sub"),
        (r"(?<![0-9])[0-9]+x", "search"),
        (r"\s*+(.*)", "fullmatch"),
        (r"^x+y", "search"),
        (r"(?m)^[ab]+c", "search"),
        (r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", "fullmatch"),
        (r"-----BEGIN[^-]+-----END", "findall"),
        (r"\$imagepolicy|io\.k8s", "search"),
    ],
)
def test_an_expression_that_reads_each_character_once_passes(pattern, how):
    assert is_linear(re.compile(pattern), how=how)
