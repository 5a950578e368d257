"""Promises about GitHub Apps: a JWT that a server really verifies, a token that is shared and kept, and clear refusals."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.fakes.certificates import Authority
from tests.fakes.github_apps import GithubApps, app_key, pem_of
from tests.fakes.still_time import StillTime
from updater.credentials.github_app import MOST_TOKENS, App, InstallationTokens, signed_jwt
from updater.errors import ConfigError, GitDenied, GitError, GitUnavailable
from updater.http.client import HttpClient
from updater.http.exchange import Connection


@pytest.fixture
def still():
    return StillTime()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def github(authority, still):
    async with GithubApps(tls=authority.server_context(authority.issue("github")), wall=still.wall) as server:
        yield server


@pytest.fixture
async def tokens(still):
    async with HttpClient(surroundings=still.surroundings()) as http:
        yield InstallationTokens(http, clock=still.clock, wall=still.wall)


@pytest.fixture
def app(github, authority):
    connection = Connection(authority=authority.path.read_text())
    return App(identity="12", installation="34", private_key=pem_of(app_key()), base_url=github.url, connection=connection)


async def test_a_token_is_given_for_a_jwt_that_the_server_verifies(tokens, github, app):
    assert await tokens.token(app) == "ghs_34_0"
    (path, claims), *rest = github.asked
    assert (path, rest, claims["iss"]) == ("/app/installations/34/access_tokens", [], "12")


async def test_the_jwt_begins_a_minute_ago_and_holds_ten_minutes_in_all():
    text = signed_jwt("12", pem_of(app_key()), now=1_000_000)
    options = {"verify_exp": False, "verify_iat": False}
    assert jwt.get_unverified_header(text) == {"alg": "RS256", "typ": "JWT"}
    assert jwt.decode(text, app_key().public_key(), algorithms=["RS256"], options=options) == {
        "iat": 999_940,
        "exp": 1_000_540,
        "iss": "12",
    }


async def test_enterprise_is_asked_below_its_base_url(tokens, github, app):
    github.prefix = "/api/v3"
    assert await tokens.token(replace(app, base_url=f"{github.url}/")) == "ghs_34_0"
    assert github.asked[0][0] == "/api/v3/app/installations/34/access_tokens"


async def test_a_token_is_kept_until_five_minutes_before_its_end(tokens, github, app, still):
    await tokens.token(app)
    still.now += 3299
    assert await tokens.token(app) == "ghs_34_0"
    still.now += 2
    assert await tokens.token(app) == "ghs_34_1"


async def test_all_who_ask_at_one_time_share_one_token(tokens, github, app):
    github.gate.clear()
    asking = [asyncio.create_task(tokens.token(app)) for _ in range(20)]
    await github.arrived.wait()
    github.gate.set()
    assert set(await asyncio.gather(*asking)) == {"ghs_34_0"}
    assert len(github.asked) == 1


async def test_installations_have_tokens_of_their_own(tokens, github, app):
    github.installations["35"] = "12"
    assert await tokens.token(app) != await tokens.token(replace(app, installation="35"))


async def test_another_key_of_the_app_is_another_token_at_once(tokens, github, app):
    await tokens.token(app)
    github.apps["12"] = app_key(1)
    assert await tokens.token(replace(app, private_key=pem_of(app_key(1)))) == "ghs_34_1"


async def test_a_refused_token_is_asked_for_again_but_not_in_a_storm(tokens, github, app, still):
    await tokens.token(app)
    tokens.expire()
    assert await tokens.token(app) == "ghs_34_0"
    still.now += 5
    tokens.expire()
    assert await tokens.token(app) == "ghs_34_1"


async def test_no_more_than_a_thousand_tokens_are_kept(tokens, github, app):
    tokens._held.update(dict.fromkeys(range(MOST_TOKENS)))
    await tokens.token(app)
    assert len(tokens._held) == MOST_TOKENS
    assert app in tokens._held


@pytest.mark.parametrize("end", [None, 7, "soon", "2027-01-15T09:00:00", "9999-99-99T00:00:00Z"])
async def test_a_token_whose_end_is_not_said_is_used_once(tokens, github, app, end):
    github.answers = [web.json_response({"token": "a", "expires_at": end}, status=201)]
    assert await tokens.token(app) == "a"
    assert await tokens.token(app) == "ghs_34_0"


async def test_no_end_is_believed_beyond_an_hour(tokens, github, app, still):
    github.life = 10**8
    await tokens.token(app)
    still.now += 3301
    assert await tokens.token(app) == "ghs_34_1"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        pytest.param({"private_key": pem_of(app_key(1))}, "clock", id="a-foreign-key"),
        pytest.param({"identity": "13"}, "private key", id="another-app"),
        pytest.param({"installation": "99"}, "number of the installation", id="no-such-installation"),
    ],
)
async def test_what_github_refuses_is_said_with_a_hint(tokens, app, change, word):
    with pytest.raises(GitDenied) as caught:
        await tokens.token(replace(app, **change))
    assert caught.value.code == "github-app"
    assert word in caught.value.hint
    assert "GitHub App 1" in caught.value.message
    assert "PRIVATE KEY" not in caught.value.message


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        pytest.param(403, {}, GitDenied, id="suspended"),
        pytest.param(403, {"x-ratelimit-remaining": "0"}, GitUnavailable, id="rate-limited"),
        pytest.param(422, {}, GitDenied, id="unprocessable"),
        pytest.param(200, {}, GitDenied, id="no-api"),
        pytest.param(500, {}, GitUnavailable, id="down"),
        pytest.param(307, {"Location": "https://169.254.169.254/latest"}, GitError, id="a-redirect-into-a-private-network"),
    ],
)
async def test_every_answer_has_its_error(tokens, github, app, status, headers, kind):
    body = '{"message": "the words\\nof GitHub"}'
    github.answers = [web.Response(status=status, headers=headers, text=body) for _ in range(5)]
    with pytest.raises(GitError) as caught:
        await tokens.token(app)
    assert (type(caught.value), caught.value.code) == (kind, "github-app")
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"token": 7}', b'{"token": ""}', b'{"token": "a b"}'])
async def test_an_answer_without_a_token_is_no_token(tokens, github, app, body):
    github.answers = [web.Response(status=201, body=body)]
    with pytest.raises(GitError, match="holds none"):
        await tokens.token(app)


async def test_a_server_that_is_not_trusted_gets_no_jwt(tokens, github, app):
    with pytest.raises(GitError):
        await tokens.token(replace(app, connection=Connection()))
    assert github.asked == []


async def test_a_server_that_does_not_answer_is_unavailable(tokens, app):
    with pytest.raises(GitUnavailable):
        await tokens.token(replace(app, base_url="https://127.0.0.1:1"))


def _pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"private_key": ""}, id="no-key"),
        pytest.param({"private_key": "-----BEGIN RSA PRIVATE KEY-----\nsecret\n-----END RSA PRIVATE KEY-----"}, id="garbage"),
        pytest.param({"private_key": _pem(ec.generate_private_key(ec.SECP256R1()))}, id="an-elliptic-curve"),
        pytest.param({"private_key": _pem(rsa.generate_private_key(65537, 1024))}, id="a-short-key"),
        pytest.param({"identity": "Iv1.abc"}, id="app-is-no-number"),
        pytest.param({"installation": "34/../35"}, id="installation-is-no-number"),
        pytest.param({"base_url": "http://github.test"}, id="plain-http"),
        pytest.param({"base_url": "https://me@github.test"}, id="user-in-url"),
        pytest.param({"base_url": "https://github.test?x=1"}, id="query"),
        pytest.param({"base_url": "https://[::"}, id="no-url"),
        pytest.param({"base_url": "github.test"}, id="no-scheme"),
    ],
)
async def test_numbers_keys_and_urls_that_cannot_be_used_ask_nobody(tokens, github, app, change):
    with pytest.raises(ConfigError) as caught:
        await tokens.token(replace(app, **change))
    assert caught.value.code == "github-app"
    assert "secret" not in caught.value.message
    assert github.asked == []


async def test_nothing_secret_is_shown_by_repr(tokens, app):
    await tokens.token(app)
    assert "PRIVATE" not in repr(app)
    assert "ghs_" not in repr(tokens._held)


def test_a_base_url_that_is_none_has_no_host(app):
    assert replace(app, base_url="https://[::").host == ""
