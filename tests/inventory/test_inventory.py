"""What all sources together ask for: whole from the first, and a new snapshot changes what it changes and nothing else."""

from __future__ import annotations

from tests.engine.making import git_branch
from tests.inventory.asking import LIVE, MAIN, REBUILT, asked, problem, snapshot
from updater.inventory.inventory import Inventory


def test_until_every_source_was_heard_it_is_not_complete():
    both = Inventory(snapshot(asked("filed", MAIN)), ["applications", "other"])
    assert (both.is_complete, both.missing) == (False, ("applications", "other"))
    both.take("other", snapshot())
    both.take("applications", snapshot(complete=False))
    assert both.missing == ("applications",)
    both.take("applications", snapshot())
    assert both.is_complete


def test_the_first_whole_snapshot_makes_every_destination_due():
    both = Inventory(snapshot(asked("filed", MAIN)), ["applications"])
    assert both.take("applications", snapshot(asked("live", LIVE))).destinations == {MAIN, LIVE}


def test_only_destinations_whose_subscriptions_are_others_are_changed():
    both = Inventory(snapshot(asked("filed", MAIN)), ["applications"])
    live = asked("live", LIVE)
    both.take("applications", snapshot(live))
    assert both.take("applications", snapshot(live)).destinations == frozenset()
    assert both.take("applications", snapshot(live, asked("more", REBUILT))).destinations == {REBUILT}
    assert both.take("applications", snapshot(asked("live", LIVE, image="r.test/other"))).destinations == {LIVE}
    assert both.by_destination.keys() == {MAIN, LIVE}


def test_what_is_gone_leaves_only_its_own_destination():
    both = Inventory(snapshot(), ["applications"])
    both.take("applications", snapshot(asked("one", MAIN), asked("two", MAIN), asked("three", LIVE)))
    change = both.take("applications", snapshot(asked("one", MAIN)))
    assert change.destinations == {MAIN}
    assert [item.key for item in both.by_destination[MAIN]] == ["one"]
    assert LIVE not in both.by_destination


def test_a_problem_is_new_once_and_again_after_it_was_gone():
    both = Inventory(snapshot(problems=[problem("old")]), ["applications"])
    wrong = snapshot(problems=[problem()])
    assert [item.code for item in both.take("applications", wrong).problems] == ["unknown-key"]
    assert both.take("applications", snapshot(problems=[problem()])).problems == ()
    both.take("applications", snapshot())
    assert [item.code for item in both.take("applications", wrong).problems] == ["unknown-key"]


def test_branches_that_would_undo_each_other_are_refused_to_the_other_source_and_counted_as_its_problem():
    both = Inventory(snapshot(asked("filed", REBUILT)), ["applications"])
    change = both.take("applications", snapshot(asked("back", GOES_BACK), problems=[problem()]))
    assert [item.key for item in change.refused] == ["back"]
    assert {item.code for item in change.problems} == {"unknown-key", "push-branch"}
    assert {(name, item.code) for name, item in both.problems} == {
        ("applications", "unknown-key"),
        ("applications", "push-branch"),
    }
    assert [name for name, _ in both.sources] == ["file", "applications"]
    assert GOES_BACK not in both.by_destination


GOES_BACK = git_branch(MAIN.url, "update", "main")
