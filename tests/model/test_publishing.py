"""How a destination says where it is written: its texts are those of the configuration, two ways to say the same are one."""

from __future__ import annotations

import pytest

from tests.engine.making import git_branch
from updater.model.publishing import Direct, Proposal, PushBranch, PushTemplate
from updater.model.subscription import GitBranch, LiveApplication

URL = "https://git.test/fleet.git"


@pytest.mark.parametrize(
    ("branch", "publishing", "text", "push", "is_rebuilt"),
    [
        ("main", Direct(), f"{URL}#main", "main", False),
        ("", Direct(), f"{URL}#HEAD", "", False),
        ("main", PushBranch("main"), f"{URL}#main", "main", False),
        ("main", PushBranch(""), f"{URL}#main", "main", False),
        ("main", PushBranch("up"), f"{URL}#main:up", "up", True),
        ("", PushBranch("up"), f"{URL}#HEAD:up", "up", True),
        ("main", PushTemplate("up-{{.SHA256}}", "own"), f"{URL}#main:up-{{{{.SHA256}}}}", "own", True),
        ("main", Proposal("updater/main"), f"{URL}#main:updater/main", "updater/main", True),
    ],
)
def test_a_branch_is_shown_and_written_as_its_publishing_says(branch, publishing, text, push, is_rebuilt):
    found = GitBranch(url=URL, branch=branch, publishing=publishing)
    assert (str(found), found.push, found.is_rebuilt, found.is_named) == (text, push, is_rebuilt, bool(branch))


def test_a_push_branch_that_is_the_branch_itself_is_the_same_destination():
    assert {GitBranch(url=URL, branch="main"), git_branch(URL, push="main"), git_branch(URL)} == {git_branch(URL)}


def test_each_kind_of_destination_names_its_method():
    live = LiveApplication(namespace="argocd", name="web")
    assert (git_branch(URL).method, live.method, live.is_rebuilt, live.is_named) == ("git", "argocd", False, True)
