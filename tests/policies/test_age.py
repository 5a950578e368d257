"""A digest must have been seen for some time: by our own clock, per digest, and the newest aged candidate wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policies.selecting import listing
from updater.model.candidate import Fact
from updater.model.image import parse_digest
from updater.model.outcome import Status
from updater.model.selection import Code
from updater.model.subscription import Downgrade
from updater.policies import build, build_filter, spec_from
from updater.policies.choose import SelectionRequest, choose, drive

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY = 86400.0


def digest(letter: str):
    return parse_digest("sha256:" + letter * 64)


def selected(ages, current="1.0.0", *, min_age=3 * DAY, now=NOW, policy=None, facts=frozenset(), written=None, **rules):
    """Choose among tags that were seen so many days ago; None is a time that is not known yet."""
    asked = []

    def answer(ask):
        asked.append((ask.candidate.tag, ask.facts))
        age = ages[ask.candidate.tag]
        seen = None if age is None else NOW - timedelta(days=age)
        known = digest(hex(sorted(ages).index(ask.candidate.tag))[-1])
        return replace(ask.candidate, digest=known, seen=seen if Fact.SEEN in ask.facts else ask.candidate.seen)

    request = SelectionRequest(
        candidates=listing(ages),
        policy=build(spec_from(policy or {"semver": {"range": ">=1.0.0"}})),
        name_filter=build_filter(),
        current=current,
        current_digest=written,
        min_age=min_age,
        now=now,
        facts=facts,
        **rules,
    )
    return drive(choose(request), answer), asked


def test_a_tag_that_is_too_young_is_held_until_the_moment_at_which_it_is_old_enough():
    selection, _ = selected({"1.0.0": 9, "1.1.0": 1})
    assert (selection.status, selection.code, selection.held.tag) == (Status.HELD, Code.MIN_AGE, "1.1.0")
    assert selection.opens_at == NOW + timedelta(days=2)
    assert "2026-11-29T12:00:00Z" in selection.detail


def test_newer_nightlies_do_not_starve_an_older_one_that_has_aged():
    ages = {"1.0.0": 9, "1.1.0": 4, "1.2.0": 2, "1.3.0": 1}
    selection, _ = selected(ages)
    assert (selection.status, selection.chosen.tag) == (Status.UPDATED, "1.1.0")
    assert selection.opens_at == NOW + timedelta(days=1)
    assert {tag: item.code for tag, item in selection.rejections.items()} == {
        "1.3.0": Code.MIN_AGE,
        "1.2.0": Code.MIN_AGE,
        "1.0.0": Code.OUTRANKED,
    }


def test_what_is_written_needs_no_age_and_no_request():
    selection, asked = selected({"1.0.0": 0})
    assert (selection.status, asked) == (Status.UNCHANGED, [])


def test_a_young_tag_is_asked_for_what_was_known_and_only_an_old_one_is_resolved_again():
    _, asked = selected({"1.0.0": 9, "1.1.0": 4, "1.2.0": 2})
    assert asked == [
        ("1.2.0", {Fact.SEEN}),
        ("1.1.0", {Fact.SEEN}),
        ("1.1.0", {Fact.SEEN, Fact.DIGEST}),
    ]


def test_a_time_that_is_not_known_yet_is_too_young_without_a_moment():
    selection, _ = selected({"1.0.0": 9, "1.1.0": None})
    assert (selection.status, selection.code, selection.opens_at) == (Status.HELD, Code.MIN_AGE, None)


def test_another_build_under_the_written_tag_waits_and_nothing_lower_is_written_meanwhile():
    selection, _ = selected(
        {"1.0.0": 9, "1.1.0": 1}, "1.1.0", facts=frozenset({Fact.DIGEST}), written=digest("f"), downgrade=Downgrade.ALWAYS
    )
    assert (selection.status, selection.code, selection.held.tag) == (Status.HELD, Code.MIN_AGE, "1.1.0")


def test_the_written_digest_is_old_enough_by_being_written():
    selection, _ = selected({"latest": 0}, "latest", policy={"digest": {"tag": "latest"}}, written=digest("0"))
    assert selection.status == Status.UNCHANGED


def test_without_a_written_tag_a_young_one_is_held_and_no_mismatch():
    selection, _ = selected({"1.1.0": 1}, None)
    assert (selection.status, selection.code) == (Status.HELD, Code.MIN_AGE)


@pytest.mark.parametrize("min_age", [None])
def test_without_a_minimum_age_nobody_asks_when_a_tag_was_seen(min_age):
    selection, asked = selected({"1.0.0": 9, "1.1.0": 0}, min_age=min_age)
    assert (selection.chosen.tag, asked) == ("1.1.0", [])


@given(st.lists(st.floats(0, 9), min_size=1, max_size=6), st.floats(0, 9), st.floats(0, 4))
def test_age_is_monotone_what_may_be_written_now_may_be_written_later(ages, min_age, later):
    tags = {f"1.{number}.0": age for number, age in enumerate(ages, 1)} | {"1.0.0": 9.0}
    before, _ = selected(tags, min_age=min_age * DAY)
    after, _ = selected(tags, min_age=min_age * DAY, now=NOW + timedelta(days=later))
    first, second = (int(item.chosen.tag.split(".")[1]) if item.chosen else 0 for item in (before, after))
    assert first <= second
    if before.opens_at is not None:
        opened, _ = selected(tags, min_age=min_age * DAY, now=before.opens_at)
        assert opened.chosen is not None
        assert int(opened.chosen.tag.split(".")[1]) > first
