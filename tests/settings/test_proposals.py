"""What a target may ask of pull requests, and which branch and options it comes to."""

from __future__ import annotations

import pytest

from tests.settings.making import SUBSCRIPTION, problem_of, settings_of
from updater.errors import ConfigError
from updater.model.publishing import AutoMerge, Proposal, ProposalOptions
from updater.settings.proposals import ProposalPlace, ProposalSettings, proposal_of

PLAIN = "{url: https://git.example.org/fleet.git}"
NOTHING = ProposalSettings()
PLACE = ProposalPlace(key="argocd/shop/web", base="release/1", namespace="argocd")


def proposed(text: str, default: str = "{}") -> str:
    asked = SUBSCRIPTION.replace(PLAIN, f"{{url: https://git.example.org/fleet.git, {text}}}")
    return f"git: {{proposal: {default}}}\n{asked}"


def made(default: str = "{}", **asked) -> Proposal:
    return proposal_of(ProposalSettings(**asked), settings_of(proposed("proposal: {}", default)).git.proposal, PLACE)


@pytest.mark.parametrize("text", ["proposal: {}", "proposal: null", "proposal: {per: null, title: null}"])
def test_a_proposal_needs_nothing_but_its_name(text):
    (target,) = settings_of(proposed(text)).subscriptions[0].targets
    assert proposal_of(target.git.proposal, NOTHING, PLACE) == Proposal(
        "updater/release-1/argocd-shop-web", ProposalOptions(), "subscription argocd/shop/web"
    )


def test_without_it_nothing_is_proposed_whatever_the_defaults_are():
    made = settings_of(f"git: {{proposal: {{labels: [a]}}}}\n{SUBSCRIPTION}")
    assert made.subscriptions[0].targets[0].git.proposal is None


@pytest.mark.parametrize(
    ("asked", "branch", "part"),
    [
        ({"per": "subscription"}, "updater/release-1/argocd-shop-web", "subscription argocd/shop/web"),
        ({"per": "group", "group": "shop"}, "updater/release-1/shop", "group shop"),
        ({"group": "shop"}, "updater/release-1/shop", "group shop"),
        ({"per": "destination"}, "updater/release-1", ""),
        ({"branch": "bump/{{ .Namespace }}/{{ .Key }}@{{ .Base }}"}, "bump/argocd/argocd/shop/web@release/1", "subscription"),
        ({"branch": "bump {{ .Group }}..x", "group": "shop"}, "bump-shop-x", "group shop"),
    ],
)
def test_what_has_a_pull_request_of_its_own_has_a_branch_of_its_own(asked, branch, part):
    proposal = made(**asked)
    assert proposal.name == branch
    assert proposal.part.startswith(part)


def test_a_long_key_makes_a_branch_that_git_can_hold_and_that_no_other_key_makes():
    names = {proposal_of(NOTHING, NOTHING, ProposalPlace(key="a" * 300 + end, base="main")).name for end in ("x", "y")}
    assert len(names) == 2
    assert max(map(len, names)) < 150


def test_what_a_target_does_not_say_git_proposal_says():
    default = "{labels: [a], reviewers: [me], draft: true, auto_merge: minor, limit: 5, title: x, per: group, group: shop}"
    options = ProposalOptions(title="x", labels=("a",), reviewers=("me",), is_draft=True, auto_merge=AutoMerge.MINOR, limit=5)
    assert made(default) == Proposal("updater/release-1/shop", options, "group shop")
    said = made(default, labels=(), draft=False, auto_merge=AutoMerge.NEVER, limit=0, per="destination")
    assert said == Proposal("updater/release-1", ProposalOptions(title="x", reviewers=("me",)))


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("per: image", "bad-value", "per"),
        ("per: subscription, group: a", "conflict", "group"),
        ("group: 'a b'", "proposal-group", "group"),
        ("branch: 'x/{{ .Nothing }}'", "template-data", "branch"),
        ("branch: 'x/{{ .Key'", "template", "branch"),
        ("title: '{{ .Key'", "template", "title"),
        ("body: '{{ .Key'", "template", "body"),
        ("labels: ['a,b']", "proposal-label", "labels[0]"),
        (f"labels: [{'a' * 51}]", "proposal-label", "labels[0]"),
        ("reviewers: ['@me']", "proposal-account", "reviewers[0]"),
        ("assignees: ['a b']", "proposal-account", "assignees[0]"),
        ("draft: [1]", "wrong-type", "draft"),
        ("auto_merge: major", "bad-value", "auto_merge"),
        ("limit: -1", "bad-value", "limit"),
        ("lables: [a]", "unknown-key", "lables"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(text, code, place):
    problem = problem_of(proposed(f"proposal: {{{text}}}"))
    assert (problem.code, f"git.proposal.{place}" in problem.message, problem.line is not None) == (code, True, True)


def test_a_push_branch_and_a_pull_request_are_one_too_many():
    problem = problem_of(proposed("push: updates, proposal: {}"))
    assert (problem.code, problem.hint) == ("conflict", "take push: out; the pull request has a branch of its own")


@pytest.mark.parametrize(
    ("default", "asked", "code"),
    [
        ("{}", {"per": "group"}, "proposal-group"),
        ("{per: subscription}", {"group": "shop"}, "proposal-group"),
        ("{}", {"branch": "{{ .Base }}"}, "proposal-branch"),
        ("{}", {"branch": "{{ .Group }}"}, "proposal-branch"),
    ],
)
def test_what_names_no_branch_of_its_own_is_refused_with_a_hint(default, asked, code):
    with pytest.raises(ConfigError) as caught:
        made(default, **asked)
    assert caught.value.code == code
    assert caught.value.hint
