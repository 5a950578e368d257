"""What a followed subscription offers by its digest is judged as that very build, whatever the tag points to by now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.policies.selecting import request
from updater.model.candidate import Fact, FactFailure
from updater.model.decision import ImageRejection
from updater.model.image import parse_digest, parse_platform, parse_ref
from updater.model.outcome import Status
from updater.model.promotion import Follows, Offer
from updater.model.selection import Code, RevertedImage, RolledBack, TakenBack
from updater.policies.choose import choose, drive

WRITTEN, RAN, PUSHED_AGAIN = (parse_digest("sha256:" + letter * 64) for letter in "cab")
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
AMD, ARM = parse_platform("linux/amd64"), parse_platform("linux/arm64")
IMAGE = parse_ref(f"ghcr.io/x/shop:1.1.0@{RAN}")
OFFER = Offer(follows=Follows(subscription="staging", healthy_for=0), promoted=(IMAGE,), standing=IMAGE)
BY = "f" * 40


def promoted(current="1.0.0", *, current_digest=WRITTEN, has_run=True, offer=OFFER, **rules):
    """Choose where staging offers one build of 1.1.0, and the tag names another one, which nobody has a word against."""
    asked = []

    def answer(ask):
        asked.append(ask)
        item = ask.candidate
        if item.is_exact and not has_run:
            return replace(item, failure=FactFailure("not-found", "404"))
        tagged = WRITTEN if item.tag == "1.0.0" else PUSHED_AGAIN
        digest = item.digest if item.is_exact else tagged
        is_other = digest == PUSHED_AGAIN
        seen = (NOW - timedelta(days=9) if is_other else NOW) if Fact.SEEN in ask.facts else item.seen
        platforms = ((AMD, ARM) if is_other else (AMD,)) if Fact.PLATFORMS in ask.facts else item.platforms
        return replace(item, digest=digest, seen=seen, platforms=platforms)

    asking = request(
        {"semver": {}},
        ["1.0.0", "1.1.0"],
        current,
        current_digest=current_digest,
        facts=frozenset({Fact.DIGEST}),
        now=NOW,
        offer=offer,
        **rules,
    )
    return drive(choose(asking), answer), asked


def rejection(digest):
    return ImageRejection(key="prod", author="Jane", where="file", digest=str(digest))


def test_the_build_that_ran_is_written_although_the_tag_was_pushed_again():
    selection, _ = promoted()
    assert (selection.chosen.tag, selection.chosen.digest) == ("1.1.0", RAN)


@pytest.mark.parametrize(
    "rules",
    [
        {"decisions": (rejection(RAN),)},
        {"rejected": {"1.1.0": RevertedImage(tag="1.1.0", digest=RAN, by=BY)}},
        {"rejected": {"1.1.0": TakenBack(tag="1.1.0", digest=RAN, by=BY, good="1.0.0")}},
        {"rejected": {"1.1.0": RolledBack(tag="1.1.0", digest=RAN, by=BY, is_known_older=True)}},
        {"min_age": 86400.0},
        {"platforms": ("linux/arm64",)},
    ],
)
def test_a_build_with_a_no_against_it_is_not_written_by_promotion_whatever_its_tag_points_to(rules):
    selection, _ = promoted(**rules)
    assert selection.chosen is None or selection.chosen.tag == "1.0.0"


@pytest.mark.parametrize(
    "rules",
    [
        {"decisions": (rejection(PUSHED_AGAIN),)},
        {"rejected": {"1.1.0": RevertedImage(tag="1.1.0", digest=PUSHED_AGAIN, by=BY)}},
        {"platforms": ("linux/amd64",)},
    ],
)
def test_a_no_against_another_build_of_the_tag_stops_no_promotion(rules):
    selection, _ = promoted(**rules)
    assert (selection.chosen.tag, selection.chosen.digest) == ("1.1.0", RAN)


@pytest.mark.parametrize("current", ["1.0.0", "1.1.0"])
def test_a_build_that_the_registry_of_the_follower_does_not_have_is_held(current):
    selection, asked = promoted(current=current, has_run=False)
    assert (selection.status, selection.code, selection.chosen) == (Status.HELD, Code.FOLLOWS, None)
    assert "cannot be had here: 404" in selection.detail
    assert [ask.candidate.digest for ask in asked if ask.candidate.is_exact] == [RAN]


def test_nothing_is_asked_of_the_build_that_is_written_already():
    selection, asked = promoted(current="1.1.0", current_digest=RAN, has_run=False)
    assert (selection.status, asked) == (Status.UNCHANGED, [])


def test_the_build_that_is_written_stays_although_staging_went_back_from_its_tag():
    older = parse_ref(f"ghcr.io/x/shop:1.0.0@{WRITTEN}")
    offer = Offer(follows=Follows(subscription="staging", healthy_for=0), promoted=(older, IMAGE), standing=older)
    selection, _ = promoted(current="1.1.0", current_digest=PUSHED_AGAIN, offer=offer)
    assert selection.status is Status.UNCHANGED
