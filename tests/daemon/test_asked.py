"""What all sources together ask for: whole from the first, and a new snapshot changes what it changes and nothing else."""

from __future__ import annotations

from tests.daemon.asking import LIVE, MAIN, REBUILT, asked, problem, snapshot
from updater.daemon.asked import Asked


def test_until_every_source_was_heard_it_is_not_complete():
    both = Asked(snapshot(asked("filed", MAIN)), ["applications", "other"])
    assert (both.is_complete, both.missing) == (False, ("applications", "other"))
    both.take("other", snapshot())
    both.take("applications", snapshot(complete=False))
    assert both.missing == ("applications",)
    both.take("applications", snapshot())
    assert both.is_complete


def test_the_first_whole_snapshot_makes_every_destination_due():
    both = Asked(snapshot(asked("filed", MAIN)), ["applications"])
    assert both.take("applications", snapshot(asked("live", LIVE))).destinations == {MAIN, LIVE}


def test_only_destinations_whose_subscriptions_are_others_are_changed():
    both = Asked(snapshot(asked("filed", MAIN)), ["applications"])
    live = asked("live", LIVE)
    both.take("applications", snapshot(live))
    assert both.take("applications", snapshot(live)).destinations == frozenset()
    assert both.take("applications", snapshot(live, asked("more", REBUILT))).destinations == {REBUILT}
    assert both.take("applications", snapshot(asked("live", LIVE, image="r.test/other"))).destinations == {LIVE}
    assert both.by_destination.keys() == {MAIN, LIVE}


def test_what_is_gone_leaves_only_its_own_destination():
    both = Asked(snapshot(), ["applications"])
    both.take("applications", snapshot(asked("one", MAIN), asked("two", MAIN), asked("three", LIVE)))
    change = both.take("applications", snapshot(asked("one", MAIN)))
    assert change.destinations == {MAIN}
    assert [item.key for item in both.by_destination[MAIN]] == ["one"]
    assert LIVE not in both.by_destination


def test_a_problem_is_new_once_and_again_after_it_was_gone():
    both = Asked(snapshot(problems=[problem("old")]), ["applications"])
    wrong = snapshot(problems=[problem()])
    assert [item.code for item in both.take("applications", wrong).problems] == ["unknown-key"]
    assert both.take("applications", snapshot(problems=[problem()])).problems == ()
    both.take("applications", snapshot())
    assert [item.code for item in both.take("applications", wrong).problems] == ["unknown-key"]


def test_what_the_file_has_already_is_refused_to_another_source_and_said():
    both = Asked(snapshot(asked("filed", MAIN)), ["applications"])
    change = both.take("applications", snapshot(asked("crossing", REBUILT), asked("landing", GOES_BACK)))
    assert {item.key for item in change.refused} == {item.origin.rpartition("/")[2] for item in change.problems}
    assert [name for name, _ in both.sources] == ["file", "applications"]


GOES_BACK = type(MAIN)(url=MAIN.url, branch="update", push="main")
