"""A selection is the same in whatever order tags come, with or without what was remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policies.selecting import codes, listing, ranked, request, selected
from updater.errors import PolicyError
from updater.model.candidate import Candidate, Rank
from updater.model.subscription import Downgrade
from updater.policies import build_filter
from updater.policies.base import Policy
from updater.policies.choose import RankingMemory, choose, drive
from updater.policies.ranking import Judge, Ranker, _added, rank_all

DAY = datetime(2025, 1, 1, tzinfo=UTC)
TAGS = st.sampled_from(
    [
        "1.0.0",
        "v1.0.0",
        "1.0",
        "1.1.0",
        "v1.1.0",
        "1.2.0-rc.1",
        "1.2.0-rc.2",
        "1.2.0",
        "2",
        "10",
        "2.0",
        "latest",
        "main-7",
        "1.1.0-alpine",
        "1.2.0-alpine",
        "1.2.0-alpine3.9",
        "x-1",
        "x-2",
    ]
)
POLICIES = st.sampled_from(
    [
        *({"semver": {}}, {"semver": {"range": ">=1.1 || 1.0.0"}}, {"semver": {"range": "*-0"}}, {"number": {}}),
        *({"name": {}}, {"name": {"order": "desc"}}, {"pep440": {}}, {"latest": {}}),
    ]
)
FILTERS = st.sampled_from([None, {"ignore": ["v*"]}, {"allow": "^v?([0-9.]+)", "extract": "$1"}])
WRITTEN = st.none() | TAGS


def dated(tags):
    return [Candidate(tag=tag, created=DAY + timedelta(days=len(tag) % 3)) for tag in tags]


def outcome(selection):
    return (
        *(selection.status, selection.chosen, selection.held, selection.code, selection.detail),
        *(ranked(selection), codes(selection)),
    )


@given(POLICIES, FILTERS, WRITTEN, st.lists(TAGS, unique=True), st.randoms(use_true_random=False))
def test_the_order_in_which_tags_come_changes_nothing(policy, filter_, written, tags, chance):
    shuffled = list(tags)
    chance.shuffle(shuffled)
    first = selected(policy, dated(tags), written, filter_=filter_)
    assert outcome(selected(policy, dated(shuffled), written, filter_=filter_)) == outcome(first)


@given(POLICIES, FILTERS, st.lists(st.tuples(WRITTEN, st.lists(TAGS, unique=True), st.booleans()), min_size=1, max_size=6))
def test_what_is_remembered_changes_nothing(policy, filter_, scans):
    memory = RankingMemory()
    for written, tags, is_downgrade_allowed in scans:
        rules = {"filter_": filter_, "downgrade": Downgrade.of_flag(is_allowed=is_downgrade_allowed)}
        fresh = selected(policy, dated(tags), written, **rules)
        assert outcome(selected(policy, dated(tags), written, memory=memory, **rules)) == outcome(fresh)


@given(POLICIES, WRITTEN, st.lists(TAGS, unique=True))
def test_a_selection_accounts_for_every_tag(policy, written, tags):
    """Chosen or rejected, never both, never neither; the chosen one is written when it is unchanged."""
    selection = selected(policy, dated(tags), written)
    chosen = {selection.chosen.tag} if selection.chosen else set()
    assert chosen | set(selection.rejections) == set(tags)
    assert not chosen & set(selection.rejections)
    assert len(selection.rejections) == len(list(selection.rejections))
    assert (selection.status == "unchanged") == (bool(chosen) and chosen == {written})
    assert (selection.chosen is None) == (selection.status in {"held", "no-match"})


@given(POLICIES, st.lists(TAGS, unique=True, min_size=1))
def test_what_was_chosen_stays_until_something_better_comes(policy, tags):
    chosen = selected(policy, dated(tags)).chosen
    if chosen is not None:
        assert selected(policy, dated(tags), chosen.tag).status == "unchanged"


def test_a_listing_that_did_not_change_costs_nothing():
    rules = request({"semver": {}}, ["1.0.0", "2.0.0"])
    memory = RankingMemory()
    assert drive(choose(rules, memory), lambda _: None).chosen.tag == "2.0.0"
    judged = []

    class Counting(Judge):
        def placed(self, tags, candidates):
            judged.append(list(tags))
            return super().placed(tags, candidates)

    ranker = Ranker(Counting(rules.policy, rules.name_filter))
    base = listing(f"1.0.{number}" for number in range(8))
    ranker.refresh(base)
    ranker.refresh(base)
    ranker.refresh({**base, "1.0.9": Candidate(tag="1.0.9")})
    ranker.refresh({tag: base[tag] for tag in base if tag != "1.0.1"})
    assert [len(tags) for tags in judged] == [8, 1, 7]


@given(st.lists(st.integers(0, 12), unique=True), st.lists(st.integers(0, 12), unique=True))
def test_the_new_tags_of_a_listing_are_found_wherever_they_stand(before, after):
    old, new = listing(map(str, before)), listing(map(str, after))
    assert sorted(_added(old, new)) == sorted(new.keys() - old.keys())


def test_one_memory_serves_a_few_written_variants():
    memory = RankingMemory()
    tags = ["1.0.0", *(f"1.0.0-v{letter}" for letter in "abcdef")]
    for _ in range(2):
        for written in tags:
            assert selected({"semver": {}}, tags, written, memory=memory).chosen.tag == written


class Odd(Policy):
    """A plugin whose ranks are not of one type."""

    reason = "odd"

    def rank(self, text, candidate):
        return Rank(1 if text == "a" else text)


@pytest.mark.parametrize("tags", [["a", "b"], ["a", "b", "c"]])
def test_ranks_that_do_not_compare_are_an_error_of_the_policy(tags):
    judge = Judge(Odd(), build_filter())
    with pytest.raises(PolicyError, match="Odd gave ranks that do not compare"):
        Ranker(judge).refresh(listing(tags))


def test_ranks_that_do_not_compare_are_found_when_all_are_ranked():
    with pytest.raises(PolicyError, match="do not compare"):
        rank_all(Judge(Odd(), build_filter()), listing(["a", "b"]), None)
