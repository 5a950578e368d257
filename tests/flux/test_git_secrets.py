"""Promises about the Secrets of a GitRepository: each key opens what it opens under Flux, and each fault names Secret and key."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.git_server import Authority, BareRepository, GitServer
from tests.fakes.github_apps import GithubApps, app_key, pem_of
from tests.fakes.ssh_server import SshServer, make_key
from tests.fakes.still_time import StillTime
from tests.real.parts import require
from updater.credentials.github_app import InstallationTokens
from updater.errors import ConfigError, GitDenied, GitError
from updater.flux.git_secrets import read_login
from updater.flux.secret_reader import SecretContent
from updater.git.access import GitAccess, authorization, parse_address
from updater.git.mirror import Mirror
from updater.http.client import HttpClient
from updater.http.exchange import Connection

CASES = {case["id"]: case for case in json.loads((Path(__file__).parent / "cases_git.json").read_text())}
HTTPS = "https://git.example.org/fleet.git"
SSH = "ssh://git@git.example.org/fleet.git"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
APP = {"githubAppID": "12", "githubAppPrivateKey": KEY}


def secret(**data):
    return SecretContent(place="ns/login", data={name.replace("__", "."): text.encode() for name, text in data.items()})


def keyed(data):
    return SecretContent(place="ns/login", data={name: text.encode() for name, text in data.items()})


def login(url, data=None, **options):
    return read_login(url, keyed(data) if data is not None else None, **options)


def header(url, data):
    access = login(url, data).access
    return authorization(access, parse_address(url))


def test_user_name_and_password_go_as_basic_and_lose_the_line_end_of_echo():
    assert header(HTTPS, {"username": "bot\n", "password": "pw\n"}) == header("https://bot:pw@git.example.org/fleet.git", {})


def test_what_the_secret_does_not_have_of_a_pair_comes_from_the_url():
    assert header("https://bot@git.example.org/x.git", {"password": "pw"}) == header(HTTPS, {"username": "bot", "password": "pw"})


def test_a_bearer_token_goes_as_one():
    assert header(HTTPS, {"bearerToken": "token"}) == "Bearer token"


def test_plain_http_takes_credentials_as_under_flux():
    assert header("http://git.example.org/x.git", {"bearerToken": "token"}) == "Bearer token"


@pytest.mark.parametrize(
    ("url", "data", "options", "words"),
    [
        pytest.param(HTTPS, {"username": "a", "password": "b", "bearerToken": "c"}, {}, "bearerToken", id="flux-346"),
        pytest.param(SSH, {}, {}, "identity", id="flux-326"),
        pytest.param(SSH, {"identity": KEY}, {}, "known_hosts", id="flux-326-known-hosts"),
        (HTTPS, {"password": "b"}, {}, "username"),
        (HTTPS, {"tls.crt": PEM}, {}, "tls.key"),
        (HTTPS, {"tls.key": KEY}, {}, "tls.crt"),
        (HTTPS, {"tls.crt": "none", "tls.key": "none"}, {}, "PEM"),
        (HTTPS, {"ca.crt": "none"}, {}, "ca.crt"),
        (HTTPS, {"githubAppPrivateKey": KEY}, {"provider": "github"}, "githubAppID"),
        (HTTPS, {"githubAppID": "12"}, {"provider": "github"}, "githubAppPrivateKey"),
        (HTTPS, APP, {"provider": "github"}, "githubAppInstallationID nor githubAppInstallationOwner"),
        (HTTPS, {**APP, "githubAppInstallationID": "34"}, {}, "the provider is generic"),
        (HTTPS, {}, {"proxy": keyed({"username": "u"})}, "address"),
        (HTTPS, {}, {"proxy": keyed({"address": "ftp://proxy:21"})}, "address"),
        (HTTPS, {}, {"proxy": keyed({"address": "http://"})}, "address"),
    ],
)
def test_a_fault_names_the_secret_and_the_key(url, data, options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        login(url, data, **options)
    assert caught.value.code == "credential-secret"
    assert "ns/login" in caught.value.message
    assert caught.value.hint


def test_a_value_that_is_no_text_is_named_and_not_shown():
    given = SecretContent(place="ns/login", data={"password": b"\xff\xfesecret", "username": b"u"})
    with pytest.raises(ConfigError, match="password") as caught:
        read_login(HTTPS, given)
    assert "secret" not in caught.value.message.replace("Secret", "")


@pytest.mark.parametrize("url", [SSH, HTTPS])
def test_without_a_secret_https_is_anonymous_and_ssh_is_refused(url):
    if url == HTTPS:
        assert login(url).access == GitAccess()
        return
    with pytest.raises(ConfigError, match="secretRef"):
        login(url)


@pytest.mark.parametrize("provider", ["aws", "azure", "gcp"])
def test_flux_325_providers_of_clouds_are_an_error_that_says_what_works(provider):
    assert CASES["flux-325"]["expected"] == "error"
    with pytest.raises(ConfigError, match=provider) as caught:
        login(HTTPS, {}, provider=provider)
    assert caught.value.code == "credential-unsupported"


def test_a_github_app_behind_a_socks_proxy_is_refused_with_what_works():
    given = {**APP, "githubAppInstallationID": "34"}
    with pytest.raises(ConfigError, match="SOCKS") as caught:
        login(HTTPS, given, provider="github", proxy=keyed({"address": "socks5://proxy:1080"}))
    assert caught.value.code == "credential-unsupported"


def test_a_socks4_proxy_is_an_error_of_its_own():
    with pytest.raises(ConfigError, match="socks4") as caught:
        login(HTTPS, {}, proxy=keyed({"address": "socks4://proxy:1080"}))
    assert (caught.value.code, "socks5" in caught.value.hint) == ("proxy-unsupported", True)


def test_authorities_may_have_comments_before_them_as_bundles_do():
    assert login(HTTPS, {"ca.crt": f"# Acme Root\n{PEM}"}).access.ca == f"# Acme Root\n{PEM}".encode()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"address": "http://proxy:3128"}, "http://proxy:3128"),
        ({"address": "socks5://proxy:1080", "username": "u@x", "password": "p:w/"}, "socks5://u%40x:p%3Aw%2F@proxy:1080"),
        ({"address": "https://old@proxy", "username": "u"}, "https://u:@proxy"),
        ({"address": "http://proxy:3128", "password": "p"}, "http://:p@proxy:3128"),
    ],
)
def test_a_proxy_has_the_user_name_and_password_of_its_secret(given, url):
    access = login(HTTPS, {}, proxy=keyed(given)).access
    assert access.proxy == url
    assert "p:w/" not in repr(access)


def test_no_secret_shows_in_texts_about_it():
    made = login(HTTPS, {**APP, "githubAppInstallationID": "34", "tls.crt": PEM, "tls.key": KEY}, provider="github")
    assert "MIIB" not in repr(made)
    assert "pw" not in repr(secret(password="pw"))


@pytest.fixture
def repository(tmp_path):
    require("git-http-backend")
    return BareRepository.make(tmp_path / "served" / "fleet.git", {"a.yaml": b"a\n"})


async def look(url, access, folder):
    mirror = Mirror(url, folder, access)
    try:
        return (await mirror.look("main")).revision
    finally:
        await mirror.close()


@pytest.mark.real
async def test_a_server_with_a_client_certificate_and_a_password_is_reached(repository, tmp_path):
    authority = Authority(tmp_path)
    context = authority.context(authority.issue("server"), asks_client=True)
    pem = authority.issue("client").read_text()
    at = pem.index("-----BEGIN PRIVATE KEY")
    given = {
        "username": "bot",
        "password": "pw",
        "caFile": authority.ca.read_text(),
        "tls.crt": pem[:at],
        "tls.key": pem[at:],
    }
    with GitServer(repository.path.parent, basic=("bot", "pw"), tls=context) as server:
        url = server.url("fleet.git")
        access = login(url, given).access
        assert await look(url, access, tmp_path / "mirror") == repository.head()
        wrong = replace(access, credential=None)
        with pytest.raises(GitDenied, match="Secret ns/login"):
            await look(url, wrong, tmp_path / "mirror")


@pytest.mark.real
async def test_ssh_is_reached_by_a_locked_identity_and_its_password(repository, tmp_path):
    program = require("sshd")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    key = make_key(folder / "key", passphrase="open")
    with SshServer(folder, program, authorized=[folder / "key.pub"]) as server:
        url = server.url(repository.path)
        given = {"identity": key.decode(), "known_hosts": server.known_hosts.decode(), "password": "open\n"}
        access = login(url, given).access
        assert await look(url, access, tmp_path / "mirror") == repository.head()
        locked = login(url, {**given, "password": ""}).access
        with pytest.raises(GitError) as caught:
            await look(url, locked, tmp_path / "mirror")
        assert caught.value.code == "ssh-key"


@pytest.fixture
async def tokens():
    still = StillTime()
    async with HttpClient(surroundings=still.surroundings()) as http:
        yield InstallationTokens(http, clock=still.clock, wall=still.wall), still


@pytest.mark.parametrize("kind", ["orgs", "users"])
async def test_a_github_app_is_found_by_the_owner_of_its_installation(tokens, kind):
    given, still = tokens
    async with GithubApps(wall=still.wall) as github:
        github.owners = {f"{kind}/acme": 34}
        data = {"githubAppID": "12", "githubAppPrivateKey": pem_of(app_key()), "githubAppInstallationOwner": "acme"}
        login = read_login(HTTPS, keyed({**data, "githubAppBaseURL": github.url}), provider="github")
        app = replace(login.app, connection=Connection(insecure=True))  # the fake speaks plain HTTP
        access = await replace(login, app=app).completed(given)
        assert access.credential.password == "ghs_34_0"
        assert access.credential.username == "x-access-token"
        assert await given.token(app) == "ghs_34_0"


async def test_an_owner_without_an_installation_is_told(tokens):
    given, still = tokens
    async with GithubApps(wall=still.wall) as github:
        data = {"githubAppID": "12", "githubAppPrivateKey": pem_of(app_key()), "githubAppInstallationOwner": "acme"}
        login = read_login(HTTPS, keyed({**data, "githubAppBaseURL": github.url}), provider="github")
        with pytest.raises(GitDenied, match="installation acme"):
            await given.token(replace(login.app, connection=Connection(insecure=True)))
        with pytest.raises(ConfigError, match="owner"):
            await given.token(replace(login.app, owner="a/../b"))
