"""What a window or a person holds is answered once, until its moment comes or what it depended on changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.making import BRANCH, chosen, git_branch, reading, subscription, target, view
from updater.engine.decide import decide
from updater.engine.gating import Gatekeeper
from updater.engine.held_answers import HeldAnswers
from updater.model.decision import Hold
from updater.model.gates import ChangeRate, GateRules, UpdateWindow, WindowKind
from updater.model.outcome import Status
from updater.model.release import DeliveryOptions, OnBad

NIGHTLY = UpdateWindow(kind=WindowKind.ALLOW, schedule="0 2 * * *", duration=3600.0)
NOON = UpdateWindow(kind=WindowKind.DENY, schedule="0 12 * * *", duration=7200.0)
HOUR = 3600.0
MORNING = 1_800_000_000.0  # 08:00 in UTC
RULES = (
    GateRules(),
    GateRules(windows=(NIGHTLY,)),
    GateRules(windows=(NOON,)),
    GateRules(windows=(NIGHTLY, NOON), max_changes=ChangeRate(count=1, seconds=HOUR)),
    GateRules(max_changes=ChangeRate(count=1, seconds=HOUR)),
    GateRules(windows=(NIGHTLY,), coalesce=300.0),
    GateRules(coalesce=300.0),
    GateRules(windows=(NIGHTLY,), group="shop"),
    GateRules(group="shop"),
)


def asked(rules, tags, *, holds=(), pending=(), places=(BRANCH,)):
    """Return the view and the decisions of one landing of app, web and more, each by its rules."""
    keys = [f"app{number}" for number in range(len(rules))]
    items = []
    for key, gates in zip(keys, rules, strict=True):
        mine = tuple(target(name=f"ns:{key}", destination=place) for place in places)
        held = (Hold(key=key, author="Jane"),) if key in holds else ()
        items.append(replace(subscription(key, "ghcr.io/o/app", *mine), gates=gates, decisions=held))
    written = {(key, 0): (reading(path=f"{key}.yaml"),) for key in keys}
    offered = {
        (key, 0): (reading(f"ghcr.io/o/app:{tag}", path=f"{key}.yaml"),) for key, tag in zip(keys, pending, strict=False) if tag
    }
    seen = replace(view(destination=places[0]), readings=written, pending=offered)
    choices = {
        (key, readings[0].written): chosen(tag, status="unchanged" if tag == "1.0.0" else "updated")
        for ((key, _), readings), tag in zip(written.items(), tags, strict=True)
    }
    return seen, decide(seen, items, choices)


moments = st.lists(
    st.tuples(
        st.floats(min_value=-6 * HOUR, max_value=13 * HOUR),
        st.lists(st.sampled_from(["1.0.0", "1.1.0", "1.2.0"]), min_size=3, max_size=3),
        st.frozensets(st.sampled_from(["app0", "app1", "app2"])),
        st.lists(st.sampled_from(["", "1.1.0"]), max_size=3),
    ),
    min_size=2,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(rules=st.lists(st.sampled_from(RULES), min_size=3, max_size=3), steps=moments)
def test_the_remembered_answer_is_the_fresh_one(rules, steps):
    """Whatever moves: the clock either way, tags, decisions of people, what was proposed before."""
    now = [MORNING]
    keeper = Gatekeeper(clock=lambda: now[0])
    for step, tags, holds, pending in steps:
        now[0] += step
        seen, decisions = asked(rules, tags, holds=holds, pending=pending)
        fresh = replace(keeper, memory=keeper.memory.copy(), held=HeldAnswers())
        assert keeper.gated(seen, decisions) == fresh.gated(seen, decisions)
        assert keeper.memory.since(BRANCH) == fresh.memory.since(BRANCH)


class Counted(HeldAnswers):
    """Counts what is remembered."""

    def __init__(self):
        super().__init__()
        self.noted = 0

    def note(self, *arguments):
        self.noted += 1
        super().note(*arguments)


@pytest.fixture
def keeper():
    return Gatekeeper(clock=lambda: MORNING, held=Counted())


def test_what_a_window_holds_is_asked_once_until_it_opens(keeper):
    clock = [MORNING]
    keeper = replace(keeper, clock=lambda: clock[0])
    for _ in range(5):
        clock[0] += 120
        (decision,) = keeper.gated(*asked([GateRules(windows=(NIGHTLY,))], ["1.1.0"]))
        assert decision.places[0].status is Status.HELD
    assert keeper.held.noted == 1
    clock[0] = decision.places[0].opens_at.timestamp()
    (decision,) = keeper.gated(*asked([GateRules(windows=(NIGHTLY,))], ["1.1.0"]))
    assert decision.places[0].status is Status.UPDATED
    assert len(keeper.held) == 0


def test_an_answer_that_keeps_a_proposal_is_not_remembered(keeper):
    """What it keeps is written again, with whatever was learned of it since."""
    (decision,) = keeper.gated(*asked([GateRules(windows=(NIGHTLY,))], ["1.2.0"], pending=["1.1.0"]))
    assert decision.updates
    assert keeper.held.noted == 0


def test_a_release_that_may_turn_bad_is_asked_about_each_time(keeper):
    seen, decisions = asked([GateRules(windows=(NIGHTLY,))], ["1.1.0"])
    item = decisions[0]
    watched = replace(item, subscription=replace(item.subscription, delivery=DeliveryOptions(on_bad=OnBad.HOLD)))
    assert keeper.gated(seen, (watched,))[0].places[0].status is Status.HELD
    assert keeper.held.noted == 0


def test_destinations_that_are_gone_are_forgotten():
    clock = [MORNING]
    keeper = Gatekeeper(clock=lambda: clock[0])
    for number in range(3000):
        clock[0] += 10
        place = git_branch(f"https://git.test/{number}.git")
        keeper.gated(*asked([GateRules(windows=(NIGHTLY,))], ["1.1.0"], places=(place,)))
    assert 0 < len(keeper.held) < 1100
