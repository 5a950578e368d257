"""What the ledger promises: step by step it says the same as from the start, and what did not change stays the same object."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.inventory.asking import LIVE, MAIN, REBUILT, asked
from updater.inventory.index import IndexDelta, SubscriptionIndex
from updater.model.scan_key import scan_key_for
from updater.model.snapshot import ScanRequest
from updater.model.subscription import FIXED, PolicySpec

KEYS = ("one", "two", "three", "four")
IMAGES = ("r.test/app", "r.test/base")
SOME = st.dictionaries(
    st.sampled_from(KEYS),
    st.tuples(
        st.lists(st.sampled_from([MAIN, LIVE, REBUILT]), max_size=3),
        st.sampled_from(IMAGES),
        st.sampled_from([30.0, 120.0]),
    ),
)


def made(wanted, known):
    """Make subscriptions, and give the known object where nothing of it is another."""
    for key, (destinations, image, interval) in wanted.items():
        item = asked(key, *destinations, image=image, interval=interval)
        yield known.setdefault((key, item), item) if len(destinations) < 3 else item


@given(st.lists(st.tuples(SOME, st.booleans()), max_size=6))
def test_what_was_reached_by_changes_is_what_is_made_at_once(steps):
    ledger, known = SubscriptionIndex(), {}
    for wanted, is_complete in steps:
        subscriptions = tuple(made(wanted, known))
        before = dict(ledger.by_image), dict(ledger.by_destination)
        moved, whole = ledger.take(subscriptions), SubscriptionIndex(subscriptions)
        assert in_any_order(ledger, is_complete) == in_any_order(whole, is_complete)
        for was, now, said in zip(
            before, (ledger.by_image, ledger.by_destination), (moved.images, moved.destinations), strict=True
        ):
            assert {place for place in was.keys() | now.keys() if was.get(place) != now.get(place)} == said


def in_any_order(ledger, is_complete):
    """Say all that it knows; where the same objects come in another order, nothing is made anew for that."""
    plan = ledger.plan(is_complete=is_complete)
    by_place = [{place: set(items) for place, items in found.items()} for found in (ledger.by_image, ledger.by_destination)]
    waiting = {listed: set(found) for listed, found in plan.waiting.items()}
    return by_place, plan.images, plan.destinations, waiting, plan.rebuilt


def test_an_image_that_several_ask_for_is_scanned_once_as_often_as_the_most_impatient_wants():
    slow, fast = asked("slow", MAIN, interval=300.0), asked("fast", LIVE, interval=30.0)
    plan = SubscriptionIndex([slow, fast]).plan(is_complete=True)
    assert plan.images == {scan_key_for(slow): 30.0}
    assert plan.destinations == {MAIN: 300.0, LIVE: 30.0}
    assert plan.waiting == {scan_key_for(slow): (MAIN, LIVE)}


def test_a_destination_is_due_as_often_as_its_own_targets_want_and_not_as_its_images_do():
    item = asked("app", MAIN, LIVE, interval=300.0)
    first, second = item.targets
    item = replace(item, targets=(first, replace(second, interval=30.0)))
    plan = SubscriptionIndex([item]).plan(is_complete=True)
    assert (plan.images, plan.destinations) == ({scan_key_for(item): 300.0}, {MAIN: 300.0, LIVE: 30.0})


def test_no_branch_that_is_made_anew_is_planned_while_a_source_is_missing():
    ledger = SubscriptionIndex([asked("kept", MAIN), asked("proposed", REBUILT)])
    part, whole = (ledger.plan(is_complete=is_complete) for is_complete in (False, True))
    assert (set(part.destinations), part.rebuilt) == ({MAIN}, frozenset())
    assert (set(whole.destinations), whole.rebuilt) == ({MAIN, REBUILT}, {REBUILT})
    assert part.images == whole.images


def test_the_same_again_changes_nothing_and_has_the_same_plan():
    items = [asked("one", MAIN), asked("two", LIVE)]
    ledger = SubscriptionIndex(items)
    plan = ledger.plan(is_complete=True)
    assert ledger.take(list(items)) == IndexDelta()
    assert ledger.plan(is_complete=True) is plan


def test_a_new_subscription_stands_where_it_is_asked_for_and_costs_the_others_nothing():
    first, last, other = asked("first", MAIN), asked("last", MAIN), asked("other", LIVE, image="r.test/base")
    ledger = SubscriptionIndex([first, last, other])
    alone = ledger.by_destination[LIVE]
    between = asked("between", MAIN)
    moved = ledger.take([first, between, last, other])
    assert ledger.by_destination[MAIN] == (first, between, last)
    assert (moved.destinations, moved.images) == ({MAIN}, {scan_key_for(first)})
    assert ledger.by_destination[LIVE] is alone


def test_an_image_is_scanned_for_its_own_sake_as_often_as_it_asks_and_a_named_one_is_not():
    app, fixed = asked("app", MAIN, interval=300.0), asked("fixed", MAIN, image="r.test/fixed")
    fixed = replace(fixed, policy=PolicySpec(FIXED, {"tag": "1.0.0"}))
    listed = scan_key_for(app)
    ledger = SubscriptionIndex([app, fixed], [ScanRequest(listed=listed, interval=60.0)])
    assert ledger.plan(is_complete=True).images == {listed: 60.0}
    assert ledger.take([fixed], [ScanRequest(listed=listed, interval=60.0)]).images == {listed}
    assert ledger.plan(is_complete=True).images == {listed: 60.0}
    assert ledger.take([fixed]).images == {listed}
    assert ledger.plan(is_complete=True).images == {}
