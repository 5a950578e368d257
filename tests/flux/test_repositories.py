"""Promises about the way to a GitRepository: read once a minute, anew after a refusal, in force while the cluster is away."""

from __future__ import annotations

import pytest

from tests.fakes.still_time import StillTime
from updater.daemon.git_access import access_for
from updater.errors import ConfigError, KubeUnavailable
from updater.flux.repositories import KIND, REMEMBERED_SECONDS, SOONEST_RENEWAL, GitRepositories, credential_of
from updater.git.access import GitAccess
from updater.settings import build_settings

URL = "https://git.example.org/fleet.git"


class Tokens:
    """Stands for the tokens of GitHub Apps, of which these tests have none."""

    def expire(self):
        """Nothing is held."""


class Cluster:
    """A GitRepository and its Secrets; `reads` counts them, `failure` is raised instead."""

    def __init__(self):
        self.objects = {"ns/fleet": self.made(secretRef={"name": "login"})}
        self.secrets = {"ns/login": {"username": b"bot", "password": b"one"}}
        self.reads = []
        self.failure = None

    @staticmethod
    def made(**spec):
        return {"metadata": {"namespace": "ns", "name": "fleet"}, "spec": {"url": URL, **spec}}

    def find(self, namespace, name):
        return self.objects.get(f"{namespace}/{name}")

    async def read_secret(self, namespace, name):
        self.reads.append(f"{namespace}/{name}")
        if self.failure:
            raise self.failure
        return self.secrets[f"{namespace}/{name}"]


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def still():
    return StillTime()


@pytest.fixture
def repositories(cluster, still):
    return GitRepositories(cluster.find, cluster.read_secret, Tokens(), clock=still.clock)


async def test_a_secret_is_read_once_a_minute(repositories, cluster, still):
    first = await repositories.access("ns/fleet")
    assert (first.credential.username, first.credential.password) == ("bot", "one")
    cluster.secrets["ns/login"] = {"username": b"bot", "password": b"two"}
    assert await repositories.access("ns/fleet") == first
    still.now += REMEMBERED_SECONDS
    assert (await repositories.access("ns/fleet")).credential.password == "two"
    assert cluster.reads == ["ns/login"] * 2


async def test_after_a_refusal_it_is_read_anew(repositories, cluster, still):
    await repositories.access("ns/fleet")
    cluster.secrets["ns/login"] = {"bearerToken": b"two"}
    repositories.expire()
    still.now += SOONEST_RENEWAL
    assert (await repositories.access("ns/fleet")).credential.registry_token == "two"


async def test_a_changed_object_counts_at_once(repositories, cluster):
    await repositories.access("ns/fleet")
    cluster.objects["ns/fleet"] = cluster.made()
    assert await repositories.access("ns/fleet") == GitAccess()
    cluster.objects["ns/fleet"] = cluster.made(proxySecretRef={"name": "proxy"})
    cluster.secrets["ns/proxy"] = {"address": b"http://proxy:3128"}
    assert (await repositories.access("ns/fleet")).proxy == "http://proxy:3128"


async def test_while_the_cluster_is_away_what_was_known_stays_in_force(repositories, cluster, still):
    cluster.failure = KubeUnavailable("away")
    with pytest.raises(KubeUnavailable):
        await repositories.access("ns/fleet")
    cluster.failure = None
    first = await repositories.access("ns/fleet")
    cluster.failure = KubeUnavailable("away")
    still.now += REMEMBERED_SECONDS
    assert await repositories.access("ns/fleet") == first


async def test_an_object_that_is_not_there_is_named(repositories):
    with pytest.raises(ConfigError, match="ns/other") as caught:
        await repositories.access("ns/other")
    assert caught.value.code == "git-repository-missing"


async def test_a_destination_leads_to_its_git_repository(repositories):
    settings = build_settings(
        [("updater.yaml", b"git: {repositories: [{prefix: 'https://git.example.org/', proxy: 'http://p:1'}]}")], {}
    )
    named = {KIND: repositories.access}
    access = await access_for(URL, settings, None, credential=credential_of("ns", "fleet"), named=named)
    assert (access.credential.password, access.origin, access.proxy) == ("one", "Secret ns/login", "http://p:1")
