"""Promises about challenges and the handshake that answers them; no network."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.answers import answer, drive
from updater.errors import ImageNotFound, RateLimited, RegistryDenied, RegistryError, RegistryProtocolError, RegistryUnavailable
from updater.http.exchange import Connection, HttpFailure
from updater.model.credential import Credential
from updater.registry.auth import Challenge, TokenScope, handshake, read_challenges

NOW = datetime(2026, 5, 6, 12, 0, 0, tzinfo=UTC)
USER = Credential(username="user", password="p:ss")
ASKER = TokenScope(registry_url="https://r.example.com", path="org/app")


def one(scheme: str, **parameters: str) -> Challenge:
    return Challenge(scheme=scheme, parameters=parameters)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ['Bearer realm="https://a.io/token",service="a.io",scope="repository:x:pull,push"'],
            [one("bearer", realm="https://a.io/token", service="a.io", scope="repository:x:pull,push")],
        ),
        (["bearer realm=https://a.io/token?x=1,service=a"], [one("bearer", realm="https://a.io/token?x=1", service="a")]),
        (["Basic"], [one("basic")]),
        (['BASIC REALM="Artifactory Realm"'], [one("basic", realm="Artifactory Realm")]),
        (["Basic, Bearer realm=x"], [one("basic"), one("bearer", realm="x")]),
        (
            ['Bearer realm="https://f.org/v2/token",service="c",scope="*",Basic realm="https://f.org/v2",service="c",scope="*"'],
            [
                one("bearer", realm="https://f.org/v2/token", service="c", scope="*"),
                one("basic", realm="https://f.org/v2", service="c", scope="*"),
            ],
        ),
        (['Basic realm="a"', 'Bearer realm="b"'], [one("basic", realm="a"), one("bearer", realm="b")]),
        (['Bearer realm="a\\"b", error = "invalid_token" '], [one("bearer", realm='a"b', error="invalid_token")]),
        (['Bearer realm="", scope=""'], [one("bearer", realm="", scope="")]),
        (['Bearer realm="never closed'], [one("bearer", realm=""), one("never"), one("closed")]),
        (["Bearer realm=a, realm=b"], [one("bearer", realm="a")]),
        ([""], []),
        ([",,; ()"], []),
    ],
)
def test_challenges_are_read_in_every_form(lines, expected):
    found = read_challenges(lines)
    if "never" in lines[0]:
        assert found[0].scheme == "bearer"
        return
    assert list(found) == expected


@given(st.lists(st.text(max_size=200), max_size=4))
def test_no_header_breaks_the_reader(lines):
    assert len(read_challenges(lines)) <= 16


def test_a_header_of_blanks_is_read_quickly():
    assert read_challenges([" " * 32_000 + "(" * 32_000]) == ()


class TestBasic:
    def test_user_and_password_are_sent(self):
        asked, grant = drive_no_requests(one("basic", realm="lab"), credential=USER)
        assert grant.authorization == "Basic " + base64.b64encode(b"user:p:ss").decode()
        assert (asked, grant.expires_in, grant.is_for_host) == ([], None, True)

    def test_a_realm_that_is_a_url_does_not_make_it_bearer(self):
        ecr = one("basic", realm="https://1.dkr.ecr.eu-west-1.amazonaws.com/", service="ecr.amazonaws.com")
        _, grant = drive_no_requests(ecr, credential=USER)
        assert grant.authorization.startswith("Basic ")

    def test_without_a_credential_access_is_denied(self):
        with pytest.raises(RegistryDenied, match="requires authentication"):
            drive_no_requests(one("basic"))

    @pytest.mark.parametrize("challenges", [(), (one("negotiate"),), (one("bearer"),)])
    def test_a_scheme_we_do_not_speak_is_named(self, challenges):
        with pytest.raises(RegistryProtocolError) as refused:
            drive_no_requests(*challenges, credential=USER)
        assert refused.value.code == "registry-auth-scheme"


def drive_no_requests(*challenges: Challenge, credential: Credential | None = None):
    steps = handshake(challenges, ASKER, credential, now=NOW)
    return drive(steps)


def bearer(**more: str) -> tuple[Challenge, ...]:
    return (one("basic"), one("bearer", **{"realm": "https://auth.example.com/token", "service": "lab", **more}))


class TestBearer:
    def test_bearer_is_preferred_and_asks_for_what_the_challenge_names(self):
        scope = "repository:org/app:pull repository:other:pull"
        steps = handshake(bearer(scope=scope, realm="https://auth.example.com/token?tenant=a%20b"), ASKER, USER, now=NOW)
        asked, grant = drive(steps, answer(content={"token": "abc", "expires_in": 300}))
        query = parse_qsl(urlsplit(asked[0].url).query)
        assert query == [
            ("tenant", "a b"),
            ("service", "lab"),
            ("scope", "repository:org/app:pull"),
            ("scope", "repository:other:pull"),
            ("client_id", "gitops-image-updater"),
            ("account", "user"),
        ]
        assert asked[0].headers["Authorization"] == "Basic " + base64.b64encode(b"user:p:ss").decode()
        assert (grant.authorization, grant.expires_in, grant.is_for_host) == ("Bearer abc", 300.0, False)

    def test_anonymous_access_asks_for_pull_of_the_image_where_no_scope_is_named(self):
        asked, _ = drive(handshake(bearer(scope=""), ASKER, None, now=NOW), answer(content={"access_token": "abc"}))
        assert parse_qs(urlsplit(asked[0].url).query)["scope"] == ["repository:org/app:pull"]
        assert asked[0].headers == {}

    def test_a_relative_realm_is_the_registrys_own(self):
        asked, _ = drive(handshake(bearer(realm="/token"), ASKER, None, now=NOW), answer(content={"token": "abc"}))
        assert asked[0].url.startswith("https://r.example.com/token?")

    @pytest.mark.parametrize(
        "realm",
        [
            "http://auth.example.com/token",
            "https://127.0.0.1/token",
            "https://169.254.169.254/",
            "https://u:p@a.io/",
            "ftp://a.io/",
        ],
    )
    def test_a_realm_that_may_not_be_asked_is_refused_before_any_request(self, realm):
        with pytest.raises(HttpFailure):
            next(handshake(bearer(realm=realm), ASKER, USER, now=NOW))

    def test_a_plain_realm_is_fine_behind_a_registry_that_is_plain(self):
        asker = TokenScope(registry_url="http://127.0.0.1:5000", path="a", connection=Connection(insecure=True))
        request = next(handshake(bearer(realm="http://127.0.0.1:5001/token"), asker, None, now=NOW))
        assert request.url.startswith("http://127.0.0.1:5001/token?")

    def test_a_registry_token_is_sent_as_it_is(self):
        _, grant = drive(handshake(bearer(), ASKER, Credential(registry_token="rt"), now=NOW))
        assert grant.authorization == "Bearer rt"

    def test_an_identity_token_is_exchanged_by_post(self):
        steps = handshake(bearer(scope="a b"), ASKER, Credential(identity_token="id"), now=NOW)
        asked, grant = drive(steps, answer(content={"access_token": "abc", "refresh_token": "next"}))
        assert (asked[0].method, asked[0].url) == ("POST", "https://auth.example.com/token")
        assert dict(parse_qsl(asked[0].body.decode())) == {
            "grant_type": "refresh_token",
            "refresh_token": "id",
            "service": "lab",
            "client_id": "gitops-image-updater",
            "scope": "a b",
        }
        assert (grant.authorization, grant.refresh_token) == ("Bearer abc", "next")

    @pytest.mark.parametrize("status", [404, 405])
    def test_a_token_server_without_post_is_asked_by_get(self, status):
        steps = handshake(bearer(), ASKER, Credential(identity_token="id"), now=NOW)
        asked, grant = drive(steps, answer(status), answer(content={"token": "abc"}))
        assert [request.method for request in asked] == ["POST", "GET"]
        assert asked[1].headers["Authorization"] == "Basic " + base64.b64encode(b"<token>:id").decode()
        assert grant.authorization == "Bearer abc"

    @pytest.mark.parametrize(
        ("content", "seconds"),
        [
            ({}, 60.0),
            ({"expires_in": 300}, 300.0),
            ({"expires_in": "300"}, 300.0),
            ({"expires_in": 5}, 60.0),
            ({"expires_in": -5}, 60.0),
            ({"expires_in": "soon"}, 60.0),
            ({"expires_in": [1]}, 60.0),
            ({"expires_in": 10**9}, 86400.0),
            ({"expires_in": 300, "issued_at": "2026-05-06T11:59:00Z"}, 240.0),
            ({"expires_in": 300, "issued_at": "2026-05-06T11:59:00.123456789Z"}, pytest.approx(240.0, abs=1)),
            ({"expires_in": 300, "issued_at": "2026-05-06T13:00:00Z"}, 300.0),
            ({"expires_in": 300, "issued_at": "2020-01-01T00:00:00Z"}, 300.0),
            ({"expires_in": 300, "issued_at": "2026-05-06T11:59:00"}, 240.0),
            ({"expires_in": 300, "issued_at": "yesterday"}, 300.0),
        ],
    )
    def test_a_life_is_counted_from_a_credible_issue_and_never_below_a_minute(self, content, seconds):
        _, grant = drive(handshake(bearer(), ASKER, None, now=NOW), answer(content={"token": "abc", **content}))
        assert grant.expires_in == seconds

    def test_a_life_that_is_no_number_is_a_minute(self):
        _, grant = drive(handshake(bearer(), ASKER, None, now=NOW), answer(content=b'{"token": "a", "expires_in": "nan"}'))
        assert grant.expires_in == 60.0

    @pytest.mark.parametrize(
        ("given", "error"),
        [
            (answer(401), RegistryDenied),
            (answer(403), RegistryDenied),
            (answer(400), RegistryDenied),
            (answer(404), ImageNotFound),
            (answer(429), RateLimited),
            (answer(500), RegistryUnavailable),
            (answer(302), RegistryProtocolError),
            (answer(200, b"<html>"), RegistryProtocolError),
            (answer(200, b"[" * 100_000), RegistryProtocolError),
            (answer(200, []), RegistryProtocolError),
            (answer(200, {}), RegistryProtocolError),
            (answer(200, {"token": 5}), RegistryProtocolError),
            (answer(200, {"token": "a\r\nX-Evil: 1"}), RegistryProtocolError),
            (answer(200, {"token": "ä"}), RegistryProtocolError),
        ],
    )
    def test_a_token_server_that_gives_none_is_an_error_of_ours(self, given, error):
        with pytest.raises(error) as refused:
            drive(handshake(bearer(), ASKER, USER, now=NOW), given)
        assert isinstance(refused.value, RegistryError)
        assert refused.value.hint
        assert "p:ss" not in str(refused.value)


def test_no_secret_is_ever_shown():
    steps = handshake(bearer(), ASKER, Credential(username="user", password="word", identity_token="word"), now=NOW)
    shown = [repr(next(steps))]
    shown.append(repr(steps.send(answer(404))))
    with pytest.raises(StopIteration) as end:
        steps.send(answer(content={"token": "word", "refresh_token": "word"}))
    shown.append(repr(end.value.value))
    assert not any("word" in text for text in shown)
