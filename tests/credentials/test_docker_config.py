"""Promises about docker's and podman's files."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updater.credentials.docker_config import DockerConfig, parse_docker_config, parse_secret_text
from updater.errors import ConfigError
from updater.model.credential import Credential
from updater.model.image import parse_name


def entry(user: str = "user", password: str = "pass") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def config(*keys: str) -> DockerConfig:
    """A configuration in which each entry's user is its key."""
    text = json.dumps({"auths": {key: {"username": key, "password": "x"} for key in keys}})
    return parse_docker_config(text, place="config.json")


def users(found: tuple[Credential, ...]) -> list[str]:
    return [credential.username for credential in found]


@pytest.mark.parametrize(
    ("key", "image", "serves"),
    [
        ("ghcr.io", "ghcr.io/org/app", True),
        ("https://ghcr.io", "ghcr.io/org/app", True),
        ("https://ghcr.io/v1/", "ghcr.io/org/app", True),
        ("https://ghcr.io/v2/", "ghcr.io/org/app", True),
        ("ghcr.io/v2/org", "ghcr.io/org/app", True),
        ("ghcr.io", "ghcr.io.evil.tld/org/app", False),
        ("ghcr.io/org", "ghcr.io/org/app", True),
        ("ghcr.io/org", "ghcr.io/org2/app", True),
        ("ghcr.io/org", "ghcr.io/other/app", False),
        ("*.example.com", "r.example.com/app", True),
        ("*.example.com", "example.com/app", False),
        ("*.example.com", "a.r.example.com/app", False),
        ("*.*.example.com", "a.r.example.com/app", True),
        ("prefix*.example.com", "prefix5.example.com/app", True),
        ("r[0-9].example.com", "r7.example.com/app", True),
        ("r[^0-9].example.com", "r7.example.com/app", False),
        ("r?.example.com", "r7.example.com/app", True),
        ("*.example.com:5000", "r.example.com:5000/app", True),
        ("*.example.com:5000", "r.example.com/app", False),
        ("*.example.com", "r.example.com:5000/app", False),
        ("R.Example.com", "r.example.com/app", True),
        ("https://index.docker.io/v1/", "nginx", True),
        ("docker.io", "org/app", True),
        ("registry-1.docker.io", "nginx", True),
        ("index.docker.io/v1/org", "org/app", True),
        ("localhost:5000", "localhost:5000/app", True),
        ("[::1]:5000", "[::1]:5000/app", True),
        ("ghcr.io:bad", "ghcr.io/app", False),
        ("", "ghcr.io/app", False),
    ],
)
def test_an_entry_serves_an_image_by_kubelets_rules(key, image, serves):
    assert users(config(key).matches(parse_name(image))) == ([key] if serves else [])


def test_every_entry_that_serves_counts_the_longer_key_first():
    found = config("ghcr.io", "ghcr.io/org", "*.io", "quay.io").matches(parse_name("ghcr.io/org/app"))
    assert users(found) == ["ghcr.io/org", "ghcr.io", "*.io"]


def test_the_same_credential_is_tried_once():
    text = json.dumps({"auths": {"ghcr.io": entry(), "ghcr.io/org": entry()}})
    assert len(parse_docker_config(text, place="x").matches(parse_name("ghcr.io/org/app"))) == 1


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("quay.io/org/app", ["quay.io/org/app"]),
        ("quay.io/org/app/x", ["quay.io/org/app/x"]),
        ("quay.io/org/app2", ["quay.io/org"]),
        ("quay.io/org2/app", ["quay.io"]),
        ("ghcr.io/a", []),
    ],
)
def test_podmans_file_gives_the_longest_path_and_knows_no_globs(image, expected):
    found = config("quay.io", "quay.io/org", "quay.io/org/app/x", "quay.io/org/app", "*.io")
    assert users(found.matches(parse_name(image), as_podman=True)) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (entry("u", "p:with:colons"), Credential(username="u", password="p:with:colons")),
        ({"auth": base64.b64encode(b"u:p").decode().rstrip("=")}, Credential(username="u", password="p")),
        ({"username": "u", "password": "p"}, Credential(username="u", password="p")),
        ({**entry("a", "b"), "username": "u", "password": "p"}, Credential(username="a", password="b")),
        ({"identitytoken": "id"}, Credential(identity_token="id")),
        ({"registrytoken": "rt"}, Credential(registry_token="rt")),
        ({"auth": base64.b64encode(b"u:p\0\0").decode()}, Credential(username="u", password="p")),
        ({}, None),
        ({"username": "u"}, None),
        ({"email": "a@b.c", "username": None}, None),
    ],
)
def test_an_entry_gives_what_docker_reads_from_it(content, expected):
    found = parse_docker_config(json.dumps({"auths": {"ghcr.io": content}}), place="x").matches(parse_name("ghcr.io/a"))
    assert found == ((expected,) if expected else ())


