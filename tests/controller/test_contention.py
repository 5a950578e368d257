"""Promises of contention: news is never held up, and what is said against somebody else waits longer each time."""

from __future__ import annotations

import pytest

from tests.controller.lab_wing import FEED
from updater.controller.contention import FIRST_WAIT, LONGEST_WAIT, Contention
from updater.kube.kinds import Ref

ONE, TWO = Ref(FEED, "team", "one"), Ref(FEED, "team", "two")
VOLATILE = {"lastScan"}


def status(message="well", **fields):
    return {"conditions": [{"type": "Ready", "status": "True", "message": message, "lastTransitionTime": "t"}], **fields}


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def contention(now):
    return Contention(lambda: now[0])


def note(contention, made, ref=ONE):
    return contention.note(ref, made, volatile=VOLATILE)


def wait(contention, made, ref=ONE):
    return contention.wait(ref, made, volatile=VOLATILE)


def test_the_same_statement_waits_twice_as_long_each_time_and_is_told_once(contention, now):
    told, waits = [], []
    for _ in range(12):
        told.append(note(contention, status()))
        waits.append(wait(contention, status()))
        now[0] += waits[-1]
    assert told == [False, False, True, *[False] * 9]
    assert waits[:4] == [0, 0, FIRST_WAIT, 2 * FIRST_WAIT]
    assert waits[-1] == LONGEST_WAIT


@pytest.mark.parametrize("other", [status("worse"), status(tags=2)])
def test_another_statement_is_never_held_up(contention, other):
    for _ in range(5):
        note(contention, status())
    assert wait(contention, status()) > 0
    assert wait(contention, other) == 0
    assert not note(contention, other)
    assert wait(contention, other) == 0


def test_times_and_what_is_volatile_are_no_other_statement(contention):
    for number in range(5):
        note(contention, status(lastScan=f"time {number}"))
    later = status(lastScan="later")
    later["conditions"][0]["lastTransitionTime"] = "another"
    assert wait(contention, later) > 0


def test_objects_are_apart_and_one_that_is_gone_is_forgotten(contention):
    for _ in range(5):
        note(contention, status())
    assert wait(contention, status(), TWO) == 0
    contention.keep({TWO})
    assert wait(contention, status()) == 0
