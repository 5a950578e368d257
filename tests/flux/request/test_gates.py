"""Gates in annotations of an ImagePolicy count for it, and one that cannot be read holds it."""

from __future__ import annotations

import pytest

from tests.flux.request.making import automation, policy, repository, source, translate
from updater.model.decision import hold_of
from updater.model.gates import ChangeRate, GateRules, UpdateWindow, WindowKind

PREFIX = "image-updater.gitops/"


def gated(**annotations):
    item = policy()
    item["metadata"]["annotations"] = {f"{PREFIX}{name.replace('_', '-')}": text for name, text in annotations.items()}
    found = translate([repository()], [item], [automation()], [source()])
    (subscription,) = found.snapshot.subscriptions
    return subscription, found.snapshot.problems


def test_the_gates_of_a_policy_are_read():
    window = '{kind: allow, schedule: "0 9 * * 1-5", duration: 8h}'
    subscription, problems = gated(min_age="3d", window=window, max_changes="10/d", coalesce="5m")
    assert problems == ()
    assert subscription.gates == GateRules(
        min_age=259200.0,
        windows=(UpdateWindow(kind=WindowKind.ALLOW, schedule="0 9 * * 1-5", duration=28800.0),),
        max_changes=ChangeRate(count=10, seconds=86400.0, unit="d"),
        coalesce=300.0,
    )


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("min_age", "soon", "duration"),
        ("window", "friday", "wrong-type"),
        ("group", "shop", "not-yet"),
        ("max_changes", "0/h", "rate"),
    ],
)
def test_a_gate_that_cannot_be_read_holds_the_policy_and_is_said(name, text, code):
    subscription, problems = gated(**{name: text})
    hold = hold_of(subscription.decisions)
    assert hold is not None
    assert hold.is_unread
    assert [problem.code for problem in problems] == [code]
    assert problems[0].hint
