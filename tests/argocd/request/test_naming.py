"""HEAD and the branch that it means are one destination, as soon as the server's word for it is known."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import GIT, REPOSITORY, application, codes
from tests.engine.making import git_branch
from updater.argocd.request import TranslationDefaults, Translator
from updater.inventory.default_branches import DefaultBranches
from updater.model.subscription import GitBranch

LIST = {"image-list": "web=ghcr.io/o/web:^1.0"}
OVERLAY = GIT | {"write-back-target": "kustomization"}
HEAD = {"targetRevision": "HEAD"}
FLEET = GitBranch(url=REPOSITORY, branch="")


@pytest.fixture
def branches():
    return DefaultBranches()


@pytest.fixture
def translate(branches):
    return Translator(TranslationDefaults(branches=branches))


def places(found):
    return [(place.branch, place.push) for place in found.snapshot.destinations]


def test_two_words_for_one_branch_are_one_destination_once_it_is_known(branches, translate):
    items = [application(LIST | GIT, name="a", source=HEAD), application(LIST | GIT, name="b")]
    assert places(translate(items, [])) == [("", ""), ("main", "main")]
    branches.learn(FLEET, "main")
    assert places(translate(items, [])) == [("main", "main")]
    branches.learn(FLEET, "trunk")
    assert places(translate(items, [])) == [("trunk", "trunk"), ("main", "main")]


def test_what_was_learned_already_changes_nothing_and_what_is_named_stays_the_same_object(branches, translate):
    items = [application(LIST | GIT, name="a", source=HEAD), application(LIST | GIT, name="b")]
    branches.learn(FLEET, "main")
    first = translate(items, [])
    branches.learn(FLEET, "main")
    assert translate(items, []) is first
    second = translate([*items, application(LIST | GIT, name="c")], [])
    assert second.snapshot.subscriptions[0] is first.snapshot.subscriptions[0]


@pytest.mark.parametrize(
    ("other", "expected", "writers"), [({}, [], ["argocd/eu/web"]), ({"web.ignore-tags": "dev"}, ["conflict"] * 2, [])]
)
def test_one_file_reached_by_both_words_has_one_writer_or_none(branches, translate, other, expected, writers):
    items = [application(LIST | OVERLAY, name="eu", source=HEAD), application(LIST | OVERLAY | other, name="us")]
    branches.learn(FLEET, "main")
    found = translate(items, [])
    assert (codes(found), [item.key for item in found.snapshot.subscriptions]) == (expected, writers)


@pytest.mark.parametrize("url", [f"{REPOSITORY}/", REPOSITORY.removesuffix(".git"), REPOSITORY.replace("git.test", "GIT.test")])
def test_the_spelling_by_which_it_was_learned_does_not_count(branches, url):
    branches.learn(GitBranch(url=url, branch="main"), "main")
    assert branches.name_of(FLEET) == "main"


def test_another_credential_or_repository_is_another_question(branches):
    branches.learn(FLEET, "main")
    assert branches.name_of(git_branch(REPOSITORY, "", credential="secret:a/b")) == ""
    assert branches.name_of(GitBranch(url="https://git.test/other.git", branch="")) == ""


def test_a_branch_of_its_own_for_each_write_keeps_its_name_over_the_named_base(branches, translate):
    branches.learn(FLEET, "main")
    found = translate([application(LIST | GIT | {"git-branch": ":updates"}, source=HEAD)], [])
    assert places(found) == [("main", "updates")]


def test_a_branch_that_nobody_lists_stays_without_a_name(translate, branches):
    branches.learn(FLEET, "")
    assert (places(translate([application(LIST | GIT, source=HEAD)], [])), branches.version) == ([("", "")], 0)
