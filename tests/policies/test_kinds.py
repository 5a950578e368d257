"""Each kind of policy is built strictly and orders as its page says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policies.selecting import codes, ranked, selected, winner
from updater.errors import PolicyError
from updater.model.candidate import Candidate
from updater.model.subscription import PolicySpec
from updater.policies import build, kinds, spec_from

DAY = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "said", "hint"),
    [
        ({"sember": {}}, "there is no policy 'sember'", "did you mean 'semver'?"),
        ({"": {}}, "there is no policy ''", "policies: semver, latest"),
        ({"semver": {"rage": "1"}}, "the policy semver has no option 'rage'", "did you mean 'range'?"),
        ({"latest": {"range": "1"}}, "the policy latest has no option 'range'", "its options: none"),
        ({"semver": {"range": 1.2}}, "range of the policy semver is not a text", "range: '1.2'"),
        ({"semver": {"range": []}}, "is not a text", "range is a text"),
        ({"semver": {"range": ""}}, "is not a range", "leave the range out"),
        ({"semver": {"prerelease": "yes"}}, "neither true nor false", "prerelease: true"),
        ({"name": {"order": "up"}}, "order 'up'", "asc"),
        ({"number": {"order": "down"}}, "order 'down'", "desc"),
        ({"digest": {}}, "no tag to follow", "latest"),
        ({"digest": {"tag": "a b"}}, "'a b' is not a tag", "at most 128"),
        ({"pep440": {"range": ""}}, "not a set of specifiers", "leave the range out"),
        ({"pep440": {"range": "^1"}}, "not a set of specifiers", "~=1.4"),
        ({}, "not a map of one kind", "semver"),
        ({"semver": {}, "name": {}}, "not a map of one kind", "semver"),
        ("semver", "not a map of one kind", "semver"),
        ({1: {}}, "not a map of one kind", "semver"),
        ({"semver": "1.x"}, "are not a map", "{}"),
    ],
)
def test_a_policy_that_cannot_be_built_is_refused_with_a_hint(value, said, hint):
    with pytest.raises(PolicyError, match=said) as refused:
        build(spec_from(value))
    assert refused.value.code == "policy"
    assert hint in refused.value.hint


def test_a_spec_is_read_as_written_and_built_once():
    spec = spec_from({"semver": {"range": ">=1", "prerelease": None}})
    assert spec == PolicySpec("semver", {"range": ">=1"})
    assert build(spec) is build(PolicySpec("semver", {"range": ">=1"}))
    assert spec_from({"latest": None}) == PolicySpec("latest")
    assert kinds()[:6] == ("semver", "latest", "name", "number", "digest", "pep440")


@pytest.mark.parametrize("kind", ["semver", "latest", "name", "number", "pep440"])
def test_every_policy_says_what_its_winner_is(kind):
    assert build(PolicySpec(kind)).reason.startswith("the ")
    assert build(PolicySpec("digest", {"tag": "x"})).reason


def test_numbers_are_exact_however_long():
    big = "9007199254740992"
    assert winner({"number": {}}, [big, "9007199254740993"]) == "9007199254740993"
    assert winner({"number": {}}, ["9" * 500, "9" * 499 + "8"]) == "9" * 500
    assert winner({"number": {"order": "desc"}}, ["1" * 40 + ".1", "1" * 40 + ".2"]) == "1" * 40 + ".1"


@pytest.mark.parametrize("text", ["", "x", "1,000", "0x10", "inf", "NaN", "1e9999", "7e99999999", "١", "1 ", ".", "--1", "1\n"])
def test_one_bad_number_loses_alone(text):
    selection = selected({"number": {}}, [text, "5"])
    assert (selection.chosen.tag, codes(selection)) == ("5", {text: "not-a-number"})


def test_one_underscore_may_stand_between_two_digits():
    """As Go's strconv.ParseFloat reads it, which Flux uses."""
    assert winner({"number": {}}, ["20240101_120000", "20240102_080000", "20231231_235959"]) == "20240102_080000"
    assert winner({"number": {}}, ["1_000", "999"]) == "1_000"
    assert winner({"number": {}}, ["1_23.50_0_0e+1_2", "123499999999999"]) == "1_23.50_0_0e+1_2"
    assert selected({"number": {}}, ["20240101_120000"], "20240102_080000").code == "downgrade"


