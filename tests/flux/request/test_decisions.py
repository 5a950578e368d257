"""What people decide in annotations of an ImagePolicy counts for it, and one that cannot be read holds it."""

from __future__ import annotations

from tests.flux.request.making import automation, policy, repository, source, translate
from updater.model.decision import hold_of, pin_of

PREFIX = "image-updater.gitops/"


def decided(**annotations):
    item = policy()
    item["metadata"]["annotations"] = {f"{PREFIX}{name}": text for name, text in annotations.items()}
    found = translate([repository()], [item], [automation()], [source()])
    (subscription,) = found.snapshot.subscriptions
    return subscription.decisions, found.snapshot.problems


def test_hold_and_pin_of_a_policy_are_read():
    decisions, problems = decided(hold='{"author":"Jane"}', pin="1.2.3")
    hold, pin = hold_of(decisions), pin_of(decisions)
    assert hold is not None
    assert pin is not None
    assert (hold.author, pin.tag, problems) == ("Jane", "1.2.3", ())


def test_one_that_cannot_be_read_holds_the_policy_and_is_said():
    for name, text in (("hold", "maybe"), ("hodl", "true"), ("pin", "no tag"), ("reject", "x" * 200_000)):
        decisions, problems = decided(**{name: text})
        hold = hold_of(decisions)
        assert hold is not None, name
        assert hold.is_unread
        assert problems[0].message.startswith(f"{PREFIX}{name}: ")
