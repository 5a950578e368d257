"""Filters drop tags by name, and show the policy what is extracted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policies.selecting import codes, selected, winner
from updater.errors import PolicyError
from updater.model.subscription import TagFilter
from updater.policies import build_filter, filter_from
from updater.policies.base import NotRanked

TAG = r"^(?P<branch>[a-z]+)-(?P<time>[0-9]+)(-x)?$"


def judged(tag, **texts):
    verdict = build_filter(TagFilter(**texts)).judge(tag)
    return str(verdict.code) if isinstance(verdict, NotRanked) else verdict


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("$time", "10"),
        ("${time}", "10"),
        ("$2", "10"),
        ("${2}0", "100"),
        ("$0", "main-10"),
        ("$branch.$time", "main.10"),
        ("$3", ""),
        ("v$$", "v$"),
        ("a$", "a$"),
        ("$-", "$-"),
        ("${time", "${time"),
        ("$times", "extract"),
        ("$2x", "extract"),
        ("$9", "extract"),
        ("$02", "extract"),
        ("$9999999999999999999999", "extract"),
    ],
)
def test_an_extract_template_is_filled_from_the_match(template, text):
    assert judged("main-10", allow=TAG, extract=template) == text


def test_an_unknown_group_rejects_every_tag_and_says_which():
    selection = selected({"number": {}}, ["main-10", "x"], filter_={"allow": TAG, "extract": "$ts"})
    assert codes(selection) == {"main-10": "extract", "x": "allow"}
    assert selection.rejections["main-10"].sentence.endswith("has no group $ts")
    assert build_filter(TagFilter(allow=TAG, extract="$ts")).unknown_group == "$ts"
    assert build_filter(TagFilter(allow=TAG, extract="$time")).unknown_group is None


@pytest.mark.parametrize(
    ("glob", "tag", "is_ignored"),
    [
        ("*-debug", "1.0-debug", True),
        ("*-debug", "1.0-debug2", False),
        ("debug", "1.0-debug", False),
        ("v[0-9]?", "v12", True),
        ("v[0-9]?", "v1", False),
        ("[^v]*", "v1", False),
        ("[^v]*", "1", True),
        ("[b-a]", "b", False),
        ("[^b-a]", "b", True),
        ("[\\]a]", "a", True),
        ("[a\\-c]", "-", True),
        ("\\*", "*", True),
        ("a**b", "axb", True),
        ("*", "a\nb", True),
        ("*", "a/b", False),
        ("1.0", "1x0", False),
        ("", "", True),
        ("regexp:^pr-", "pr-7", True),
        ("regexp:pr", "a-pr-7", True),
        ("regexp:^7", "pr-7", False),
    ],
)
def test_ignore_takes_globs_over_the_whole_tag_and_expressions_anywhere(glob, tag, is_ignored):
    assert judged(tag, ignore=(glob,)) == ("ignore" if is_ignored else tag)


@pytest.mark.parametrize("glob", ["[", "[a", "[]a]", "[a-]", "[-a]", "a\\", "[\\", "[a-\\", "[^"])
def test_a_glob_that_is_not_closed_is_refused(glob):
    with pytest.raises(PolicyError, match="is not a glob"):
        build_filter(TagFilter(ignore=(glob,)))


@pytest.mark.parametrize(
    ("filter_", "said"),
    [
        ({"allow": "("}, r"allow '\(' is not a regular expression: missing \)"),
        ({"allow": "a(?=b)"}, "not a regular expression"),
        ({"allow": "\ud800"}, "is not text"),
        ({"ignore": ["regexp:["]}, "ignore '.' is not a regular expression"),
        ({"allow": "regexp:^v"}, "begins with regexp:"),
        ({"extract": "$1"}, "nothing to extract from"),
    ],
)
def test_a_filter_that_cannot_be_built_is_a_policy_error_with_a_hint(filter_, said, capfd):
    with pytest.raises(PolicyError, match=said) as refused:
        build_filter(filter_from(filter_))
    assert refused.value.hint
    assert capfd.readouterr() == ("", ""), "the library writes nothing of its own"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "filter is not a map"),
        ({"alow": "x"}, "filter has no 'alow'"),
        ({"colour": 1}, "filter has no 'colour'"),
        ({"ignore": "x"}, "not a list of texts"),
        ({"ignore": [1]}, "not a list of texts"),
        ({"allow": 1}, "is not a text"),
    ],
)
def test_a_filter_of_another_shape_is_refused(value, said):
    with pytest.raises(PolicyError, match=said):
        filter_from(value)


def test_a_filter_that_is_left_out_lets_every_tag_pass():
    assert filter_from(None) == filter_from({}) == filter_from({"allow": None, "ignore": None, "extract": None}) == TagFilter()


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
def test_signatures_are_no_candidates_of_any_policy(suffix):
    tag = "sha256-" + "0" * 64 + suffix
    assert winner({"name": {}}, [tag, "0"]) == "0"
    assert codes(selected({"name": {}}, [tag])) == {tag: "artifact"}


@pytest.mark.parametrize("tag", ["sha256-" + "0" * 63, "sha256-" + "0" * 64 + ".zip", "sha256-abc", "x-sha256-" + "0" * 64])
def test_tags_that_only_look_like_signatures_are_candidates(tag):
    assert winner({"name": {}}, [tag]) == tag


def test_half_a_character_in_a_tag_matches_nothing():
    assert judged("\ud800", allow=".") == "allow"
    assert judged("\ud800", ignore=("*",)) == "\ud800"


@given(
    st.lists(st.sampled_from(["*-a", "b*", "[0-9]*", "regexp:c", "?"]), max_size=4),
    st.permutations(["a-a", "b", "1", "xc", "zz"]),
)
def test_the_order_of_filters_and_tags_changes_nothing(globs, tags):
    forwards = selected({"name": {}}, tags, filter_={"ignore": globs})
    backwards = selected({"name": {}}, sorted(tags), filter_={"ignore": globs[::-1]})
    assert (forwards.chosen, codes(forwards)) == (backwards.chosen, codes(backwards))


def test_what_is_extracted_does_not_grow_without_end():
    """Whoever writes the template chooses how often it repeats a tag; thousands of tags are extracted from."""
    with pytest.raises(PolicyError, match="longer than 512"):
        build_filter(TagFilter(allow="^(.*)$", extract="$1" * 300))
    assert judged("x" * 128, allow="^(.*)$", extract="$1" * 200) == "extract"
    assert judged("10", allow="^(.*)$", extract="$1" * 200) == "10" * 200


@pytest.mark.parametrize("part", ["allow", "ignore"])
def test_an_expression_has_an_end(part):
    texts = {"allow": "a|" * 5000} if part == "allow" else {"ignore": ("regexp:" + "a|" * 5000,)}
    with pytest.raises(PolicyError) as raised:
        build_filter(TagFilter(**texts))
    assert len(raised.value.message) < 200
