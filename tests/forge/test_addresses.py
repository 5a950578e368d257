"""Which forge a Git URL lies on, where its API answers, and what the repository is called there."""

from __future__ import annotations

import pytest

from updater.errors import ForgeError
from updater.forge.address import ForgeKind, check_repository, kind_of_api, locate_repository


@pytest.mark.parametrize(
    ("url", "kind", "api", "path"),
    [
        ("https://github.com/o/fleet.git", None, "https://api.github.com", "o/fleet"),
        ("https://user@github.com/o/fleet", None, "https://api.github.com", "o/fleet"),
        ("git@github.com:o/fleet.git", None, "https://api.github.com", "o/fleet"),
        ("ssh://git@ssh.github.com:443/o/fleet.git", None, "https://api.github.com", "o/fleet"),
        ("https://acme.ghe.com/o/fleet", None, "https://api.acme.ghe.com", "o/fleet"),
        ("ssh://git@codeberg.org:22/o/fleet.git/", None, "https://codeberg.org/api/v1", "o/fleet"),
        ("https://git.example.org:8443/o/fleet", "github", "https://git.example.org:8443/api/v3", "o/fleet"),
        ("http://git.example.org:3000/git/o/fleet.git", "gitea", "http://git.example.org:3000/git/api/v1", "o/fleet"),
        ("https://[::1]:3000/o/fleet", "gitea", "https://[::1]:3000/api/v1", "o/fleet"),
        ("https://gitea.com/o%20x/fl eet", None, "https://gitea.com/api/v1", "o%20x/fl%20eet"),
        ("https://gitlab.com/group/fleet.git", None, "https://gitlab.com/api/v4", "group%2Ffleet"),
        ("git@gitlab.com:group/sub/deep/fleet.git", None, "https://gitlab.com/api/v4", "group%2Fsub%2Fdeep%2Ffleet"),
        ("ssh://git@altssh.gitlab.com:443/group/fleet.git", None, "https://gitlab.com/api/v4", "group%2Ffleet"),
        ("http://git.example.org:8929/g/s/fleet", "gitlab", "http://git.example.org:8929/api/v4", "g%2Fs%2Ffleet"),
        ("https://anna@bitbucket.org/team/fleet.git", None, "https://api.bitbucket.org/2.0", "team/fleet"),
        ("git@bitbucket.org:team/fleet.git", None, "https://api.bitbucket.org/2.0", "team/fleet"),
        (
            "https://git.example.org/scm/ops/fleet.git",
            "bitbucket-server",
            "https://git.example.org/rest/api/1.0",
            "projects/ops/repos/fleet",
        ),
        (
            "https://git.example.org/bitbucket/scm/~anna/fleet.git",
            "bitbucket-server",
            "https://git.example.org/bitbucket/rest/api/1.0",
            "projects/~anna/repos/fleet",
        ),
        (
            "ssh://git@git.example.org:7999/~anna/fleet.git",
            "bitbucket-server",
            "https://git.example.org/rest/api/1.0",
            "projects/~anna/repos/fleet",
        ),
        ("https://dev.azure.com/acme/ops/_git/fleet", None, "https://dev.azure.com/acme", "ops/fleet"),
        ("https://acme@dev.azure.com/acme/my%20ops/_git/fleet", None, "https://dev.azure.com/acme", "my%20ops/fleet"),
        ("https://dev.azure.com/acme/_git/fleet", None, "https://dev.azure.com/acme", "fleet/fleet"),
        ("https://dev.azure.com/acme/ops/_git/_optimized/fleet", None, "https://dev.azure.com/acme", "ops/fleet"),
        ("https://acme.visualstudio.com/ops/_git/fleet", None, "https://acme.visualstudio.com", "ops/fleet"),
        ("https://acme.visualstudio.com/DefaultCollection/ops/_git/fleet", None, "https://acme.visualstudio.com", "ops/fleet"),
        ("https://acme.visualstudio.com/_git/fleet", None, "https://acme.visualstudio.com", "fleet/fleet"),
        ("git@ssh.dev.azure.com:v3/acme/ops/fleet", None, "https://dev.azure.com/acme", "ops/fleet"),
        ("ssh://git@ssh.dev.azure.com/v3/acme/ops/fleet", None, "https://dev.azure.com/acme", "ops/fleet"),
        ("acme@vs-ssh.visualstudio.com:v3/acme/ops/fleet", None, "https://acme.visualstudio.com", "ops/fleet"),
        ("https://tfs.example.org/tfs/Main/ops/_git/fleet", None, "https://tfs.example.org/tfs/Main", "ops/fleet"),
        ("https://tfs.example.org/Main/_git/fleet", None, "https://tfs.example.org/Main", "fleet/fleet"),
        ("ssh://tfs.example.org:22/Main/ops/_git/fleet", None, "https://tfs.example.org/Main", "ops/fleet"),
    ],
)
def test_the_api_of_a_repository_follows_from_its_url(url, kind, api, path):
    found = locate_repository(url, kind=ForgeKind(kind) if kind else None)
    assert (found.api, found.path) == (api, path)


@pytest.mark.parametrize(
    ("url", "kind", "code"),
    [
        ("https://git.example.org/o/fleet", None, "forge-unknown"),
        ("/srv/git/fleet.git", None, "forge-unknown"),
        ("https://github.com/fleet.git", None, "forge-path"),
        ("https://github.com:x/o/fleet.git", None, "forge-unknown"),
        ("/srv/git/fleet.git", "gitea", "forge-path"),
        ("https://gitlab.com/fleet", None, "forge-path"),
        ("https://bitbucket.org/team/project/fleet", None, "forge-path"),
        ("https://git.example.org/fleet", "bitbucket-server", "forge-path"),
        ("https://dev.azure.com/acme/fleet", None, "forge-path"),
        ("git@ssh.dev.azure.com:v3/acme/fleet", None, "forge-path"),
    ],
)
def test_a_repository_of_no_known_forge_is_refused_with_what_to_write(url, kind, code):
    with pytest.raises(ForgeError) as caught:
        locate_repository(url, kind=ForgeKind(kind) if kind else None)
    assert caught.value.code == code
    assert caught.value.hint


def test_an_api_that_is_named_wins_over_the_host_and_often_says_the_kind():
    found = locate_repository("git@ssh.example.org:g/fleet.git", kind=ForgeKind.GITLAB, api="https://git.example.org/api/v4/")
    assert (found.api, str(found)) == ("https://git.example.org/api/v4", "git.example.org/g/fleet")
    assert kind_of_api("https://git.example.org/api/v4/") is ForgeKind.GITLAB
    assert kind_of_api("https://git.example.org/bb/rest/api/1.0") is ForgeKind.BITBUCKET_SERVER
    assert kind_of_api("https://git.example.org/other") is None


@pytest.mark.parametrize("url", ["/srv/git/fleet.git", "file:///srv/git/fleet.git"])
def test_a_folder_is_named_as_what_has_no_pull_requests(url):
    with pytest.raises(ForgeError, match=f"^{url} is a folder: pull requests need a repository on a forge"):
        locate_repository(url)


def test_a_host_that_can_be_asked_is_no_mistake_of_the_configuration():
    check_repository("https://git.example.org/o/fleet")
    for url, code in [("/srv/git/o/fleet", "forge-unknown"), ("https://git.example.org/fleet", "forge-path")]:
        with pytest.raises(ForgeError) as caught:
            check_repository(url)
        assert caught.value.code == code
