"""What the plan of subscriptions promises: each image once at its shortest time, and nothing rebuilt before all was heard."""

from __future__ import annotations

from tests.daemon.asking import LIVE, MAIN, REBUILT, asked
from updater.daemon.plan import by_destination, destinations_of, marker_names, plan_of, with_companions
from updater.model.listed import listed_for


def test_an_image_that_several_ask_for_is_scanned_once_as_often_as_the_most_impatient_wants():
    slow, fast = asked("slow", MAIN, interval=300.0), asked("fast", LIVE, interval=30.0)
    plan = plan_of([slow, fast], is_complete=True)
    assert plan.images == {listed_for(slow): 30.0}
    assert plan.destinations == {MAIN: 300.0, LIVE: 30.0}
    assert plan.waiting == {listed_for(slow): (MAIN, LIVE)}


def test_no_branch_that_is_made_anew_is_planned_while_a_source_is_missing():
    subscriptions = [asked("kept", MAIN), asked("proposed", REBUILT)]
    part, whole = (plan_of(subscriptions, is_complete=is_complete) for is_complete in (False, True))
    assert (set(part.destinations), part.rebuilt) == ({MAIN}, frozenset())
    assert (set(whole.destinations), whole.rebuilt) == ({MAIN, REBUILT}, {REBUILT})
    assert part.images == whole.images


def test_destinations_are_named_once_and_know_their_subscriptions():
    both, one = asked("both", MAIN, LIVE, MAIN), asked("one", LIVE)
    assert destinations_of([both, one]) == (MAIN, LIVE)
    assert by_destination([both, one]) == {MAIN: (both,), LIVE: (both, one)}


def test_who_shares_a_branch_that_is_made_anew_comes_along():
    chosen, beside, elsewhere = asked("chosen", REBUILT), asked("beside", REBUILT, MAIN), asked("elsewhere", MAIN)
    known = (elsewhere, beside, chosen)
    assert with_companions([chosen], known) == (chosen, beside)
    assert with_companions([elsewhere], known) == (elsewhere,)


def test_markers_are_those_of_marker_targets_alone():
    assert marker_names([asked("one", MAIN), asked("two", MAIN, editor="kustomize")]) == {"ns:one"}