@pytest.mark.parametrize(
    "text",
    [
        *("_123", "-_123", "1__23", "123_", "123_.5", "123._5", "123.5_", "123.5_e+12", "123.5e_+12", "123.5e+_12"),
        *("123.5e-_12", "123.5e+1__2", "123.5e+12_", "_", "1_e9", "._5"),
    ],
)
def test_an_underscore_anywhere_else_makes_no_number(text):
    assert codes(selected({"number": {}}, [text, "5"])) == {text: "not-a-number"}


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=3), min_size=1))
def test_the_greatest_number_wins_and_the_least_in_descending_order(numbers):
    tags = [f"{number:f}" for number in numbers]
    values = dict(zip(tags, numbers, strict=True))
    assert values[winner({"number": {}}, tags)] == max(numbers)
    assert values[winner({"number": {"order": "DESC"}}, tags)] == min(numbers)


@given(st.lists(st.text(max_size=4), min_size=1, unique=True))
def test_names_are_ordered_by_code_point_both_ways(tags):
    upwards = ranked(selected({"name": {}}, tags))
    assert upwards == sorted(tags, reverse=True)
    assert ranked(selected({"name": {"order": "desc"}}, tags)) == upwards[::-1]


def test_the_newest_is_by_push_then_first_seen_then_creation():
    tags = [
        Candidate(tag="pushed", pushed=DAY + timedelta(2), first_seen=DAY, created=DAY),
        Candidate(tag="seen", first_seen=DAY + timedelta(1), created=DAY + timedelta(9)),
        Candidate(tag="created", created=DAY),
    ]
    assert ranked(selected({"latest": {}}, tags)) == ["pushed", "seen", "created"]


def test_times_are_compared_across_zones_and_a_bare_one_is_utc():
    east = timezone(timedelta(hours=9))
    tags = [
        Candidate(tag="tokyo", created=datetime(2025, 1, 1, 8, tzinfo=east)),
        Candidate(tag="bare", created=datetime(2025, 1, 1)),  # noqa: DTZ001 - the case under test
    ]
    assert winner({"latest": {}}, tags) == "bare"


@pytest.mark.parametrize(
    "moment", [None, datetime(1970, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC), datetime(1980, 1, 1, tzinfo=UTC)]
)
def test_a_date_that_cannot_be_true_is_no_date(moment):
    selection = selected({"latest": {}}, [Candidate(tag="a", created=moment), Candidate(tag="b", created=DAY)])
    assert (selection.chosen.tag, codes(selection)) == ("b", {"a": "no-date"})
    late = Candidate(tag="a", pushed=moment, created=DAY)
    assert winner({"latest": {}}, [late]) == "a"


@pytest.mark.parametrize(
    ("options", "tags", "chosen", "lost"),
    [
        (
            {},
            ["1.0", "1.1rc1", "1.0.post1", "x"],
            "1.0.post1",
            {"1.1rc1": "prerelease", "1.0": "outranked", "x": "not-a-version"},
        ),
        ({"range": ">=1.0,<2"}, ["2.0", "1.10", "1.9"], "1.10", {"2.0": "range", "1.9": "outranked"}),
        ({"range": "~=1.4"}, ["1.4.dev1", "1.5", "2.0"], "1.5", {"1.4.dev1": "range", "2.0": "range"}),
        ({"range": ">=1.0rc1"}, ["1.0rc2"], "1.0rc2", {}),
        ({"prerelease": True}, ["1.0", "1.1rc1"], "1.1rc1", {"1.0": "outranked"}),
        ({}, ["1." + "0" * 300], None, {"1." + "0" * 300: "not-a-version"}),
    ],
)
def test_python_versions_are_ordered_by_pep_440(options, tags, chosen, lost):
    selection = selected({"pep440": options}, tags)
    assert (selection.chosen.tag if selection.chosen else None, codes(selection)) == (chosen, lost)


def test_prerelease_opens_every_range():
    assert winner({"semver": {"range": "^1", "prerelease": True}}, ["1.0.0", "1.1.0-rc.1"]) == "1.1.0-rc.1"
    assert winner({"semver": {"range": "^1-0", "prerelease": False}}, ["1.0.0", "1.1.0-rc.1"]) == "1.1.0-rc.1"
