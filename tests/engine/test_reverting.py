"""What is taken back: exactly what our commit wrote, where it still stands, and never what people decided otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.engine.making import SHA, chosen, reading, subscription, target, view
from updater.engine.decide import decide, rejected_for
from updater.engine.outcomes import outcomes
from updater.engine.reverting import with_reverts
from updater.errors import RegistryUnavailable
from updater.model.decision import Hold, Pin, Readmission
from updater.model.image import parse_ref
from updater.model.outcome import Status
from updater.model.release import RevertOrder
from updater.model.subscription import Form
from updater.model.update import Purpose
from updater.model.view import PastCommit
from updater.writeback.message import with_trailers

NAME = "ghcr.io/o/app"
OURS, OTHER = "a" * 40, "b" * 40
ORDER = RevertOrder(revision=OURS, bad=parse_ref(f"{NAME}:1.1.0"), good=parse_ref(f"{NAME}:1.0.0"), reason="it crashes")


def past(revision=OURS, **more):
    fields = {
        "revision": revision,
        "when": datetime(2026, 3, 1, tzinfo=UTC),
        "subject": "x",
        "subscriptions": ("app",),
        "images": (f"{NAME}:1.1.0@{SHA}",),
        "policies": (),
        "changes": ("app 1.0.0 1.1.0",),
    }
    return PastCommit(**{**fields, **more})


def taken_back(*places, item=None, recent=None, order=ORDER, choice=None):
    item = item or subscription()
    seen = replace(view(*places), recent=(past(),) if recent is None else tuple(recent))
    choices = {(item.key, place.written): choice or chosen("1.1.0", status="unchanged") for place in places}
    return with_reverts(seen, decide(seen, (item,), choices), lambda key: order if key == "app" else None)[0]


def test_what_our_commit_wrote_goes_back_to_what_ran_well_and_the_trailers_reject_its_digest():
    decision = taken_back(reading(f"{NAME}:1.1.0"))
    (update,) = decision.updates
    assert (str(update.image), update.purpose) == (f"{NAME}:1.0.0", Purpose.REVERT)
    assert f"Updater-Rejected: app {SHA}\n" in with_trailers("x", decision.updates)
    assert decision.places[0].status is Status.REVERTED
    assert "it crashes" in decision.places[0].detail


def test_a_release_is_taken_back_although_its_registry_does_not_answer():
    down = RegistryUnavailable("no answer", code="registry-unavailable")
    assert taken_back(reading(f"{NAME}:1.1.0"), choice=down).places[0].status is Status.REVERTED


@pytest.mark.parametrize("written", ["1.0.0", "1.1.1", "1.2.0"])
def test_a_place_that_says_something_else_by_now_is_left_alone(written):
    decision = taken_back(reading(f"{NAME}:{written}"), choice=chosen(written, status="unchanged"))
    assert decision.updates == ()


def test_another_build_under_the_same_tag_is_another_image():
    place = reading(f"{NAME}:1.1.0@{SHA.replace('a', 'c')}")
    assert all(update.purpose is Purpose.MOVE for update in taken_back(place).updates)


@pytest.mark.parametrize("recent", [(), (past(OTHER), past()), (past(reverted_by=OTHER),)])
def test_nothing_is_taken_back_once_another_commit_follows_or_a_person_has_reverted_it(recent):
    assert taken_back(reading(f"{NAME}:1.1.0"), recent=recent).updates == ()


@pytest.mark.parametrize("decision", [Hold(key="app", author="Jane"), Pin(key="app", tag="1.1.0", author="Jane")])
def test_what_people_hold_or_pin_is_not_taken_back_and_says_who(decision):
    item = replace(subscription(), decisions=(decision,))
    found = taken_back(reading(f"{NAME}:1.1.0"), item=item)
    assert found.updates == ()
    assert found.places[0].status is Status.HELD
    assert "Jane" in found.places[0].detail


def test_a_digest_that_is_not_known_any_more_is_not_made_up():
    item = subscription("app", NAME, target(form=Form.TAG_AND_DIGEST))
    found = taken_back(reading(f"{NAME}:1.1.0@{SHA}"), item=item, choice=chosen("1.1.0", SHA, status="unchanged"))
    assert (found.updates, found.places[0].code) == ((), "revert-held")


def test_what_a_revert_of_ours_took_back_is_rejected_and_what_it_wrote_is_not():
    revert = past(
        OTHER, images=(f"{NAME}:1.0.0",), changes=("app 1.1.0 1.0.0",), rejected=(f"app {SHA}",), subscriptions=("app", "web")
    )
    found = rejected_for(subscription(), [revert, past()])
    assert {tag: (str(item.digest), item.by) for tag, item in found.items()} == {"1.1.0": (SHA, OTHER)}
    assert rejected_for(replace(subscription(), key="web"), [revert]) == {}


def test_a_tag_is_rejected_where_its_digest_was_never_known():
    revert = past(OTHER, changes=("app 1.1.0 1.0.0",), rejected=("app 1.1.0",))
    assert rejected_for(subscription(), [revert])["1.1.0"].digest is None


def test_a_person_who_reverts_our_revert_or_releases_the_subscription_readmits_the_image():
    revert = past(OTHER, changes=("app 1.1.0 1.0.0",), rejected=(f"app {SHA}",))
    assert rejected_for(subscription(), [replace(revert, reverted_by="c" * 40), past()]) == {}
    released = replace(subscription(), decisions=(Readmission(key="app", revisions=frozenset({OTHER})),))
    assert rejected_for(released, [revert, past()]) == {}


def test_what_we_remember_is_not_written_over_what_a_person_had_moved_on_to():
    """1.0.5 was a person's: going back to 1.0.0 would undo that too. What a controller keeps is another matter."""
    commit = past(changes=("app 1.0.5 1.1.0",))
    found = taken_back(reading(f"{NAME}:1.1.0"), recent=[commit])
    assert (found.updates, found.places[0].code) == ((), "revert-held")
    assert "1.0.5" in found.places[0].detail
    assert taken_back(reading(f"{NAME}:1.1.0"), recent=[commit], order=replace(ORDER, is_kept=True)).updates
    ours = past(OTHER, changes=("app 1.0.0 1.0.5",))
    assert taken_back(reading(f"{NAME}:1.1.0"), recent=[commit, ours]).updates


def test_a_revert_that_is_not_made_is_no_outcome_of_its_own():
    assert outcomes([taken_back(reading(f"{NAME}:1.1.0"))], None)[0].status is Status.REVERTED
