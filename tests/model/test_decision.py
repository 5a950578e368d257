"""Decisions of people are looked up by subscription, and end by the clock of who asks."""

from updater.model.candidate import Candidate
from updater.model.decision import Decisions, Hold, ImageRejection, Pin, Readmission
from updater.model.image import parse_digest

DIGEST = parse_digest("sha256:" + "a" * 64)


def test_a_hold_counts_until_its_end_and_no_longer() -> None:
    """A hold with an end is gone at that moment."""
    found = Decisions.of([Hold(key="shop", author="Jane", reason="freeze", until=100.0)])

    assert found.hold("shop", 99.9) is not None
    assert found.hold("shop", 100.0) is None
    assert found.hold("other", 0.0) is None


def test_of_two_holds_the_longer_one_is_told() -> None:
    """Two people held it: it opens when both are over."""
    found = Decisions.of([Hold(key="shop", until=100.0), Hold(key="shop", author="Ada"), Hold(key="shop", until=200.0)])

    hold = found.hold("shop", 0.0)

    assert hold is not None
    assert hold.author == "Ada"
    assert hold.sentence == "held by Ada"


def test_a_hold_for_all_holds_every_subscription() -> None:
    """Where decisions cannot be read, each subscription is held, whichever key it has."""
    found = Decisions.of([], for_all=[Hold(key="", reason="holds.yaml:3: bad", is_unread=True)])

    hold = found.hold("any", 0.0)

    assert hold is not None
    assert hold.sentence == "what people decided cannot be read, so nothing is written: holds.yaml:3: bad"


def test_the_latest_pin_counts() -> None:
    """Who pins again means the new tag."""
    found = Decisions.of([Pin(key="shop", tag="1", since=1.0), Pin(key="shop", tag="2", since=2.0)])

    pin = found.pin("shop", 5.0)

    assert pin is not None
    assert pin.tag == "2"


def test_a_rejection_is_about_a_tag_or_a_digest_under_any_tag() -> None:
    """A digest is rejected whichever tag points to it; an unknown digest is not."""
    by_tag, by_digest = ImageRejection(key="shop", tag="1.2.1"), ImageRejection(key="shop", digest=str(DIGEST))

    assert by_tag.matches(Candidate(tag="1.2.1"))
    assert not by_tag.matches(Candidate(tag="1.2.2"))
    assert by_digest.matches(Candidate(tag="1.2.2", digest=DIGEST))
    assert not by_digest.matches(Candidate(tag="1.2.2"))


def test_a_release_names_the_commits_that_no_longer_count_as_taken_back() -> None:
    """Several releases count together."""
    found = Decisions.of([Readmission(key="shop", revisions=frozenset("a")), Readmission(key="shop", revisions=frozenset("b"))])

    assert found.readmitted("shop") == {"a", "b"}
    assert found.readmitted("other") == frozenset()
