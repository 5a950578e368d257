"""Bare numbers and dates are versions to the letter, and never win over the releases of an image."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policies.selecting import codes, selected, winner
from updater.policies.shape import is_full, is_leap, names_a_year

SEMVER = {"semver": {}}
PEP440 = {"pep440": {}}


@pytest.mark.parametrize("policy", [SEMVER, PEP440])
@pytest.mark.parametrize(
    ("written", "release", "bare"),
    [
        ("1.2.0", "1.3.0", "9505540"),  # a commit hash that has digits only
        ("v1.2.0", "v1.3.0", "20240131"),
        ("1.2.0", "1.3.0", "47"),  # a build number
        ("1.2.3", "1.2.4", "1.9"),  # a tag that moves
        ("1.2.3", "1.2.4", "2"),
    ],
)
def test_with_three_numbers_written_a_tag_of_fewer_loses(policy, written, release, bare):
    selection = selected(policy, [written, release, bare], written)
    assert (selection.status, selection.chosen.tag, codes(selection)[bare]) == ("updated", release, "shape")
    assert codes(selected(policy, [written, bare], written))[bare] == "shape"


def test_a_locked_variant_keeps_its_three_numbers_too():
    tags = ["1.2.4-alpine", "2-alpine", "1.3-alpine"]
    selection = selected(SEMVER, tags, "1.2.3-alpine")
    assert (selection.chosen.tag, codes(selection)) == ("1.2.4-alpine", {"2-alpine": "shape", "1.3-alpine": "shape"})


def test_the_reason_of_the_policy_comes_before_the_shape():
    selection = selected({"semver": {"range": "<2"}}, ["1.2.4", "3", "main", "1"], "1.2.3")
    assert codes(selection) == {"3": "range", "main": "not-a-version", "1": "shape"}


@pytest.mark.parametrize("written", ["1", "1.2", "latest", None])
def test_with_fewer_numbers_written_nothing_is_asked_of_the_shape(written):
    assert winner(SEMVER, ["1.2.0", "3"], written) == "3"


def test_what_the_filter_extracts_has_the_shape():
    rules = {"filter_": {"allow": r"^build-(?P<v>.*)$", "extract": "$v"}}
    selection = selected(SEMVER, ["build-1.3.0", "build-20240131"], "build-1.2.0", **rules)
    assert (selection.chosen.tag, codes(selection)) == ("build-1.3.0", {"build-20240131": "shape"})


def test_under_a_peers_object_the_shape_is_free():
    assert winner(SEMVER, ["1.3.0", "47"], "1.2.0", is_shape_locked=False) == "47"


@pytest.mark.parametrize("is_shape_locked", [True, False])
@pytest.mark.parametrize("policy", [SEMVER, PEP440])
@pytest.mark.parametrize(
    ("written", "leap"),
    [
        ("10.11.4", "2021.12.16"),
        ("1.4.0", "1.20231001.0"),
        ("1.4.0", "1.4.20231001"),
        ("1", "20240131"),
        ("0.9", "1900"),
    ],
)
def test_a_leap_from_a_small_number_to_a_date_is_held(policy, written, leap, is_shape_locked):
    selection = selected(policy, [written, leap], written, is_shape_locked=is_shape_locked)
    assert (selection.status, selection.code, selection.held.tag) == ("held", "leap", leap)
    assert codes(selection)[leap] == "leap"
    assert "range" in selection.hint


@pytest.mark.parametrize(
    ("policy", "range_"),
    [("semver", ">=2021"), ("semver", "^1 || 2021.x"), ("semver", "1.0.0 - 2030.0.0"), ("pep440", ">=2021"), ("pep440", "<2100")],
)
def test_a_range_that_names_such_a_number_wants_the_leap(policy, range_):
    assert winner({policy: {"range": range_}}, ["2021.12.16"], "10.11.4") == "2021.12.16"


@pytest.mark.parametrize("range_", [">=1.0.0", "<1899", ">=1.0.0-2021", "*"])
def test_a_range_of_small_numbers_wants_no_leap(range_):
    assert selected({"semver": {"range": range_}}, ["1850.0.0", "2021.12.16"], "1.0.0").code in {"leap", None}
    assert not names_a_year(range_)


@pytest.mark.parametrize(
    ("before", "after"),
    [("2021.12.16", "2022.1.1"), ("1.2.1850", "1.2.1905"), ("114.0.5735", "115.0.6000"), ("1899", "1899"), ("main", "2021")],
)
def test_what_counts_up_is_no_leap(before, after):
    assert not is_leap(before, after)


@given(st.text(max_size=40) | st.from_regex(r"v?[0-9]{1,90}(\.[0-9]{1,90}){0,4}[-.a-z0-9]{0,5}", fullmatch=True))
def test_every_text_has_a_shape_and_leaps_nowhere_from_itself(text):
    assert is_full(text) in {True, False}
    assert not is_leap(text, text)
    assert names_a_year(text) in {True, False}
