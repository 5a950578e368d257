"""What the settings of a Git repository become: the credential in the form its text has."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.engine.making import git_branch, ref
from tests.fakes.github_apps import GithubApps, app_key, pem_of
from updater.credentials.github_app import App, InstallationTokens
from updater.credentials.keychain import Keychain
from updater.daemon.components import git_access
from updater.daemon.git_access import RenewingWriter, access_for
from updater.errors import ConfigError, ForgeError, GitDenied, GitError, GitUnavailable, UpdaterError
from updater.git.access import GitAccess
from updater.http.client import HttpClient
from updater.http.exchange import Connection
from updater.model.credential import Credential
from updater.model.view import View
from updater.settings import build_settings

CONFIGURATION = b"""\
git:
  repositories:
    - {prefix: "https://git.test/", credentials: "env:GIT_SECRET", proxy: "http://proxy.test:3128"}
subscriptions: []
"""


@pytest.mark.parametrize(
    ("text", "username", "password", "token"),
    [
        pytest.param("me:secret", "me", "secret", "", id="user-and-password"),
        pytest.param("ghp_token", "", "ghp_token", "", id="token"),
        pytest.param("Bearer abc.def", "", "", "abc.def", id="bearer"),
    ],
)
async def test_a_credential_is_read_by_its_form(text, username, password, token):
    settings = build_settings([("updater.yaml", CONFIGURATION)], {})
    keychain = Keychain(environment={"GIT_SECRET": text}, docker_configs=[])
    access = await access_for("https://git.test/fleet.git", settings, keychain)
    known = access.credential
    assert (known.username, known.password, known.registry_token, access.proxy) == (
        username,
        password,
        token,
        "http://proxy.test:3128",
    )


async def test_a_private_key_is_a_key_and_no_password():
    settings = build_settings([("updater.yaml", CONFIGURATION)], {})
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----"
    access = await access_for(
        "https://git.test/fleet.git", settings, Keychain(environment={"GIT_SECRET": key}, docker_configs=[])
    )
    assert (access.credential, access.private_key) == (None, key.encode() + b"\n")


async def test_a_locked_key_comes_with_its_passphrase():
    more = CONFIGURATION.replace(b'"env:GIT_SECRET",', b'"env:GIT_SECRET", passphrase: "env:WORD",')
    settings = build_settings([("updater.yaml", more)], {})
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----"
    keychain = Keychain(environment={"GIT_SECRET": key, "WORD": "opens it"}, docker_configs=[])
    assert (await access_for("https://git.test/fleet.git", settings, keychain)).passphrase == "opens it"


async def test_push_options_go_along_with_any_credentials():
    more = CONFIGURATION.replace(b'"env:GIT_SECRET",', b'"env:GIT_SECRET", push_options: [ci.skip, "topic=a b"],')
    settings = build_settings([("updater.yaml", more)], {})
    keychain = Keychain(environment={"GIT_SECRET": "token"}, docker_configs=[])
    assert (await access_for("https://git.test/fleet.git", settings, keychain)).push_options == ("ci.skip", "topic=a b")
    with pytest.raises(ConfigError) as caught:
        build_settings([("updater.yaml", more.replace(b"topic=a b", b"topic=a\\nb"))], {})
    assert caught.value.code == "push-options"


async def test_the_token_of_a_github_app_is_the_credential_and_is_renewed_after_a_refusal():
    async with GithubApps() as github, HttpClient() as http:
        entry = f'{{id: 12, installation: 34, key: "env:APP_KEY", api: "{github.url}"}}'
        lines = CONFIGURATION.decode().replace(
            'credentials: "env:GIT_SECRET"', f"github_app: {entry}, insecure_skip_verify: true"
        )
        settings = build_settings([("updater.yaml", lines.replace(', proxy: "http://proxy.test:3128"', "").encode())], {})
        keychain = Keychain(environment={"APP_KEY": pem_of(app_key())}, docker_configs=[])
        now = [0.0]
        tokens = InstallationTokens(http, clock=lambda: now[0])
        access = git_access(settings, SimpleNamespace(http=http, keychain=keychain), None, None, tokens)
        shown = [(await access("https://git.test/fleet.git", None)).credential for _ in range(2)]
        assert [(item.username, item.password) for item in shown] == [("x-access-token", github.tokens[0])] * 2
        now[0] = 60.0
        writer = RenewingWriter(Refusing(GitDenied("refused", code="git-denied")), tokens=tokens)
        with pytest.raises(GitDenied):
            await writer.look(git_branch("https://git.test/fleet.git"), ())
        assert (await access("https://git.test/fleet.git", None)).credential.password == github.tokens[1]
        assert (await access("https://elsewhere.test/fleet.git", None)).credential is None


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("github_app: {id: 12, key: 'env:K'}", "github-app"),
        ("github_app: {id: 12, installation: 34, owner: acme, key: 'env:K'}", "github-app"),
        ("credentials: 'env:C', github_app: {id: 12, installation: 34, key: 'env:K'}", "conflict"),
    ],
)
def test_a_github_app_names_one_installation_and_is_the_only_credential(more, code):
    text = f"git:\n  repositories:\n    - {{prefix: 'https://git.test/', {more}}}\nsubscriptions: []\n"
    with pytest.raises(ConfigError) as caught:
        build_settings([("updater.yaml", text.encode())], {})
    assert caught.value.code == code


async def test_where_nothing_is_given_the_user_is_asked_as_git_would_be(tmp_path):
    (tmp_path / "netrc").write_text("machine elsewhere.test login me password s3cret\nmachine git.test login me password wrong\n")
    settings = build_settings([("updater.yaml", CONFIGURATION)], {})
    keychain = Keychain(environment={"NETRC": str(tmp_path / "netrc"), "GIT_SECRET": "ghp_token"}, docker_configs=[])
    access = await access_for("https://elsewhere.test/fleet.git", settings, keychain)
    assert (access.credential.password, access.origin) == ("s3cret", str(tmp_path / "netrc"))
    assert (await access_for("https://git.test/fleet.git", settings, keychain)).credential.password == "ghp_token"
    assert (await access_for("git@elsewhere.test:fleet.git", settings, keychain)).use_agent


async def test_a_repository_without_an_entry_is_reached_as_anybody():
    settings = build_settings([("updater.yaml", CONFIGURATION)], {})
    access = await access_for("https://elsewhere.test/fleet.git", settings, Keychain(environment={}, docker_configs=[]))
    assert access.credential is None


ENTRY = b"""\
git:
  repositories:
    - {prefix: "https://git.test/", ENTRY}
