"""Which token is shown to which server, and by which credential a job pushes."""

from __future__ import annotations

import base64

import pytest

from updater.checkout.forge_access import ForgeConfiguration, RemoteForge
from updater.errors import ConfigError, ForgeError
from updater.forge.address import ForgeKind
from updater.git.access import GitAccess
from updater.model.credential import Credential

GITHUB = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": "https://api.github.com", "GITHUB_TOKEN": "job"}
GITEA = {
    "GITEA_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://git.example.org:3000",
    "GITHUB_API_URL": "https://git.example.org:3000/api/v1",
    "GITHUB_TOKEN": "job",
}
GITLAB = {"GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.example.org", "CI_JOB_TOKEN": "job", "GITLAB_TOKEN": "mine"}
BASIC = base64.b64encode(b"x-access-token:left").decode()


def token(url, environment, asked=None, access=None):
    """The token for *url*, None where there is none."""
    forge = RemoteForge(url, environment, asked or ForgeConfiguration(kind=ForgeKind.GITHUB if "ghe" in url else None))
    try:
        return forge.shown(forge.kind, access or GitAccess()).token
    except ForgeError as error:
        if error.code != "forge-token":
            raise
        return None


@pytest.mark.parametrize(
    ("url", "environment", "found"),
    [
        ("https://github.com/o/fleet.git", GITHUB, "job"),
        ("git@github.com:o/fleet.git", GITHUB, "job"),
        ("https://github.com/o/fleet.git", GITHUB | {"GH_TOKEN": "mine"}, "mine"),
        ("https://github.com/o/fleet.git", GITHUB | {"UPDATER_FORGE_TOKEN": "named"}, "named"),
        ("https://github.com/o/fleet.git", {"GITHUB_TOKEN": "shell"}, "shell"),
        ("https://ghe.example.org/o/fleet.git", GITHUB, None),
        ("https://ghe.example.org/o/fleet.git", GITHUB | {"GH_ENTERPRISE_TOKEN": "mine"}, "mine"),
        ("https://ghe.example.org/o/fleet.git", {"GITHUB_TOKEN": "shell", "GH_TOKEN": "shell"}, None),
        ("https://github.com/o/fleet.git", GITEA, None),
        ("https://git.example.org:3000/o/fleet.git", GITEA, "job"),
        ("https://codeberg.org/o/fleet.git", GITEA, None),
        ("https://codeberg.org/o/fleet.git", GITHUB | {"GITEA_TOKEN": "mine"}, "mine"),
        ("https://gitlab.example.org/o/fleet.git", GITLAB, "mine"),
        ("https://gitlab.com/o/fleet.git", GITLAB, None),
        ("https://gitlab.com/o/fleet.git", GITHUB | {"GITLAB_TOKEN": "mine"}, "mine"),
        ("https://gitlab-ci-token:job@gitlab.com/o/fleet.git", {"CI_JOB_TOKEN": "job"}, None),
        ("https://x:url@gitlab.com/o/fleet.git", {}, "url"),
        ("https://github.com/o/fleet.git", {"GITHUB_TOKEN": "two words"}, None),
    ],
)
def test_a_token_is_shown_to_the_server_that_it_was_made_for(url, environment, found):
    assert token(url, environment) == found


def test_a_token_of_the_configuration_comes_before_those_of_jobs():
    assert token("https://github.com/o/fleet.git", GITHUB, ForgeConfiguration(token="configured")) == "configured"


@pytest.mark.parametrize(
    ("access", "found"),
    [
        (GitAccess(credential=Credential(username="x", password="git")), "git"),
        (GitAccess(headers=(("AUTHORIZATION", f"basic {BASIC}"),)), "left"),
        (GitAccess(headers=(("Authorization", "Bearer bare"),)), "bare"),
        (GitAccess(headers=(("Authorization", "basic ???"),)), None),
    ],
)
def test_without_a_variable_it_is_what_git_is_shown(access, found):
    assert token("https://github.com/o/fleet.git", {}, access=access) == found
    assert token("git@github.com:o/fleet.git", {}, access=access) is None


def test_the_hint_of_a_gitlab_job_says_that_its_own_token_cannot_do_it():
    forge = RemoteForge("https://gitlab.example.org/o/fleet.git", GITLAB | {"GITLAB_TOKEN": ""})
    with pytest.raises(ForgeError) as caught:
        forge.shown(ForgeKind.GITLAB, GitAccess())
    assert "CI_JOB_TOKEN may not write merge requests" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "environment", "password"),
    [
        ("https://gitlab-ci-token:job@gitlab.example.org/o/fleet.git", GITLAB, "mine"),
        ("https://gitlab.example.org/o/fleet.git", GITLAB, "mine"),
        ("https://somebody:else@gitlab.example.org/o/fleet.git", GITLAB, None),
        ("https://gitlab.com/o/fleet.git", GITLAB, None),
        ("https://gitlab.example.org/o/fleet.git", GITLAB | {"GITLAB_TOKEN": ""}, None),
    ],
)
def test_a_gitlab_job_pushes_by_the_token_that_may_push(url, environment, password):
    shown = RemoteForge(url, environment).pushing(GitAccess()).credential
    assert (shown.password if shown else None) == password


@pytest.mark.parametrize(
    ("url", "environment", "kind", "api"),
    [
        ("https://git.example.org:3000/o/fleet.git", GITEA, "gitea", "https://git.example.org:3000/api/v1"),
        ("https://git.example.org:3001/o/fleet.git", GITEA, None, None),
        ("https://gitlab.example.org/a/b/fleet.git", GITLAB, "gitlab", "https://gitlab.example.org/api/v4"),
        ("https://scm.example.org/o/fleet.git", {"UPDATER_FORGE_KIND": "gitea"}, "gitea", "https://scm.example.org/api/v1"),
        ("https://scm.example.org/o/f.git", {"UPDATER_FORGE_API": "https://x.org/api/v3"}, "github", "https://x.org/api/v3"),
        ("/srv/fleet.git", {}, None, None),
    ],
)
def test_the_forge_is_that_of_the_variables_the_job_or_the_host(url, environment, kind, api):
    forge = RemoteForge(url, environment)
    assert forge.kind == kind
    if kind is not None:
        assert forge.repository(forge.kind).api == api


def test_an_unknown_kind_is_refused_with_those_that_are_known():
    with pytest.raises(ConfigError) as caught:
        _ = RemoteForge("https://x.example.org/o/f.git", {"UPDATER_FORGE_KIND": "sourceforge"}).kind
    assert "gitea" in caught.value.hint
