"""Under the policy latest a tag that our own commit replaced stays replaced, and what times cannot tell is held."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.policies.selecting import codes, selected, winner
from updater.engine.decide import rejected_for
from updater.engine.replaced import superseded_for
from updater.model.candidate import Candidate
from updater.model.image import Digest, parse_name
from updater.model.selection import RevertedImage, Superseded
from updater.model.subscription import Downgrade, Origin, PolicySpec, Subscription
from updater.model.view import PastCommit

LATEST = {"latest": {}}
DAY = datetime(2025, 1, 1, tzinfo=UTC)
ONE, TWO = (Digest(algorithm="sha256", encoded=letter * 64) for letter in "ab")
KEY = "a  key with blanks"


def built(tag, day, digest=ONE, **facts):
    return Candidate(tag=tag, created=DAY + timedelta(day), digest=digest, **facts)


def superseded(tag, *digests, day=50):
    known = digests[0] if digests else None
    return Superseded(tag=tag, digest=known, digests=frozenset(digests), by="c" * 40, when=DAY + timedelta(day))


def test_a_replaced_tag_is_passed_over_and_the_written_one_confirmed():
    selection = selected(LATEST, [built("a", 9), built("b", 1)], "b", rejected={"a": superseded("a", ONE)})
    assert (selection.status, codes(selection)) == ("unchanged", {"a": "superseded"})


@pytest.mark.parametrize(("known", "chosen"), [((ONE,), "a"), ((TWO, ONE), "b"), ((TWO,), "b"), ((), "b")])
def test_only_a_digest_that_it_never_had_makes_it_another_image(known, chosen):
    tags = [built("a", 9, TWO), built("b", 1)]
    assert winner(LATEST, tags, "b", rejected={"a": superseded("a", *known)}) == chosen


def test_a_replaced_tag_that_people_wrote_again_stays():
    tags = [built("a", 9), built("b", 1)]
    assert selected(LATEST, tags, "a", rejected={"a": superseded("a", ONE)}).status == "unchanged"


def test_below_a_replaced_tag_nothing_but_the_written_one_is_chosen():
    tags = [built("a", 9), built("z", 5), built("b", 1)]
    selection = selected(LATEST, tags, "b", rejected={"a": superseded("a", ONE)})
    assert (selection.status, selection.code, selection.held.tag) == ("held", "incomparable", "z")
    assert codes(selection) == {"z": "incomparable", "a": "superseded", "b": "outranked"}
    assert "a ranks above it" in selection.detail
    assert selection.hint


def test_a_written_tag_that_disappeared_brings_no_replaced_one_back():
    selection = selected(LATEST, [built("a", 9), built("z", 5)], "b", rejected={"a": superseded("a", ONE)})
    assert (selection.status, selection.code) == ("held", "incomparable")


def test_of_a_replaced_tag_that_is_gone_the_commit_tells_what_may_be_older():
    gone = {"rejected": {"a": superseded("a", day=5)}}
    assert selected(LATEST, [built("z", 5), built("b", 1)], "b", **gone).code == "incomparable"
    assert winner(LATEST, [built("z", 6), built("b", 1)], "b", **gone) == "z"
    pushed = built("z", 3, pushed=DAY + timedelta(4))
    assert winner(LATEST, [pushed, built("b", 1)], "b", **gone) == "z"


def test_people_who_exclude_the_written_tag_or_allow_downgrades_get_the_replaced_one():
    tags, rejected = [built("a", 9), built("b", 1)], {"a": superseded("a", ONE)}
    assert winner(LATEST, tags, "b", rejected=rejected, filter_={"ignore": ["b"]}) == "a"
    assert winner(LATEST, tags, "b", rejected=rejected, downgrade=Downgrade.ALWAYS) == "a"


def test_policies_that_order_by_name_know_of_no_replaced_tags():
    assert winner({"semver": {}}, ["1.0.0", "1.1.0"], "1.0.0", rejected={"1.1.0": superseded("1.1.0")}) == "1.1.0"


def commit(number, *replaced, policy="latest", reverted_by=None, images=()):
    return PastCommit(
        revision=str(number) * 40,
        when=DAY + timedelta(number),
        subject="Update",
        subscriptions=("a key with blanks",),
        images=images,
        policies=(policy,),
        reverted_by=reverted_by,
        replaced=replaced,
    )


def test_what_was_replaced_is_read_from_our_commits_under_the_same_policy():
    item = Subscription(
        key=KEY, image=parse_name("reg.test/app"), policy=PolicySpec("latest"), origin=Origin(kind="file", name="u")
    )
    mine = "a key with blanks reg.test/app"
    recent = [
        commit(9, f"{mine}:b@{TWO}", f"another reg.test/app:x@{ONE}", "a key with blanks reg.test/other:y", "junk", f"{mine}:::"),
        commit(8, f"{mine}:reverted@{ONE}", images=(f"reg.test/app:bad@{ONE}",), reverted_by="f" * 40),
        commit(7, f"{mine}:old@{ONE}", policy="semver *"),
        commit(6, f"{mine}:b@{ONE}", f"{mine}:a"),
        commit(5, f"{mine}:a@{ONE}"),
    ]
    found = rejected_for(item, recent)
    assert found.keys() == {"a", "b", "bad"}
    assert found["b"] == Superseded(tag="b", digest=TWO, digests=frozenset({ONE, TWO}), by="9" * 40, when=DAY + timedelta(9))
    assert (found["a"].digest, found["a"].when) == (None, DAY + timedelta(6))
    assert found["bad"] == RevertedImage(tag="bad", digest=ONE, by="f" * 40)


def test_what_earlier_commits_wrote_was_replaced_by_the_later_ones():
    """Commits of earlier versions say only what they wrote."""
    item = Subscription(
        key=KEY, image=parse_name("reg.test/app"), policy=PolicySpec("latest"), origin=Origin(kind="file", name="u")
    )
    recent = [
        commit(9, images=(f"reg.test/app:c@{ONE}",)),
        commit(8, images=(f"reg.test/app:b@{TWO}", f"reg.test/other:x@{ONE}")),
        commit(7, images=("reg.test/app:p", "reg.test/app:q")),
        commit(6, images=("reg.test/app:a",)),
    ]
    found = superseded_for(item, recent)
    assert found.keys() == {"a", "b"}
    assert (found["b"].digest, found["b"].by, found["b"].when) == (TWO, "9" * 40, DAY + timedelta(9))
    assert (found["a"].digest, found["a"].by) == (None, "7" * 40)
    assert superseded_for(replace(item, key="another"), recent) == {}