subscriptions: []
"""
WAY = 'ca: /ca.pem, client_certificate: /me.pem, known_hosts: /hosts, proxy: "http://ours.test:1", insecure_skip_verify: true'
THEIRS = GitAccess(
    credential=Credential(username="argocd", password="theirs"),
    ca=b"ca",
    client_certificate=b"pem",
    known_hosts=b"hosts",
    proxy="http://theirs.test:1",
)
URL = "https://git.test/fleet.git"


@dataclass
class Cluster:
    """Knows one repository, and one Secret."""

    known: GitAccess | None = THEIRS
    asked: list = field(default_factory=list)

    async def access(self, url):
        self.asked.append(url)
        return self.known

    async def of_secret(self, namespace, name, url):
        self.asked.append((namespace, name, url))
        return replace(THEIRS, credential=Credential(username="secret", password=name))

    def expire(self):
        self.asked.append("expire")


async def reach(entry, *, credential="", repositories=None):
    text = ENTRY.replace(b"ENTRY", entry.encode()) if entry else b"subscriptions: []\n"
    settings = build_settings([("updater.yaml", text)], {})
    keychain = Keychain(environment={"GIT_SECRET": "me:ours"}, docker_configs=[])
    return await access_for(URL, settings, keychain, credential=ref(credential), repositories=repositories)


async def test_credentials_of_the_settings_win_over_what_a_cluster_knows():
    cluster = Cluster()
    access = await reach('credentials: "env:GIT_SECRET"', repositories=cluster)
    assert (access.credential.password, access.ca, cluster.asked) == ("ours", None, [])


async def test_a_secret_that_a_destination_names_wins_over_all():
    cluster = Cluster()
    access = await reach('credentials: "env:GIT_SECRET"', credential="secret:shop/git", repositories=cluster)
    assert (access.credential.password, cluster.asked) == ("git", [("shop", "git", URL)])


@pytest.mark.parametrize("credential", ["", "secret:shop/git"])
async def test_the_way_that_an_entry_says_holds_for_the_credentials_of_others(credential):
    access = await reach(WAY, credential=credential, repositories=Cluster())
    assert access.credential.password == ("git" if credential else "theirs")
    assert (access.ca, access.client_certificate, access.known_hosts) == (Path("/ca.pem"), Path("/me.pem"), Path("/hosts"))
    assert (access.proxy, access.insecure_skip_verify) == ("http://ours.test:1", True)


@pytest.mark.parametrize("entry", ["", "ca: null"])
async def test_without_a_say_of_the_settings_all_is_as_the_cluster_knows_it(entry):
    assert await reach(entry, repositories=Cluster()) == THEIRS


async def test_what_nobody_knows_is_reached_as_anybody():
    assert await reach("", repositories=Cluster(known=None)) == GitAccess()
    assert (await reach("ca: /ca.pem", repositories=Cluster(known=None))).ca == Path("/ca.pem")


async def test_a_named_secret_without_a_cluster_says_so():
    with pytest.raises(ConfigError, match="secret:shop/git needs a Kubernetes cluster") as caught:
        await reach("", credential="secret:shop/git")
    assert caught.value.code == "credential-secret"


@pytest.mark.parametrize("credential", ["env:GIT_SECRET", "secret:git", "secret:/git", "secret:shop/"])
async def test_a_destination_names_a_secret_or_nothing(credential):
    with pytest.raises(ConfigError) as caught:
        await reach("", credential=credential, repositories=Cluster())
    assert caught.value.code == "credential-ref"


class Refusing:
    """A writer that fails."""

    def __init__(self, error):
        self.error = error

    async def look(self, destination, subscriptions):
        raise self.error

    async def write(self, view, commits, *, is_dry):
        raise self.error


@pytest.mark.parametrize(
    ("error", "count"),
    [
        pytest.param(GitDenied("no"), 1, id="refused"),
        pytest.param(GitError("no", code="git-not-found"), 1, id="hidden"),
        pytest.param(ForgeError("no", code="forge-denied"), 1, id="refused-by-the-forge"),
        pytest.param(ForgeError("no", code="forge-unavailable"), 0, id="forge-unavailable"),
        pytest.param(GitUnavailable("no"), 0, id="unavailable"),
        pytest.param(GitError("no", code="branch-missing"), 0, id="another-failure"),
    ],
)
async def test_a_refusal_lets_secrets_be_read_anew_and_stays_a_refusal(error, count):
    cluster, branch = Cluster(), git_branch(url=URL)
    writer = RenewingWriter(Refusing(error), cluster)
    with pytest.raises(UpdaterError) as looked:
        await writer.look(branch, ())
    with pytest.raises(UpdaterError) as written:
        await writer.write(View(destination=branch, head=None, readings={}, problems={}, pending={}), (), is_dry=False)
    assert looked.value is written.value is error
    assert cluster.asked == ["expire"] * 2 * count


@pytest.mark.parametrize("credential", ["", "gitrepository:ns/fleet", "secret:ns/git"])
async def test_a_forge_that_refuses_the_token_of_an_app_gets_a_new_one_whoever_named_the_app(credential):
    now = [0.0]
    async with GithubApps() as apps, HttpClient() as http:
        tokens = InstallationTokens(http, clock=lambda: now[0])
        connection = Connection(insecure=True)
        app = App(identity="12", installation="34", private_key=pem_of(app_key()), base_url=apps.url, connection=connection)
        assert await tokens.token(app) == "ghs_34_0"
        now[0] += 10
        writer = RenewingWriter(Refusing(ForgeError("no", code="forge-denied")), tokens=tokens)
        with pytest.raises(ForgeError):
            await writer.look(git_branch(url=URL, credential=credential), ())
        assert await tokens.token(app) == "ghs_34_1"
