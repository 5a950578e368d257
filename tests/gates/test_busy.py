"""A rollout or canary in progress keeps updates back, where the rules say so."""

from __future__ import annotations

import pytest

from updater.gates.answers import Gate, GateHold, Open
from updater.gates.landing import Circumstances, UpdateFacts, answers, gate
from updater.model.gates import GateRules

BUSY = Circumstances(now=0.0, busy={"shop": "Rollout shop/web is in progress"})
WAITING = GateRules(wait_while_busy=True)


def test_an_update_waits_for_what_is_in_progress_and_says_for_what():
    hold = gate(UpdateFacts(key="shop", rules=WAITING), BUSY)
    assert isinstance(hold, GateHold)
    assert (hold.gate, hold.code, hold.opens_at) == (Gate.BUSY, "busy", None)
    assert "Rollout shop/web is in progress" in hold.reason


@pytest.mark.parametrize("facts", [UpdateFacts(key="other", rules=WAITING), UpdateFacts(key="shop", rules=GateRules())])
def test_others_and_those_who_do_not_wait_are_let_through(facts):
    assert gate(facts, BUSY) is None


def test_a_gate_that_is_asked_answers_when_it_is_open_too():
    (answer,) = answers(UpdateFacts(key="shop", rules=WAITING), Circumstances(now=0.0))
    assert isinstance(answer, Open)
