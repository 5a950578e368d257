"""Annotations of an automation are defaults for the ImagePolicies that it writes; the policy's own count before them."""

from __future__ import annotations

import pytest

from tests.flux.request.making import automation, policy, repository, source, translate
from updater.model.decision import hold_of, pin_of, rejections_of
from updater.model.release import OnBad

PREFIX = "image-updater.gitops/"


def annotated(item, texts):
    item["metadata"]["annotations"] = {f"{PREFIX}{name}": text for name, text in texts.items()}
    return item


def written(*automations, own=None, names=("app",)):
    """The subscriptions of policies that automations with these annotations write, by name, and what is wrong."""
    policies = [annotated(policy(name), own or {}) for name in names]
    writers = [
        annotated(automation(f"fleet-{number}", update={"path": f"./{number}"}), item) for number, item in enumerate(automations)
    ]
    found = translate([repository()], policies, writers, [source()])
    return {item.key.rpartition("/")[2]: item for item in found.snapshot.subscriptions}, found.snapshot.problems


def test_gates_delivery_and_decisions_of_an_automation_count_for_the_policies_that_it_writes():
    theirs = {"min-age": "3d", "on-bad": "revert", "hold": '{"author":"Jane"}', "reject": "1.3.0"}
    found, problems = written(theirs, names=("app", "web"))
    assert problems == ()
    for item in found.values():
        hold = hold_of(item.decisions)
        assert hold is not None
        assert hold.where == "ImageUpdateAutomation apps/fleet-0 image-updater.gitops/hold"
        assert (item.gates.min_age, item.delivery.on_bad, item.delivery.searched) == (259200.0, OnBad.REVERT, ("Kustomization",))
        assert [each.tag for each in rejections_of(item.decisions)] == ["1.3.0"]


def test_one_policy_is_meant_by_its_name():
    found, problems = written({"min-age": "3d", "web.min-age": "1d", "web.hold": "true"}, names=("app", "web"))
    assert problems == ()
    assert {name: (item.gates.min_age, bool(hold_of(item.decisions))) for name, item in found.items()} == {
        "app": (259200.0, False),
        "web": (86400.0, True),
    }


def test_what_the_policy_says_counts_before_it_and_rejections_add_up():
    theirs = {"min-age": "3d", "hold": "true", "pin": '{"tag":"1.1.0","since":"2026-11-29T00:00:00Z"}', "reject": "1.3.0"}
    found, problems = written(theirs, own={"min-age": "none", "hold": "false", "pin": "1.2.0", "reject": "1.4.0"})
    (item,) = found.values()
    pin = pin_of(item.decisions)
    assert pin is not None
    assert (problems, item.gates.min_age, hold_of(item.decisions), pin.tag) == ((), None, None, "1.2.0")
    assert {each.tag for each in rejections_of(item.decisions)} == {"1.3.0", "1.4.0"}


def test_two_automations_of_one_policy_that_do_not_agree_hold_it_until_it_says_so_itself():
    found, problems = written({"min-age": "3d"}, {"min-age": "1d"})
    hold = hold_of(found["app"].decisions)
    assert hold is not None
    assert [problem.code for problem in problems] == ["conflict"]
    assert "fleet-0" in hold.reason
    assert "fleet-1" in hold.reason
    for automations, own in (
        ([{"min-age": "3d"}, {"min-age": "3d"}], {}),
        ([{"min-age": "3d"}, {"min-age": "1d"}], {"min-age": "3d"}),
    ):
        found, problems = written(*automations, own=own)
        assert (problems, found["app"].gates.min_age, found["app"].decisions) == ((), 259200.0, ())


@pytest.mark.parametrize("name", ["hold", "app.hold"])
def test_no_automation_takes_the_hold_of_another_one_away(name):
    for automations in (({name: "false"}, {"hold": "true"}), ({"hold": "true"}, {name: "false"})):
        found, problems = written(*automations)
        assert problems == ()
        assert hold_of(found["app"].decisions), automations
    found, _ = written({name: "false"}, {"hold": "true"}, own={"hold": "false"})
    assert found["app"].decisions == ()


def test_two_automations_that_pin_one_policy_to_two_versions_hold_it_until_it_is_pinned_itself():
    found, problems = written({"pin": "1.0.0"}, {"pin": "1.1.0"})
    assert [problem.code for problem in problems] == ["conflict"]
    assert hold_of(found["app"].decisions)
    found, problems = written({"pin": "1.0.0"}, {"pin": "1.1.0"}, own={"pin": "1.2.0"})
    pin = pin_of(found["app"].decisions)
    assert pin is not None
    assert (problems, pin.tag, hold_of(found["app"].decisions)) == ((), "1.2.0", None)


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("min-age", "soon", "duration"),
        ("hold", "maybe", "wrong-type"),
        ("min-agee", "3d", "unknown-key"),
        ("on-bad", "x", "wrong-type"),
    ],
)
def test_one_that_cannot_be_read_holds_all_that_the_automation_writes_and_is_said_once(name, text, code):
    found, problems = written({name: text}, names=("app", "web"))
    assert [problem.code for problem in problems] == [code]
    assert problems[0].origin == "ImageUpdateAutomation apps/fleet-0"
    for item in found.values():
        hold = hold_of(item.decisions)
        assert hold is not None
        assert hold.is_unread


def test_one_that_names_no_policy_of_the_automation_is_said():
    found, problems = written({"wbe.hold": "true"}, names=("app", "web"))
    assert [(problem.code, problem.hint) for problem in problems] == [("alias", "did you mean 'web'?")]
    assert not any(item.decisions for item in found.values())


def test_a_pull_request_of_an_automation_goes_on_beside_them():
    found, problems = written({"proposal": "true", "proposal-bot.hold": "true"}, names=("proposal-bot",))
    assert problems == ()
    assert hold_of(found["proposal-bot"].decisions)
    assert found["proposal-bot"].targets[0].destination.publishing is not None


def test_what_an_automation_says_is_heard_while_it_runs_and_moves_nothing_else():
    from updater.flux.request.translation import FluxTranslator  # noqa: PLC0415

    translator = FluxTranslator()
    policies, fixed = [policy("app"), policy("web")], ([repository()], [source()])
    before = translator(fixed[0], policies, [automation()], fixed[1], {}).snapshot.subscriptions
    after = translator(fixed[0], policies, [annotated(automation(), {"app.hold": "true"})], fixed[1], {}).snapshot.subscriptions
    assert hold_of(after[0].decisions)
    assert after[1] is before[1]
