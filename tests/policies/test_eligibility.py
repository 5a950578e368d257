"""A candidate is eligible when it runs on every platform that is wanted."""

from __future__ import annotations

import pytest

from updater.model.candidate import Candidate, Fact, FactRequest
from updater.model.image import parse_platform
from updater.policies.eligibility import eligible


def answered(candidate, platforms, answer):
    """Run to the end; returns what was asked, the candidate, and the code of the refusal."""
    asked = []
    running = eligible(candidate, tuple(map(parse_platform, platforms)))
    try:
        asked.append(next(running))
        while True:
            asked.append(running.send(answer))
    except StopIteration as done:
        fit, refusal = done.value
        return asked, fit, refusal and str(refusal.code)


def offering(*platforms):
    return Candidate(tag="1", platforms=tuple(map(parse_platform, platforms)))


def test_without_platforms_everything_is_eligible_and_nothing_is_asked():
    assert answered(Candidate(tag="1"), [], None) == ([], Candidate(tag="1"), None)


def test_platforms_are_asked_where_they_are_not_known():
    bare, full = Candidate(tag="1"), offering("linux/amd64")
    assert answered(bare, ["linux/amd64"], full) == ([FactRequest(candidate=bare, facts=frozenset({Fact.PLATFORMS}))], full, None)
    assert answered(full, ["linux/amd64"], None) == ([], full, None)


def test_platforms_that_cannot_be_had_are_a_refusal():
    assert answered(Candidate(tag="1"), ["linux/amd64"], None)[2] == "platform"


@pytest.mark.parametrize(
    ("wanted", "offered", "is_fit"),
    [
        (["linux/amd64"], ["linux/amd64", "linux/arm64"], True),
        (["linux/amd64", "linux/arm64"], ["linux/amd64"], False),
        (["linux/arm"], ["linux/arm/v7"], True),
        (["linux/arm/v7"], ["linux/arm/v6"], False),
        (["linux/arm64"], ["linux/arm64/v8"], True),
        (["linux/x86_64"], ["linux/amd64"], True),
        (["windows/amd64"], ["linux/amd64"], False),
        (["linux/amd64"], [], False),
    ],
)
def test_every_wanted_platform_must_be_offered(wanted, offered, is_fit):
    assert answered(offering(*offered), wanted, None)[2] == (None if is_fit else "platform")
