"""What a target may ask of pull requests: the defaults; what this version does not do is refused with its reason."""

from __future__ import annotations

import pytest

from tests.settings.making import SUBSCRIPTION, problem_of, settings_of
from updater.forge.address import ForgeKind
from updater.settings.forges import ProposalSettings

PLAIN = "{url: https://git.example.org/fleet.git}"


def proposed(text: str) -> str:
    return SUBSCRIPTION.replace(PLAIN, f"{{url: https://git.example.org/fleet.git, {text}}}")


@pytest.mark.parametrize("text", ["proposal: {}", "proposal: null", "proposal: {per: destination, title: null}"])
def test_a_proposal_needs_nothing_but_its_name(text):
    (target,) = settings_of(proposed(text)).subscriptions[0].targets
    assert target.git.proposal == ProposalSettings()


def test_without_it_nothing_is_proposed():
    assert settings_of(SUBSCRIPTION).subscriptions[0].targets[0].git.proposal is None


@pytest.mark.parametrize(
    "text",
    [
        "per: subscription",
        "per: group",
        "branch: x",
        "title: x",
        "labels: [a]",
        "reviewers: [a]",
        "assignees: [a]",
        "draft: true",
        "auto_merge: never",
        "limit: 3",
    ],
)
def test_what_this_version_does_not_do_is_refused_by_name(text):
    problem = problem_of(proposed(f"proposal: {{{text}}}"))
    assert (problem.code, "not in this version" in problem.message) == ("not-yet", True)
    assert f"proposal.{text.partition(':')[0]}" in problem.message
    assert problem.hint


def test_a_push_branch_and_a_pull_request_are_one_too_many():
    problem = problem_of(proposed("push: updates, proposal: {}"))
    assert (problem.code, problem.hint) == ("conflict", "take push: out; the pull request has a branch of its own")


def test_a_forge_is_named_by_kind_api_and_token():
    text = "{kind: gitea, api: 'https://git.example.org/git/api/v1/', token: 'env:TOKEN'}"
    made = settings_of(f"git: {{repositories: [{{prefix: 'https://git.example.org/', forge: {text}}}]}}")
    found = made.repository_for("https://git.example.org/fleet.git").forge
    assert (found.kind, found.api, str(found.token)) == (ForgeKind.GITEA, "https://git.example.org/git/api/v1", "env:TOKEN")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("kind: gitlab", "bad-value"),
        ("api: 'ftp://x/'", "url"),
        ("api: 'https://a:b@x/'", "secret"),
        ("token: x", "credential-ref"),
    ],
)
def test_a_forge_that_cannot_be_is_refused(text, code):
    problem = problem_of(f"git: {{repositories: [{{prefix: 'https://a/', forge: {{{text}}}}}]}}")
    assert problem.code == code
