"""Annotations of an ImagePolicy say how its releases are followed, and one that cannot be read holds it."""

from __future__ import annotations

import pytest

from tests.flux.request.test_gates import gated
from updater.model.decision import hold_of
from updater.model.release import OnBad, Workload


def test_a_policy_that_asks_for_it_is_followed_by_the_kustomizations_that_read_its_file():
    subscription, problems = gated(on_bad="revert", deadline="20m")
    assert problems == ()
    delivery = subscription.delivery
    assert (delivery.on_bad, delivery.deadline, delivery.searched) == (OnBad.REVERT, 1200.0, ("Kustomization",))
    assert gated(min_age="3d")[0].delivery is None


def test_a_policy_can_name_its_workload():
    delivery = gated(workload="Canary/shop/web")[0].delivery
    assert (delivery.workload, delivery.searched) == (Workload("Canary", "shop", "web"), ())


@pytest.mark.parametrize(("name", "text", "code"), [("on_bad", "rollback", "wrong-type"), ("settle", "long", "duration")])
def test_what_cannot_be_read_holds_the_policy_and_is_told(name, text, code):
    subscription, problems = gated(**{name: text})
    assert [problem.code for problem in problems] == [code]
    assert hold_of(subscription.decisions).is_unread
