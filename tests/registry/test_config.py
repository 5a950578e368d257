"""Promises about which settings hold for which image."""

from __future__ import annotations

import pytest

from updater.errors import ConfigError
from updater.model.credential import parse_credential_ref
from updater.model.image import parse_name
from updater.registry.endpoints import RegistryEntry, RegistryTable, is_loopback, normalise_prefix


def entry(prefix: str, **more) -> RegistryEntry:
    return RegistryEntry(prefix=prefix, **more)


@pytest.mark.parametrize(
    ("prefixes", "image", "chosen"),
    [
        pytest.param(
            ["foo.bar/prefix1", "foo.bar/prefix1/sub-prefix"],
            "foo.bar/prefix1/sub-prefix/image",
            "foo.bar/prefix1/sub-prefix",
            id="argo-089",
        ),
        (["foo.bar", "foo.bar/team"], "foo.bar/team/app", "foo.bar/team"),
        (["foo.bar", "foo.bar/team"], "foo.bar/team2/app", "foo.bar"),
        (["ghcr.io"], "ghcr.io/org/app", "ghcr.io"),
        (["ghcr.io"], "ghcr.io.evil.tld/org/app", "ghcr.io.evil.tld"),
        (["foo.bar"], "foo.bar:5000/app", "foo.bar:5000"),
        (["foo.bar:5000"], "foo.bar:5000/app", "foo.bar:5000"),
        (["https://foo.bar/"], "foo.bar/app", "https://foo.bar/"),
        (["index.docker.io"], "nginx", "index.docker.io"),
        (["docker.io/org"], "org/app", "docker.io/org"),
        (["docker.io/org"], "other/app", "docker.io"),
        ([], "quay.io/a/b", "quay.io"),
    ],
)
def test_the_longest_prefix_wins_and_ends_at_a_boundary(prefixes, image, chosen):
    table = RegistryTable(entry(prefix) for prefix in prefixes)
    assert table.find(parse_name(image)).prefix == chosen


@pytest.mark.parametrize(
    ("settings", "image", "url", "path"),
    [
        ({"prefix": "x.io"}, "nginx", "https://registry-1.docker.io", "library/nginx"),
        ({"prefix": "x.io"}, "docker.io/org/app", "https://registry-1.docker.io", "org/app"),
        ({"prefix": "x.io"}, "ghcr.io/org/app", "https://ghcr.io", "org/app"),
        ({"prefix": "x.io"}, "localhost:5000/app", "http://localhost:5000", "app"),
        ({"prefix": "x.io"}, "[::1]:5000/app", "http://[::1]:5000", "app"),
        ({"prefix": "localhost:5000", "ca": "/ca.pem"}, "localhost:5000/app", "https://localhost:5000", "app"),
        ({"prefix": "x.io", "url": "https://mirror.x.io/"}, "x.io/a/b", "https://mirror.x.io", "a/b"),
        ({"prefix": "docker.io", "url": "https://mirror.x.io"}, "nginx", "https://mirror.x.io", "library/nginx"),
        pytest.param(
            {"prefix": "example.com", "insecure": True}, "example.com/foo/bar", "http://example.com", "foo/bar", id="flux-294"
        ),
        ({"prefix": "x.io", "insecure": True, "url": "http://x.io:80"}, "x.io/a", "http://x.io:80", "a"),
        ({"prefix": "x.io", "default_namespace": "team"}, "x.io/app", "https://x.io", "team/app"),
        ({"prefix": "x.io", "default_namespace": "team"}, "x.io/a/app", "https://x.io", "a/app"),
        ({"prefix": "x.io/hub", "default_namespace": "library"}, "x.io/hub/app", "https://x.io", "hub/library/app"),
        ({"prefix": "x.io/hub", "default_namespace": "library"}, "x.io/hub/a/app", "https://x.io", "hub/a/app"),
        ({"prefix": "x.io/hub", "default_namespace": "library"}, "x.io/hub", "https://x.io", "hub"),
        ({"prefix": "x.io", "is_default": True}, "app", "https://x.io", "app"),
        ({"prefix": "x.io", "is_default": True}, "org/app", "https://x.io", "org/app"),
        ({"prefix": "x.io", "is_default": True}, "docker.io/org/app", "https://registry-1.docker.io", "org/app"),
        ({"prefix": "docker.io", "is_default": True}, "nginx", "https://registry-1.docker.io", "library/nginx"),
    ],
)
def test_an_image_is_asked_where_its_entry_says(settings, image, url, path):
    found = RegistryTable([RegistryEntry(**settings)]).locate(parse_name(image))
    assert (found.url, found.path) == (url, path)


