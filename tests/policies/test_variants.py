"""A locked variant keeps the suffix of the written tag, and locks no version, pre-release or counter out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policies.selecting import codes, selected, winner
from updater.policies.variants import locked_words, natural, read_variant


@pytest.mark.parametrize(
    ("written", "offered", "may"),
    [
        ("1.2.3", "1.2.4", True),
        ("1.2.3", "v1.2.4", True),
        ("1.2.3", "1.2.4-alpine", False),
        ("1.2.3-alpine", "1.2.4-alpine", True),
        ("1.2.3-alpine", "1.2.4-ALPINE", True),
        ("1.2.3-alpine", "1.2.4", False),
        ("1.2.3-alpine", "1.2.4-slim", False),
        ("1.2.3-alpine3.18", "1.2.4-alpine3.19", True),
        ("1.2.3-alpine3.18", "1.2.4-alpine", False),
        ("1.2.3-alpine", "1.2.4-alpine3.19", False),
        ("1.2.3-alpine-3.18", "1.2.4-alpine-3.19", True),
        ("1.2.3-debian-12-r4", "1.2.3-debian-12-r10", True),
        ("1.2.3-debian-11-r4", "1.2.4-debian-12-r0", True),
        ("1.2.3-debian-12-r4", "1.2.4-debian-12", True),
        ("1.2.3-debian-12-r4", "1.2.4", False),
        ("1.2.3-ubi8", "1.2.4-ubi9", True),
        ("1.2.3-ubi8-minimal", "1.2.4-ubi9", False),
        ("3.12-slim-bookworm", "3.13-slim-bookworm", True),
        ("3.12-slim-bookworm", "3.13-slim-bullseye", False),
        ("3.9-jdk17", "3.10-jdk17", True),
        ("3.9-jdk17", "3.10-jdk21", False),
        ("3.9.6-eclipse-temurin-17", "3.9.7-eclipse-temurin-21", False),
        ("3.9.6-eclipse-temurin-17", "3.9.7-eclipse-temurin-17", True),
        ("2.0-cuda12.1", "2.1-cuda12.1", True),
        ("2.0-cuda12.1", "2.1-cuda12.4", False),
        ("1.0-windowsservercore-ltsc2022", "1.1-windowsservercore-ltsc2019", False),
        ("1.2.3-arm64v8", "1.2.4-amd64", False),
        ("1.2.3-x86_64", "1.2.4-x86_64", True),
        ("1.2.3-rc.1", "1.2.3-rc.2", True),
        ("1.2.3-rc.1", "1.2.3", True),
        ("1.2.3-rc1", "1.2.3-rc10", True),
        ("1.2.3rc1", "1.2.3", True),
        ("1.2.3-beta.2.build.7", "1.2.3", True),
        ("1.2.3-rc.1-alpine", "1.2.3-alpine", True),
        ("1.2.3-alpine", "1.2.4-rc.1-alpine", True),
        ("1.2.3-rc.1", "1.2.3-alpine", False),
        ("1.2.3-1", "1.2.3-2", True),
        ("1.2.3-1", "1.2.4", True),
        ("1.2.3-r4", "1.2.3-r5", True),
        ("1.2.3-p1", "1.2.3-p2", True),
        ("1.2.3-p", "1.2.3", False),
        ("1.2.3-ls45", "1.2.4-ls46", True),
        ("1.2.3.Final", "1.2.4.Final", True),
        ("1.2.3-RELEASE", "1.2.4", True),
        ("1.2.3-20240131", "1.2.4-20240228", True),
        ("1.2.3-20240131T1200Z", "1.2.4", True),
        ("1.2.3-jammy-20240131", "1.2.4-jammy-20240228", True),
        ("1.2.3-15-g1abb7b5", "1.2.4-3-g7c01dde", True),
        ("1.2.3-1abb7b5", "1.2.4-7c01dde", True),
        ("2.0.330-63-g1234567", "2.0.331-5-gc1cfb68", True),
        ("2.0.330-63-gc1cfb68", "2.0.331-5-g1234567", True),
        ("2.0.330-63-gabcdefa", "2.0.331-5-g12ab", True),
        ("1.0.0-abcdefa", "1.0.1-4e5f6a7", True),
        ("1.0.0-alpine-1234567", "1.0.1-alpine-c1cfb68", True),
        ("1.0.0-alpine-1234567", "1.0.1-c1cfb68", False),
        ("1.0.0-ubuntu-20240131", "1.0.1-ubuntu-22.04", False),
        ("1.2.3-5-gate", "1.2.4-6-gnome", False),
        ("5.0.0-sha.abc", "5.0.1-sha.def", True),
        ("1.2.3-feature.15", "1.2.3-feature.16", True),
        ("1.2.3-feature.15", "1.2.3-other.16", False),
        ("1.2.3-distroless", "1.2.4-distroless", True),
        ("20240131-main", "20240228-main", True),
        ("20240131-main", "20240228-dev", False),
        ("1.2.3.4", "1.2.3.5", True),
        ("1.2.3_p1", "1.2.3_p2", True),
    ],
)
def test_a_variant_may_move_only_to_itself(written, offered, may):
    words = locked_words(written)
    assert (read_variant(offered).words == words) is may


@pytest.mark.parametrize(
    "written", [None, "", "latest", "main", "main-abc-10", "7fd1a60b01f91b314f59955a4e4d", "alpine", "release-1.2-slim"]
)
def test_what_does_not_begin_with_a_version_locks_nothing(written):
    assert locked_words(written) is None


def test_the_written_variant_is_kept_by_a_plain_range():
    """By the letter of semver 1.2.4-alpine is a pre-release; under a lock it is a release of its variant."""
    tags = ["1.2.3-alpine", "1.2.4-alpine", "1.2.9", "1.3.0-rc.1-alpine", "1.2.5-slim", "2.0.0-alpine", "x-alpine"]
    selection = selected({"semver": {"range": "^1.0"}}, tags, "1.2.3-alpine")
    assert selection.chosen.tag == "1.2.4-alpine"
    assert codes(selection) == {
        "1.2.3-alpine": "outranked",
        "1.2.9": "variant",
        "1.3.0-rc.1-alpine": "prerelease",
        "1.2.5-slim": "variant",
        "2.0.0-alpine": "range",
        "x-alpine": "variant",
    }
    assert selection.rejections["1.2.9"].sentence == "1.2.9 has no variant, the written tag has the variant alpine"


def test_the_version_of_a_base_system_is_not_added_or_dropped():
    selection = selected({"semver": {}}, ["1.2.4-alpine3.19", "1.2.3-alpine"], "1.2.3-alpine")
    assert (selection.status, codes(selection)) == ("unchanged", {"1.2.4-alpine3.19": "variant"})
    assert "only one names the version" in selection.rejections["1.2.4-alpine3.19"].sentence


@pytest.mark.parametrize(
    ("tags", "written", "chosen"),
    [
        (["1.2.3-debian-12-r9", "1.2.3-debian-12-r10"], "1.2.3-debian-12-r9", "1.2.3-debian-12-r10"),
        (["1.2.3-alpine3.9", "1.2.3-alpine3.10"], "1.2.3-alpine3.9", "1.2.3-alpine3.10"),
        (["1.2.3-rc9-alpine", "1.2.3-rc10-alpine"], "1.2.3-rc9-alpine", None),
        (["1.2.3-rc9-alpine", "1.2.3-alpine"], "1.2.3-rc9-alpine", "1.2.3-alpine"),
        (["1.2.3", "1.2.4-rc.1"], "1.2.3", "1.2.3"),
    ],
)
def test_suffixes_are_ordered_as_people_read_them(tags, written, chosen):
    assert winner({"semver": {}}, tags, written) == chosen
    assert winner({"semver": {"prerelease": True}}, tags, written) == tags[-1]


COUNTED = [
    ["1.2.3-r4", "1.2.3-r9", "1.2.3-r10"],
    ["v2026-9-01", "v2026-12-25", "v2026-12-25-2", "v2026-12-25-10"],
    ["2.0.330-7-gc1cfb68", "2.0.330-63-g1234567", "2.0.330-104-gabcdefa"],
    ["1.2.3-build9", "1.2.3-build10"],
    ["1.2.3-20240131", "1.2.3-20240228"],
]


@pytest.mark.parametrize("tags", COUNTED)
def test_counters_and_dates_count_where_prereleases_are_asked_for(tags):
    for written in (*tags, "latest", None):
        assert winner({"semver": {"prerelease": True}}, tags[::-1], written) == tags[-1]
    for written in tags:
        assert winner({"semver": {"range": ">=0-0"}}, tags[::-1], written) == tags[-1]
    assert selected({"semver": {}}, tags, tags[0]).status == "no-match", "nobody asked for pre-releases"
    assert selected({"semver": {"prerelease": True}}, tags[:-1], tags[-1]).code == "downgrade"


def test_words_of_a_prerelease_and_a_range_alone_keep_the_order_of_semver():
    assert winner({"semver": {"prerelease": True}}, ["1.2.3-rc2", "1.2.3-rc10"], "1.2.3-rc2") == "1.2.3-rc2"
    assert winner({"semver": {"prerelease": True}}, ["1.2.3-r10", "1.2.3-rc.1", "1.2.3"]) == "1.2.3"
    assert winner({"semver": {"range": "*-0"}}, ["1.2.3-r9", "1.2.3-r10"]) == "1.2.3-r9"
    assert winner({"semver": {"range": "*-0"}}, ["1.2.3-r9", "1.2.3-r10"], "1.2.3-r9", is_shape_locked=False) == "1.2.3-r9"


def test_any_variant_may_be_chosen_when_it_is_not_locked_and_without_a_written_tag():
    tags = ["1.2.4", "1.2.5-alpine"]
    assert winner({"semver": {"range": "*-0"}}, tags, "1.2.3", variant="any") == "1.2.5-alpine"
    assert winner({"semver": {"range": "*-0"}}, tags) == "1.2.5-alpine"
    assert winner({"semver": {"range": "*-0"}}, tags, "1.2.3") == "1.2.4"
    assert winner({"name": {}}, tags, "1.2.3-alpine") == "1.2.5-alpine"


def test_the_followed_tag_is_never_locked_out():
    assert winner({"digest": {"tag": "latest"}}, ["latest"], "1.2.3-alpine") == "latest"


def test_a_tag_that_is_no_version_stays_none_within_a_variant():
    selection = selected({"semver": {"prerelease": True}}, ["1.2.3.4-alpine", "1.0.0-alpine"], "0.9.0-alpine")
    assert codes(selection) == {"1.2.3.4-alpine": "not-a-version"}
    assert selected({"semver": {}}, ["1.0.0-alpine"], "1.2.3.4-alpine").code == "unreadable"


@pytest.mark.parametrize(
    "form", ["{}", "63-g{}", "alpine-{}", "slim.{}", "main-{}", "sha-{}", "sha{}", "rc.1-{}", "debian-12-{}"]
)
@given(st.from_regex(r"[0-9a-f]{7,40}", fullmatch=True), st.from_regex(r"[0-9a-f]{7,40}", fullmatch=True))
def test_a_commit_hash_is_no_variant_whatever_its_characters(form, one, other):
    assert read_variant(f"1.2.3-{form.format(one)}") == read_variant(f"1.2.3-{form.format(other)}")


@given(st.text(max_size=30) | st.from_regex(r"[0-9](\.[0-9]+)*([-._+][a-z0-9]{0,9}){0,5}", fullmatch=True))
def test_every_text_has_one_variant_and_may_stay_itself(text):
    assert locked_words(text) in {None, read_variant(text).words}
    assert min(natural(text), natural("r10-9a"), natural("")) == ()
