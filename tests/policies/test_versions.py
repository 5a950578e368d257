"""Versions and ranges answer as Masterminds/semver v3.5 does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.errors import PolicyError
from updater.policies.versions import parse_range, parse_version, parse_versions

ORACLE = [json.loads(line) for line in (Path(__file__).parent / "semver_oracle.jsonl").read_text().splitlines()]

words = st.sampled_from(["0", "1", "9", "10", "rc", "rc1", "alpha", "beta", "a-b", "-", "18446744073709551616", "x"])
versions = st.builds(
    lambda numbers, parts: ".".join(map(str, numbers)) + (f"-{'.'.join(parts)}" if parts else ""),
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
    st.lists(words, max_size=3),
)


@pytest.mark.parametrize("number", range(0, len(ORACLE), 30))
def test_a_range_takes_what_the_library_takes_in_its_order(number):
    for case in ORACLE[number : number + 30]:
        if case["error"]:
            with pytest.raises(PolicyError):
                parse_range(case["range"])
            continue
        found = [
            (tag, version) for tag, version in zip(case["tags"], parse_range(case["range"]).select(case["tags"]), strict=True)
        ]
        admitted = {tag: version for tag, version in found if version}
        assert sorted(admitted) == sorted(case["matched"]), case["range"]
        assert sorted(admitted.values(), reverse=True) == [admitted[tag] for tag in case["matched"]], case["range"]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("1", (1, 0, 0, 1), id="argo-055"),
        pytest.param("v1", (1, 0, 0, 1), id="argo-056"),
        pytest.param("01.02.03", (1, 2, 3, 1), id="argo-057"),
        pytest.param("2024.01.05", (2024, 1, 5, 1), id="argo-058"),
        pytest.param("20240101", (20240101, 0, 0, 1), id="argo-059"),
        pytest.param("V1.2.3", None, id="argo-060"),
        pytest.param("release-1.2.3", None, id="argo-061"),
        pytest.param("99999999999999999999.1.1", None, id="argo-062"),
        ("18446744073709551615.0.0", (2**64 - 1, 0, 0, 1)),
        ("18446744073709551616.0.0", None),
        ("1.18446744073709551616", None),
        ("1.2.3.4", None),
        ("1.20.0_p1", None),
        ("1.2.3+build.5", (1, 2, 3, 1)),
        ("1.2.3-rc.1+build", (1, 2, 3, 0, (1, "rc"), (0, 1))),
        ("1.2.3-rc.01", None),
        ("1.2.3-a..b", None),
        ("1.2.3-", None),
        ("1.2.3-0", (1, 2, 3, 0, (0, 0))),
        ("1.2.3-18446744073709551616", (1, 2, 3, 0, (1, "18446744073709551616"))),
        ("1.2.3\n", None),
        ("1.2.3²", None),
        ("", None),
        ("1." + "0" * 254, (1, 0, 0, 1)),
        ("1." + "0" * 255, None),
    ],
)
def test_a_text_is_the_version_that_the_library_reads(text, version):
    assert parse_version(text) == version
    assert parse_versions([text]) == [version]


@pytest.mark.parametrize(
    ("range_", "text", "is_taken"),
    [
        pytest.param("*", "1.2.3", True, id="argo-037"),
        pytest.param("*", "1.2.3-rc1", False, id="argo-038"),
        pytest.param("*-0", "1.2.3-rc1", True, id="argo-039"),
        pytest.param("1", "2.0.0", False, id="argo-040"),
        pytest.param("1.17.10", "1.17.10", True, id="argo-041"),
        pytest.param("1.17.10", "1.17.11", False, id="argo-042"),
        pytest.param("~1.2", "1.3.0", False, id="argo-043"),
        pytest.param("~1.2", "1.2.3-rc1", False, id="argo-044"),
        pytest.param("~1.2-0", "1.2.3-rc1", True, id="argo-045"),
        pytest.param(">=1.0 <2.0", "1.5.0", True, id="argo-046"),
        pytest.param("1.x || 3.x", "3.1.0", True, id="argo-047"),
        pytest.param("1.x || 3.x", "2.0.0", False, id="argo-048"),
        pytest.param("1.0 - 2.0", "2.0.5", True, id="argo-049"),
        pytest.param("v1.x", "1.4.0", True, id="argo-050"),
        pytest.param(">1.2", "1.2.5", False, id="argo-051"),
        pytest.param(">1.2", "1.3.0", True, id="argo-052"),
        pytest.param("1.2.x-0", "1.2.3-alpine", True, id="argo-053"),
        ("!=1.2.x", "1.2.9", False),
        ("!=1.2.x", "1.3.0", True),
        ("!=1.2.x-0", "1.2.9-rc.1", True),
        ("!=1.2.x-0", "1.2.9-0", False),
        ("!=1.x", "1.9.9", False),
        ("!=*", "0.0.0", False),
        ("!=*", "0.0.1", True),
        ("!=1.2.3-rc", "1.2.3-rc.1", True),
        ("!=1.2.3-rc", "1.2.3-rc", False),
        ("<=1.2", "1.2.9", True),
        ("<=1", "1.9.9", True),
        ("<=*", "0.1.0", False),
        (">1.0.0-rc.1", "1.0.0-rc.1", False),
        (">1.0.0-rc.1", "1.0.0-rc.1.0", True),
        ("<=1.0.0-rc.1", "1.0.0-rc.1", True),
        ("~0.0.0", "7.0.0", True),
        ("~>1.2.3", "1.2.9", True),
        ("^*", "0.0.0", True),
        ("^*", "0.0.1", False),
        ("^0.0", "0.0.9", True),
        ("^0.0.3", "0.0.4", False),
        ("=>1.2,=<1.4", "1.4.9", True),
        ("1||2 - 3", "2.5.0", True),
    ],
)
def test_a_range_takes_exactly_what_the_library_takes(range_, text, is_taken):
    version = parse_version(text)
    assert parse_range(range_).admits(version) is is_taken
    assert parse_range(range_).select([text]) == [version if is_taken else None]


@pytest.mark.parametrize(
    ("range_", "hint"),
    [
        pytest.param("latest", "policy digest", id="argo-054"),
        ("", "leave the range out"),
        (" ", "leave the range out"),
        ("==1.2.3", "write one ="),
        (">=1.0 ||", "comparisons"),
        ("*-*", "comparisons"),
        ("1.0.0p", "comparisons"),
        ("1 ||2 - 3", "comparisons"),
        (">=1,,<2", "comparisons"),
        ("1.2.3-rc.01", "comparisons"),
        ("1\v2", "comparisons"),
        (">99999999999999999999", "comparisons"),
        ("1.2\u00a0- 2", "comparisons"),
        ("\ud800", "comparisons"),
    ],
)
def test_what_is_no_range_is_refused_with_a_hint_that_helps(range_, hint):
    with pytest.raises(PolicyError) as refused:
        parse_range(range_)
    assert refused.value.code == "policy"
    assert hint in refused.value.hint


def test_a_range_ends_at_512_bytes_and_32_alternatives():
    parse_range("||".join(["1"] * 32))
    parse_range(">=" + "1" + " " * 509)
    with pytest.raises(PolicyError):
        parse_range("||".join(["1"] * 33))
    with pytest.raises(PolicyError):
        parse_range(">=" + "1" + " " * 510)


@pytest.mark.parametrize(
    "range_", [">=1.2.3-" + "a." * 240, "1" * 500 + "!", "1 - " * 120, " " * 511 + "x-", "1 " * 250 + ".", "v" * 512]
)
def test_a_hostile_range_is_answered(range_):
    with pytest.raises(PolicyError):
        parse_range(range_)


@given(st.lists(st.one_of(versions, st.text(max_size=6), st.sampled_from(["1\n2", "v1", "99999999999999999999"]))))
def test_many_texts_are_read_as_one_by_one(texts):
    assert parse_versions(texts) == [parse_version(text) for text in texts]
    releases = [version if version and version[3] else None for version in parse_versions(texts)]
    assert parse_versions(texts, releases_only=True) == releases


@given(st.lists(versions, max_size=5))
def test_the_order_is_total_antisymmetric_and_transitive(texts):
    read = [version for version in map(parse_version, texts) if version]
    for left in read:
        for right in read:
            assert (left < right) + (left == right) + (left > right) == 1
            assert (left < right) == (right > left)
    backwards = read[::-1]
    assert sorted(read) == sorted(backwards)


@given(versions, st.sampled_from(["*", ">=1", "~1.2", "^0.1", "1.x || >2.1", "!=1.0.0, <3", ">=1.0.0-0", "0.1 - 2"]))
def test_opening_a_range_to_prereleases_only_adds_them(text, range_):
    version = parse_version(text)
    if version is None:
        return
    asked = parse_range(range_)
    assert asked.admits(version) <= asked.admits(version, prerelease=True)
    if version[3]:
        assert asked.admits(version) == asked.admits(version, prerelease=True)
