"""One entry chooses: policies rank, eligibility walks the ranks, guards have the last word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.policies.selecting import codes, listing, ranked, request, selected, winner
from updater.model.candidate import Candidate, Fact, FactRequest
from updater.model.image import Digest, parse_platform
from updater.model.selection import Code
from updater.model.subscription import Downgrade
from updater.policies.choose import RankingMemory, count_codes, foreseen_asks

DIGEST = Digest(algorithm="sha256", encoded="d" * 64)
OTHER = Digest(algorithm="sha256", encoded="e" * 64)
ARM, AMD = parse_platform("linux/arm64"), parse_platform("linux/amd64")
SIGNATURE = "sha256-" + "0af1" * 16
DAY = datetime(2025, 1, 1, tzinfo=UTC)


def test_every_loser_has_its_code_and_a_sentence():
    tags = ["1.0.0", "1.1.0", "2.0.0", "1.2.0-rc.1", "1.3.0-debug", "latest", SIGNATURE, SIGNATURE + ".att", "v1.1.0"]
    selection = selected({"semver": {"range": "^1"}}, tags, "1.0.0", filter_={"ignore": ["*-debug"]})
    assert (selection.status, selection.chosen.tag) == ("updated", "1.1.0")
    assert selection.detail == "1.1.0 is the highest version in the range ^1; 1.0.0 is written"
    assert codes(selection) == {
        "v1.1.0": "outranked",
        "1.0.0": "outranked",
        "2.0.0": "range",
        "1.2.0-rc.1": "prerelease",
        "1.3.0-debug": "ignore",
        "latest": "not-a-version",
        SIGNATURE: "artifact",
        SIGNATURE + ".att": "artifact",
    }
    assert list(selection.rejections)[:2] == ["v1.1.0", "1.0.0"]
    assert selection.rejections["1.2.0-rc.1"].sentence == "1.2.0-rc.1 is a pre-release, and the range ^1 names none"
    assert all(rejection.tag == tag and tag[:9] in rejection.sentence for tag, rejection in selection.rejections.items())


def test_the_chosen_one_has_no_rejection():
    rejections = selected({"semver": {}}, ["1.0.0", "2.0.0"]).rejections
    assert "2.0.0" not in rejections
    assert len(rejections) == 1
    with pytest.raises(KeyError):
        rejections["2.0.0"]
    with pytest.raises(KeyError):
        rejections["3.0.0"]


def test_nothing_to_choose_from_is_an_outcome_with_its_reason():
    assert selected({"semver": {}}, []).detail == "there is no tag"
    selection = selected({"semver": {"range": "<1"}}, ["1.0.0", "2.0.0", "main"])
    assert (selection.status, selection.chosen, ranked(selection)) == ("no-match", None, [])
    assert selection.detail == "no tag matches: 2 outside the range, 1 not a version"
    assert count_codes(selection.rejections) == "2 outside the range, 1 not a version"


@pytest.mark.parametrize(
    ("policy", "tags", "current", "held"),
    [
        ({"semver": {}}, ["1.0.0", "1.1.0"], "2.0.0", "1.1.0"),
        ({"semver": {}}, ["1.0.0"], "1.0.1-rc.1", "1.0.0"),
        ({"semver": {"range": "^1"}}, ["1.0.0", "2.0.0"], "2.0.0", "1.0.0"),
        ({"name": {}}, ["a", "b"], "c", "b"),
        ({"name": {"order": "desc"}}, ["b", "c"], "a", "b"),
        ({"number": {}}, ["9", "10"], "11", "10"),
        ({"number": {"order": "desc"}}, ["10", "9"], "8", "9"),
        ({"pep440": {}}, ["1.0", "1.1rc1"], "1.1rc1", "1.0"),
    ],
)
def test_a_downgrade_is_held_until_it_is_allowed(policy, tags, current, held):
    selection = selected(policy, tags, current)
    assert (selection.status, selection.chosen, selection.held.tag) == ("held", None, held)
    assert (selection.code, codes(selection)[held]) == (Code.DOWNGRADE, "downgrade")
    assert selection.detail == f"{held} is lower than {current}, which is written"
    assert winner(policy, tags, current, downgrade=Downgrade.ALWAYS) == held


@pytest.mark.parametrize(
    ("policy", "rules", "current", "chosen"),
    [
        ({"semver": {"range": "<2"}}, {}, "2.0.0", "1.1.0"),  # the range was narrowed
        ({"semver": {}}, {}, "2.0.0", None),  # the tag has merely vanished from the list
        ({"semver": {}}, {"filter_": {"ignore": ["2.*"]}}, "2.0.0", "1.1.0"),  # the filter was narrowed
        ({"semver": {}}, {}, "2.0.0-rc.1", "1.1.0"),  # pre-releases are no longer wanted
        ({"semver": {"prerelease": True}}, {}, "2.0.0-rc.1", None),
        ({"pep440": {"range": "<2"}}, {}, "2.0", "1.1.0"),
        ({"pep440": {}}, {}, "2.0", None),
    ],
)
def test_by_policy_a_tag_goes_down_only_where_filter_or_policy_exclude_the_written_one(policy, rules, current, chosen):
    selection = selected(policy, ["1.0.0", "1.1.0"], current, downgrade=Downgrade.BY_POLICY, **rules)
    assert (selection.chosen and selection.chosen.tag) == chosen
    if chosen is None:
        assert (selection.status, selection.code, selection.held.tag) == ("held", Code.DOWNGRADE, "1.1.0")
        assert "deleted" in selection.hint
    never = selected(policy, ["1.0.0", "1.1.0"], current, **rules)
    assert never.code == Code.DOWNGRADE, "never is the default"
    assert ("by-policy" in never.hint) == (chosen is not None), "a hint names what would help"
    assert ("updater pin KEY 1.1.0" in never.hint) == (chosen is None)


@pytest.mark.parametrize("current", ["other", "latest", None])
def test_a_current_digest_is_unchanged_whatever_tag_stands_beside_it(current):
    tags = [Candidate(tag="latest", digest=DIGEST)]
    rules = {"current_digest": DIGEST}
    assert selected({"digest": {"tag": "latest"}}, tags, current, **rules).status == "unchanged"
    assert selected({"digest": {"tag": "latest"}}, tags, current, current_digest=OTHER).status == "updated"
    assert selected({"name": {}}, tags, "other", **rules).code != "unchanged"


UNREADABLE = [
    ({"semver": {}}, "3.0.1.4259"),
    ({"semver": {}}, "V2.1.0"),
    ({"semver": {}}, "3.14.0a1"),
    ({"semver": {}}, "2.1.0_p1"),
    ({"semver": {}}, "release-2.4.0"),
    ({"pep440": {}}, "release-2.4.0"),
    ({"number": {}}, "1.2.3"),
]


@pytest.mark.parametrize(("policy", "current"), UNREADABLE)
def test_a_written_number_that_the_policy_cannot_read_is_never_replaced_blindly(policy, current):
    tags = ["7"] if "number" in policy else ["1.0.0", "2.0.0"]
    selection = selected(policy, tags, current)
    best = tags[-1]
    assert (selection.status, selection.code, selection.chosen, selection.held.tag) == ("held", Code.UNREADABLE, None, best)
    assert codes(selection)[best] == "unreadable"
    assert "pep440" in selection.hint
    assert "filter.extract" in selection.hint
    assert winner(policy, tags, current, downgrade=Downgrade.ALWAYS) == best


@pytest.mark.parametrize("word", ["latest", "main", "v2", "main-3f2c1aa-17", "stable-9", "build12"])
def test_a_written_word_without_a_number_with_a_dot_may_be_replaced(word):
    assert winner({"semver": {"range": ">=1.0.0"}}, ["1.9.0"], word, downgrade=Downgrade.ALWAYS) == "1.9.0"
    assert selected({"semver": {}}, ["2.9.0"], word).code is None


def test_what_the_filter_extracts_from_the_written_tag_is_read():
    rules = {"filter_": {"allow": r"^release-(\d+\.\d+\.\d+)$", "extract": "$1"}}
    assert winner({"semver": {}}, ["release-2.5.0", "2.9.0"], "release-2.4.0", **rules) == "release-2.5.0"
    assert selected({"semver": {}}, ["release-2.3.0"], "release-2.4.0", **rules).code == Code.DOWNGRADE


def test_by_policy_an_unreadable_tag_is_free_only_where_the_filter_excludes_it():
    rules = {"downgrade": Downgrade.BY_POLICY}
    assert selected({"semver": {}}, ["2.0.0"], "3.0.1.4259", **rules).code == Code.UNREADABLE
    assert winner({"semver": {}}, ["2.0.0"], "3.0.1.4259", filter_={"ignore": ["*.*.*.*"]}, **rules) == "2.0.0"


@pytest.mark.parametrize(
    ("policy", "tags", "current", "chosen"),
    [
        ({"semver": {}}, ["1.0.0"], "latest", "1.0.0"),
        ({"number": {}}, ["10"], "main", "10"),
        ({"name": {}}, ["2024-01-01"], "latest", "2024-01-01"),
        ({"pep440": {}}, ["1.0"], "stable", "1.0"),
        ({"digest": {"tag": "edge"}}, ["edge", "2.0.0"], "2.0.0", "edge"),
    ],
)
def test_a_written_value_that_is_no_version_guards_nothing(policy, tags, current, chosen):
    assert winner(policy, tags, current) == chosen


def test_a_written_name_that_the_filter_drops_guards_nothing():
    assert winner({"name": {}}, ["build-7"], "stable", filter_={"allow": "^build-"}) == "build-7"


def test_the_guard_compares_what_the_filter_extracts():
    rule = {"filter_": {"allow": r"^main-[a-f]+-([0-9]+)$", "extract": "$1"}}
    assert selected({"number": {}}, ["main-a-9", "main-b-10"], "main-c-11", **rule).status == "held"
    assert winner({"number": {}}, ["main-a-9", "main-b-10"], "main-f-9", **rule) == "main-b-10"
    assert winner({"number": {}}, ["main-a-9"], "10", filter_={"allow": "^main-a-(.)", "extract": "$1"}) is None


def test_the_newest_older_than_the_written_one_is_held():
    """The written tag is compared even where the filter drops it, and its time is asked for."""
    times = {"dev-9": Candidate(tag="dev-9", created=DAY), "main-1": Candidate(tag="main-1", created=DAY - timedelta(1))}
    asked: list[FactRequest] = []
    selection = selected({"latest": {}}, ["dev-9", "main-1", "x"], "dev-9", filter_={"allow": "^main"}, known=times, asked=asked)
    assert (selection.status, selection.held.tag) == ("held", "main-1")
    assert {ask.candidate.tag for ask in asked} == {"dev-9", "main-1"}
    assert {fact for ask in asked for fact in ask.facts} == {Fact.CREATED}


def test_a_policy_by_name_asks_for_nothing():
    asked: list[FactRequest] = []
    selected({"semver": {}}, [f"1.0.{number}" for number in range(1000)], asked=asked)
    assert not asked
    assert not foreseen_asks(request({"semver": {}}, ["1.0.0"]))


def test_platforms_are_asked_best_first_until_one_passes():
    known = {
        "1.0.0": Candidate(tag="1.0.0", platforms=(ARM, AMD)),
        "2.0.0": Candidate(tag="2.0.0", platforms=(ARM, AMD)),
        "3.0.0": Candidate(tag="3.0.0", platforms=(AMD,)),
        "5.0.0": Candidate(tag="5.0.0", platforms=()),
    }
    asked: list[FactRequest] = []
    tags = ["1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0"]
    selection = selected({"semver": {}}, tags, known=known, asked=asked, platforms=["linux/arm64", "linux/amd64"])
    assert selection.chosen == known["2.0.0"]
    assert [ask.candidate.tag for ask in asked] == ["5.0.0", "4.0.0", "3.0.0", "2.0.0"]
    assert codes(selection) == {"5.0.0": "platform", "4.0.0": "platform", "3.0.0": "platform", "1.0.0": "outranked"}
    assert selection.rejections["3.0.0"].sentence == "3.0.0 is not for linux/arm64; it is for linux/amd64"
    assert "not known" in selection.rejections["4.0.0"].sentence
    assert "no platform" in selection.rejections["5.0.0"].sentence
    assert ranked(selection) == ["2.0.0", "1.0.0"]


def test_where_no_candidate_fits_the_platforms_nothing_is_chosen():
    selection = selected({"semver": {}}, ["1.0.0", "2.0.0"], "1.0.0", platforms=["linux/s390x"])
    assert (selection.status, codes(selection)) == ("no-match", {"1.0.0": "platform", "2.0.0": "platform"})


def test_the_digest_of_the_chosen_one_alone_is_asked_for():
    known = {"edge": Candidate(tag="edge", digest=DIGEST)}
    asked: list[FactRequest] = []
    selection = selected({"digest": {"tag": "edge"}}, ["edge", "1.0.0"], "edge", current_digest=OTHER, known=known, asked=asked)
    assert (selection.status, selection.chosen.digest) == ("updated", DIGEST)
    assert selection.detail == f"edge is the tag that is followed, and points to {DIGEST} instead of {OTHER}"
    assert [(ask.candidate.tag, ask.facts) for ask in asked] == [("edge", {Fact.DIGEST})]
    same = selected({"digest": {"tag": "edge"}}, ["edge"], "edge", current_digest=DIGEST, known=known)
    assert same.status == "unchanged"


def test_facts_that_a_form_wants_are_asked_of_the_chosen_one():
    known = {"2.0.0": Candidate(tag="2.0.0", digest=DIGEST)}
    selection = selected({"semver": {}}, ["1.0.0", "2.0.0"], known=known, facts=frozenset({Fact.DIGEST}))
    assert selection.chosen.digest == DIGEST
    unknown = selected({"semver": {}}, ["1.0.0"], facts=frozenset({Fact.DIGEST}))
    assert unknown.chosen == Candidate(tag="1.0.0")


@pytest.mark.parametrize(
    ("current", "chosen"),
    [
        (None, "1.27"),
        ("1.27.0", "1.27.0"),
        ("v1.27.0", "v1.27.0"),
        ("1.26.3", "1.27.0"),
        ("v1.26.3", "v1.27.0"),
        ("v1.26", "v1.27"),
        ("latest", "1.27"),
    ],
)
def test_among_equals_the_written_tag_wins_then_its_spelling_then_text_order(current, chosen):
    assert winner({"semver": {}}, ["v1.27.0", "1.27", "v1.27", "1.27.0"], current) == chosen


def test_equal_times_never_change_what_is_written():
    tags = [Candidate(tag=tag, created=DAY) for tag in ("a", "b", "c")]
    for tag in "abc":
        assert selected({"latest": {}}, tags, tag).status == "unchanged"


def test_duplicates_are_named_where_the_filter_makes_them():
    rule = {"filter_": {"allow": "^(.+)-[a-z]+$", "extract": "$1"}}
    selection = selected({"semver": {}}, ["1.0.0-b", "1.0.0-a", "1.0-c", "0.9.0-d"], **rule)
    assert selection.chosen.tag == "1.0-c"
    assert codes(selection) == {"1.0.0-a": "outranked", "1.0.0-b": "duplicate", "0.9.0-d": "outranked"}
    held = selected({"semver": {}}, ["1.0.0-b", "1.0.0-a"], "2.0.0-a", variant="any", **rule)
    assert codes(held) == {"1.0.0-a": "downgrade", "1.0.0-b": "duplicate"}


def test_what_select_will_ask_is_known_beforehand():
    tags = [Candidate(tag="new", pushed=DAY), "old", SIGNATURE, Candidate(tag="odd", created=DAY - timedelta(20_000))]
    asked: list[FactRequest] = []
    rules = request({"latest": {}}, tags)
    selected({"latest": {}}, tags, asked=asked)
    assert foreseen_asks(rules) == asked
    assert [ask.candidate.tag for ask in asked] == ["old"]


def test_a_selection_stays_true_after_its_memory_went_on():
    memory = RankingMemory()
    first = selected({"semver": {}}, ["1.0.0", "2.0.0"], memory=memory)
    second = selected({"semver": {}}, ["1.0.0", "2.0.0", "3.0.0"], memory=memory)
    assert (first.chosen.tag, second.chosen.tag) == ("2.0.0", "3.0.0")
    assert codes(first) == {"1.0.0": "outranked"}
    assert ranked(first) == ["2.0.0", "1.0.0"]


def test_a_tag_listed_twice_counts_once():
    assert list(listing(["1.0.0", "1.0.0"])) == ["1.0.0"]
