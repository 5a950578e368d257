"""What one of our commits says of each subscription, as its trailers have it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from updater.model.view import PastCommit, commits_for

KEY = "team  web"  # a trailer is one line with single spaces


def past(*subscriptions, **trailers):
    usual = {"revision": "a" * 40, "when": datetime(2026, 1, 1, tzinfo=UTC), "subject": "Update", "images": (), "policies": ()}
    return PastCommit(subscriptions=subscriptions, **usual, **trailers)


def test_the_rows_of_one_subscription_are_not_those_of_one_whose_key_goes_on():
    commit = past("team web", "team", changes=("team web 1.0 1.1", "team web - 1.1", "team 2.0 2.1", "broken"))
    assert commit.moves_of(KEY) == (("team web", "1.0", "1.1"), ("team web", "-", "1.1"))
    assert [move.replaced for move in commit.moves_of(KEY)] == ["1.0", None]
    assert commit.moves_of("team") == (("team", "2.0", "2.1"),)
    assert [move.key for move in commit.moves()] == ["team web", "team web", "team"]


@pytest.mark.parametrize("word", ["rejected", "replaced"])
def test_what_was_taken_back_and_replaced_is_told_by_subscription(word):
    commit = past("team web", "team", **{word: ("team web sha256:a", "team sha256:b")})
    of = getattr(commit, f"{word}_of")
    assert (of(KEY), of("team"), of("web")) == (("sha256:a",), ("sha256:b",), ())


def test_the_files_of_two_rows_of_one_subscription_are_all_its_files():
    sums = past("team web", places=("team web 1111,2222", "team web 3333", "team 4444")).file_sums()
    assert sums == {"team web": {"1111", "2222", "3333"}, "team": {"4444"}}


def test_commits_for_a_subscription_are_found_by_its_key_as_trailers_have_it():
    ours, other = past("other", "team web"), past("team")
    assert list(commits_for(KEY, (other, ours))) == [ours]
