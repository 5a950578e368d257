"""What lands together: destinations know their subscriptions, and who shares a branch that is made anew comes along."""

from __future__ import annotations

from tests.engine.making import git_branch
from tests.inventory.asking import LIVE, MAIN, REBUILT, asked
from updater.inventory.destinations import by_destination, destinations_of, marker_names, unnamed_beside_named, with_companions


def test_destinations_are_named_once_and_know_their_subscriptions():
    both, one = asked("both", MAIN, LIVE, MAIN), asked("one", LIVE)
    assert destinations_of([both, one]) == (MAIN, LIVE)
    assert by_destination([both, one]) == {MAIN: (both,), LIVE: (both, one)}


def test_who_shares_a_branch_that_is_made_anew_comes_along():
    chosen, beside, elsewhere = asked("chosen", REBUILT), asked("beside", REBUILT, MAIN), asked("elsewhere", MAIN)
    known = (elsewhere, beside, chosen)
    assert with_companions([chosen], known) == (chosen, beside)
    assert with_companions([elsewhere], known) == (elsewhere,)


def test_markers_are_those_of_marker_targets_alone():
    assert marker_names([asked("one", MAIN), asked("two", MAIN, editor="kustomize")]) == {"ns:one"}


def test_a_branch_without_a_name_matters_where_another_of_its_repository_has_one():
    def branch(url, name, credential=""):
        return git_branch(url, name, credential=credential)

    mixed, alone, other = branch("https://g/a", ""), branch("https://g/b", ""), branch("https://g/a", "", "secret:n/s")
    assert unnamed_beside_named([mixed, alone, other, branch("https://G/a.git", "main"), LIVE]) == (mixed,)
