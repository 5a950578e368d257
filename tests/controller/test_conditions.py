"""Promises of conditions: the time is that of the transition, those of others stay, and nothing in a status breaks it."""

from __future__ import annotations

import pytest

from updater.controller.conditions import Condition, conditions_in, merge_conditions

READY = Condition("Ready", "True", "Scanned", "all is well")
BEFORE = {"type": "Ready", "status": "True", "reason": "Old", "message": "was well", "lastTransitionTime": "before"}
OTHERS = {"type": "Their", "status": "True", "reason": "Theirs", "message": "", "lastTransitionTime": "t"}


def merged(before, *conditions):
    return merge_conditions(before, conditions, owned={"Ready", "Stalled"}, generation=3, now="now")


@pytest.mark.parametrize(
    ("condition", "time"),
    [(READY, "before"), (Condition("Ready", "Unknown", "Waiting", ""), "now"), (Condition("Stalled", "True", "No", ""), "now")],
)
def test_the_time_is_that_of_the_last_transition(condition, time):
    (made,) = merged({"conditions": [BEFORE]}, condition)
    assert (made["lastTransitionTime"], made["observedGeneration"]) == (time, 3)


def test_those_of_others_stay_and_one_of_ours_that_is_no_more_goes():
    assert [item["type"] for item in merged({"conditions": [OTHERS, {**BEFORE, "type": "Stalled"}]}, READY)] == ["Ready", "Their"]


@pytest.mark.parametrize("before", [{}, {"conditions": None}, {"conditions": "no"}, {"conditions": [1, None, {"type": 7}, {}]}])
def test_what_is_no_condition_is_left_out(before):
    assert conditions_in(before) == []
    assert [item["type"] for item in merged(before, READY)] == ["Ready"]


def test_a_time_of_another_type_is_renewed():
    (made,) = merged({"conditions": [{**BEFORE, "lastTransitionTime": 7}]}, READY)
    assert made["lastTransitionTime"] == "now"
