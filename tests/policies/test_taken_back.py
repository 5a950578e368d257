"""After a revert of ours what ranks between the bad image and the one that ran well waits for people, and newer ones go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.policies.selecting import codes, selected, winner
from updater.engine.decide import rejected_for
from updater.model.candidate import Candidate
from updater.model.image import Digest, parse_name
from updater.model.selection import RevertedImage, TakenBack
from updater.model.subscription import Origin, PolicySpec, Subscription
from updater.model.view import PastCommit

ONE, TWO = (Digest(algorithm="sha256", encoded=letter * 64) for letter in "ab")
SEMVER = {"semver": {"range": ">=1.0.0"}}
BAD = TakenBack(tag="1.2.0", digest=ONE, by="c" * 40, good="1.0.0")


def tags(*names):
    return [Candidate(tag=name, digest=ONE) for name in names]


def test_a_version_between_the_bad_one_and_the_one_that_ran_well_is_not_tried_next():
    selection = selected(SEMVER, tags("1.0.0", "1.1.0", "1.2.0"), "1.0.0", rejected={"1.2.0": BAD})
    assert (selection.status, codes(selection)) == ("unchanged", {"1.1.0": "rejected", "1.2.0": "rejected"})
    assert "1.1.0 ranks below 1.2.0, which was bad and was taken back to 1.0.0" in selection.rejections["1.1.0"].sentence


def test_a_newer_version_and_another_build_of_the_bad_one_go_on():
    assert winner(SEMVER, tags("1.0.0", "1.1.0", "1.2.0", "1.3.0"), "1.0.0", rejected={"1.2.0": BAD}) == "1.3.0"
    rebuilt = [*tags("1.0.0", "1.1.0"), Candidate(tag="1.2.0", digest=TWO)]
    assert winner(SEMVER, rebuilt, "1.0.0", rejected={"1.2.0": BAD}) == "1.2.0"


def test_a_bad_version_that_is_not_listed_any_more_still_says_what_lies_below_it():
    assert winner(SEMVER, tags("1.0.0", "1.1.0"), "1.0.0", rejected={"1.2.0": BAD}) == "1.0.0"


def test_a_person_who_writes_another_version_lets_all_go_on_but_the_bad_one():
    assert winner(SEMVER, tags("1.0.0", "1.0.5", "1.1.0", "1.2.0"), "1.0.5", rejected={"1.2.0": BAD}) == "1.1.0"


def past(number, *, changes, rejected=(), reverted_by=None):
    return PastCommit(
        revision=str(number) * 40,
        when=datetime(2026, 1, number, tzinfo=UTC),
        subject="Update",
        subscriptions=("shop",),
        images=(),
        policies=(),
        changes=changes,
        rejected=rejected,
        reverted_by=reverted_by,
    )


REVERT = past(5, changes=("shop 1.2.0 1.0.0",), rejected=(f"shop {ONE}",))


@pytest.mark.parametrize("later", [False, True])
def test_the_revert_counts_as_such_until_something_else_is_written(later):
    item = Subscription(
        key="shop", image=parse_name("reg.test/app"), policy=PolicySpec("semver"), origin=Origin(kind="file", name="u")
    )
    recent = ([past(6, changes=("shop 1.0.0 1.3.0",))] if later else []) + [REVERT]
    expected = RevertedImage(tag="1.2.0", digest=ONE, by="5" * 40)
    assert rejected_for(item, recent)["1.2.0"] == (expected if later else replace(BAD, by="5" * 40))
    assert rejected_for(item, [replace(REVERT, reverted_by="f" * 40)]) == {}
