"""How a forge is named: kind, API and token."""

from __future__ import annotations

import pytest

from tests.settings.making import problem_of, settings_of
from updater.forge.address import ForgeKind


def test_a_forge_is_named_by_kind_api_and_token():
    text = "{kind: gitea, api: 'https://git.example.org/git/api/v1/', token: 'env:TOKEN'}"
    made = settings_of(f"git: {{repositories: [{{prefix: 'https://git.example.org/', forge: {text}}}]}}")
    found = made.repository_for("https://git.example.org/fleet.git").forge
    assert (found.kind, found.api, str(found.token)) == (ForgeKind.GITEA, "https://git.example.org/git/api/v1", "env:TOKEN")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("kind: sourcehut", "bad-value"),
        ("api: 'ftp://x/'", "url"),
        ("api: 'https://a:b@x/'", "secret"),
        ("token: x", "credential-ref"),
    ],
)
def test_a_forge_that_cannot_be_is_refused(text, code):
    problem = problem_of(f"git: {{repositories: [{{prefix: 'https://a/', forge: {{{text}}}}}]}}")
    assert problem.code == code


APP = "github_app: {id: 12, installation: 34, key: 'env:APP_KEY'}"


def test_a_github_app_says_that_the_forge_is_github():
    made = settings_of(f"git: {{repositories: [{{prefix: 'git@git.example.org:', forge: {{{APP}}}}}]}}")
    assert made.repository_for("git@git.example.org:o/fleet.git").forge.said_kind is ForgeKind.GITHUB


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (f"token: 'env:T', {APP}", "conflict", "token and github_app are both set"),
        (f"kind: gitlab, {APP}", "conflict", "cannot be shown to gitlab"),
        ("github_app: {id: 12, key: 'env:APP_KEY'}", "github-app", "names the installation"),
    ],
)
def test_a_github_app_is_the_only_credential_and_for_github_alone(text, code, words):
    problem = problem_of(f"git: {{repositories: [{{prefix: 'https://a/', forge: {{{text}}}}}]}}")
    assert (problem.code, words in problem.message) == (code, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("forge: {kind: gitea, commits: api}", "not known of gitea"),
        ("forge: {commits: api}, push_options: [ci.skip]", "push_options and forge.commits: api"),
    ],
)
def test_commits_by_the_api_are_for_github_and_without_push_options(text, words):
    problem = problem_of(f"git: {{repositories: [{{prefix: 'https://a/', {text}}}]}}")
    assert (problem.code, words in problem.message) == ("conflict", True)
