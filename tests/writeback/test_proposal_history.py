"""A commit is given the link of the pull request that it came by, and none where that is not known."""

from __future__ import annotations

from datetime import UTC, datetime

from updater.forge.base import ForgeProposal, ProposalState
from updater.model.view import PastCommit
from updater.writeback.proposal_history import FEWEST_READ, carriers

PUSH = "updater/main/app"


def commit(revision, branch=PUSH):
    when = datetime(2026, 11, 23, tzinfo=UTC)
    return PastCommit(
        revision=revision,
        when=when,
        subject="s",
        subscriptions=("a",),
        images=(),
        policies=(),
        branches=(branch,) if branch else (),
    )


def pull(number, head, state=ProposalState.MERGED):
    return ForgeProposal(number=number, state=state, link=f"https://f/{number}", branch=PUSH, base="main", head=head, body="")


def test_the_head_of_a_pull_request_and_what_was_pushed_before_it_to_the_same_branch_have_its_link():
    commits = [commit("c2"), commit("c1"), commit("b1"), commit("a1", "main"), commit("a0", "")]
    assert carriers(commits, [pull(3, "c2"), pull(2, "zz"), pull(1, "b1")], PUSH) == {
        "c2": "https://f/3",
        "c1": "https://f/3",
        "b1": "https://f/1",
    }


def test_what_was_closed_and_proposed_again_came_by_the_one_that_was_merged():
    found = [pull(3, "c2", ProposalState.OPEN), pull(2, "c2"), pull(1, "c2", ProposalState.CLOSED)]
    assert carriers([commit("c2")], found, PUSH) == {"c2": "https://f/2"}


def test_what_may_belong_to_a_pull_request_beyond_those_that_were_read_has_no_link():
    others = [pull(100 + number, f"x{number}") for number in range(FEWEST_READ)]
    assert carriers([commit("c2"), commit("c1")], [pull(300, "c2"), *others], PUSH) == {"c2": "https://f/300"}


def test_a_commit_that_is_not_merged_yet_by_any_of_them_has_no_link():
    assert carriers([commit("d1"), commit("c2")], [pull(3, "c2")], PUSH) == {"c2": "https://f/3"}