@pytest.mark.parametrize(
    ("entries", "part"),
    [
        pytest.param([entry("")], "no prefix", id="argo-084-differs"),
        pytest.param([entry("x.io"), entry("https://x.io/")], "two registry entries", id="argo-086-differs"),
        pytest.param([entry("a.io", is_default=True), entry("b.io", is_default=True)], "a.io already is", id="argo-087"),
        ([entry("x.io", url="x.io")], "not a registry URL"),
        ([entry("x.io", url="ftp://x.io")], "not a registry URL"),
        ([entry("x.io", url="https://[x")], "not a registry URL"),
        ([entry("x.io", url="https://x.io?a=b")], "not a registry URL"),
        ([entry("x.io", url="https://u:word@x.io")], "a secret"),
        ([entry("x.io", url="http://x.io")], "plain HTTP"),
        ([entry("x.io", concurrency=0)], "above zero"),
        ([entry("x.io", rate=0.0)], "above zero"),
    ],
)
def test_entries_that_contradict_or_cannot_be_used_are_refused(entries, part):
    with pytest.raises(ConfigError, match=part) as refused:
        RegistryTable(entries)
    assert (refused.value.code, bool(refused.value.hint)) == ("registry-entry", True)
    assert "word" not in str(refused.value)


def test_an_entry_without_a_url_is_asked_at_its_own_host():
    """argo-085 differs: the peer wants a URL, although the host says it."""
    assert RegistryTable([entry("x.io")]).locate(parse_name("x.io/a")).url == "https://x.io"


def test_a_prefix_has_one_spelling():
    assert normalise_prefix(" HTTPS://GHCR.io/Org/ ") == "ghcr.io/Org"
    assert normalise_prefix("registry-1.docker.io") == "docker.io"


def test_loopback_is_known_by_its_spelling():
    assert [is_loopback(host) for host in ("localhost:1", "127.0.0.5", "[::1]:2", "a.localhost")] == [True] * 4
    assert not any(is_loopback(host) for host in ("x.io", "10.0.0.1:5000", "localhost.x.io"))


@pytest.mark.parametrize(
    ("entries", "image", "credential"),
    [
        ([("registry.corp", "https://api.corp")], "api.corp/a/app", "env:A0"),
        ([("registry.corp", "https://api.corp")], "registry.corp/a/app", "env:A0"),
        ([("registry.corp", "https://api.corp")], "other.corp/a/app", None),
        ([("registry.corp", "https://api.corp/base")], "api.corp/a/app", None),
        ([("one.corp", "https://api.corp"), ("two.corp", "https://api.corp")], "api.corp/a/app", None),
        ([("one.corp", "https://api.corp"), ("api.corp/a", None)], "api.corp/a/app", "env:A1"),
    ],
)
def test_the_host_at_which_one_entry_alone_is_asked_is_served_by_it_too(entries, image, credential):
    """Its credentials are for that host, whichever of both names people give their images."""
    table = RegistryTable(
        RegistryEntry(prefix=prefix, url=url, credentials=parse_credential_ref(f"env:A{number}"))
        for number, (prefix, url) in enumerate(entries)
    )
    found = table.locate(parse_name(image))
    assert (str(found.entry.credentials) if found.entry.credentials else None) == credential
    assert found.path == image.partition("/")[2]


def test_a_registry_that_nobody_configured_has_a_pace_and_an_entry_has_the_one_it_names():
    table = RegistryTable([RegistryEntry(prefix="ghcr.io"), RegistryEntry(prefix="quay.io", rate=5.0)], rate=20.0)
    assert (table.find(parse_name("r.example.com/a/b")).rate, table.find(parse_name("r.example.com/a/b")).burst) == (20.0, 20)
    assert table.find(parse_name("nginx")).rate == 20.0
    assert table.find(parse_name("ghcr.io/a/b")).rate is None
    assert (table.find(parse_name("quay.io/a/b")).rate, table.find(parse_name("quay.io/a/b")).burst) == (5.0, 1)
    assert RegistryTable(rate=None).find(parse_name("nginx")).rate is None


@pytest.mark.parametrize("text", ["https://auth.corp", "auth.corp:5000", "a b", "*", "10.0.0.0/64", ""])
def test_a_private_host_that_nothing_could_match_is_refused(text):
    """What is accepted is acted on."""
    with pytest.raises(ConfigError, match="private_hosts"):
        RegistryTable([RegistryEntry(prefix="r.example.com", private_hosts=(text,))])