def test_the_older_bare_map_is_read_too():
    found = parse_docker_config(json.dumps({"ghcr.io": entry()}), place="x")
    assert users(found.matches(parse_name("ghcr.io/a"))) == ["user"]
    assert parse_docker_config('{"detachKeys": "x", "plugins": {}}', place="x") == DockerConfig()


@pytest.mark.parametrize(
    ("image", "asked"),
    [
        ("ghcr.io/a", ("special", "ghcr.io")),
        ("quay.io/a", ("usual", "quay.io")),
        ("nginx", ("hub", "https://index.docker.io/v1/")),
    ],
)
def test_a_helper_is_named_for_its_host_else_the_store_counts(image, asked):
    text = json.dumps({"credsStore": "usual", "credHelpers": {"ghcr.io": "special", "https://index.docker.io/v1/": "hub"}})
    assert parse_docker_config(text, place="x").helper(parse_name(image)) == asked
    assert parse_docker_config('{"auths": {}}', place="x").helper(parse_name(image)) is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"auths": []}',
        '{"auths": {"a": 1}}',
        '{"auths": {"a": {"auth": 1}}}',
        '{"auths": {"a": {"auth": "%%%"}}}',
        '{"auths": {"a": {"auth": "bm9jb2xvbg=="}}}',
        '{"auths": {"a": {"auth": "//79"}}}',
        '{"credHelpers": {"a": "../../bin/sh"}}',
        '{"credHelpers": {"a": 1}}',
        '{"credsStore": "a/b"}',
        '{"credsStore": []}',
        '{"auths": ' + "[" * 100_000,
    ],
)
def test_what_is_no_docker_configuration_is_refused_with_its_place(text):
    with pytest.raises(ConfigError, match=r"config\.json") as refused:
        parse_docker_config(text, place="config.json")
    assert (refused.value.code, bool(refused.value.hint)) == ("credential-format", True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("foo:bar", ("foo", "bar"), id="argo-080"),
        ("foo:bar:baz\n", ("foo", "bar:baz")),
        ("\ufefffoo:bar\r\n", ("foo", "bar")),
    ],
)
def test_user_and_password_are_split_at_the_first_colon(text, expected):
    found = parse_secret_text(text, place="x")
    assert isinstance(found, Credential)
    assert (found.username, found.password) == expected


@pytest.mark.parametrize("text", ["", "token-only", ":password", "user:", "a:b\nc:d"])
def test_what_is_neither_is_refused_without_showing_it(text):
    with pytest.raises(ConfigError) as refused:
        parse_secret_text(text, place="env:REG")
    assert "token-only" not in str(refused.value)
    assert "user:password" in refused.value.hint


@given(st.text(max_size=80))
def test_any_text_is_a_credential_or_refused(text):
    for candidate in (text, "{" + text, json.dumps({"auths": {text: {"auth": text}}})):
        try:
            found = parse_secret_text(candidate, place="x")
        except ConfigError:
            continue
        if isinstance(found, DockerConfig):
            found.matches(parse_name("ghcr.io/org/app"))


def test_no_secret_is_ever_shown():
    found = parse_docker_config(
        json.dumps({"auths": {"ghcr.io": entry(password="word-a"), "b": {"identitytoken": "word-b"}}}), place="x"
    )
    assert "word" not in repr(found)
    assert "word" not in repr(found.matches(parse_name("ghcr.io/a")))
