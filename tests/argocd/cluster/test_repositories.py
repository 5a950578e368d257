"""Promises about the way to Git by what Argo CD knows: asked once a minute, completed by certificates, keys and tokens."""

from __future__ import annotations

import asyncio
import base64

import pytest

from tests.fakes.certificates import Authority
from tests.fakes.github_apps import GithubApps, app_key, pem_of
from tests.fakes.kube import FakeKube, refuse, when
from tests.fakes.still_time import StillTime
from updater.argocd.repositories import Repositories
from updater.argocd.repository_secrets import LABEL, SELECTOR
from updater.credentials.github_app import InstallationTokens
from updater.credentials.secret_cache import MOST_REMEMBERED, REMEMBERED_SECONDS, SecretCache
from updater.errors import ConfigError, GitError, KubeDenied, KubeUnavailable
from updater.git.access import GitAccess
from updater.http.client import HttpClient
from updater.kube.client import PATIENCE, KubeClient
from updater.kube.kinds import CONFIG_MAP, SECRET
from updater.model.credential import Credential

URL = "https://git.test/org/app.git"
SSH = "git@git.test:org/app.git"


@pytest.fixture
def still():
    return StillTime()


@pytest.fixture
async def kube():
    async with FakeKube() as server:
        server.install(SECRET)
        server.install(CONFIG_MAP)
        yield server


@pytest.fixture
def said():
    return []


@pytest.fixture
async def repositories(kube, still, said, tmp_path):
    surroundings = still.surroundings()
    async with HttpClient(patience=PATIENCE, surroundings=surroundings) as near, HttpClient(surroundings=surroundings) as far:
        tokens = InstallationTokens(far, clock=still.clock, wall=still.wall)
        client = KubeClient(kube.access(tmp_path), near)
        yield Repositories(client, "argocd", tokens=tokens, clock=still.clock, report=said.append)


async def put(kube, name="one", kind="repository", namespace="argocd", **fields):
    data = {key: base64.b64encode(value.encode()).decode() for key, value in fields.items()}
    await kube.put(SECRET, name, namespace, metadata={"labels": {LABEL: kind}}, data=data)


def asked(kube, part):
    return [item for item in kube.asked if part in item.path]


def user(access):
    return access and access.credential and (access.credential.username, access.credential.password)


async def test_a_repository_is_reached_by_its_secret(kube, repositories):
    await put(kube, url=URL, username="me", password="secret")
    assert user(await repositories.access(URL)) == ("me", "secret")
    (listing,) = asked(kube, "secrets")
    assert (listing.path, listing.query["labelSelector"]) == ("/api/v1/namespaces/argocd/secrets", SELECTOR)


async def test_a_repository_of_which_nothing_is_known_is_left_to_others(kube, repositories):
    assert await repositories.access(URL) is None
    assert await repositories.access("http://git.test/x") is None
    assert await repositories.access(SSH) is None


async def test_a_local_path_asks_nobody(kube, repositories):
    assert await repositories.access("/srv/git/fleet.git") is None
    assert kube.asked == []


async def test_secrets_are_listed_once_a_minute(kube, repositories, still):
    await put(kube, url=URL, password="old")
    await repositories.access(URL)
    await put(kube, url=URL, password="new")
    still.now += REMEMBERED_SECONDS - 1
    assert user(await repositories.access(f"{URL}/"[:-1]))[1] == "old"
    assert len(asked(kube, "secrets")) == 1
    still.now += 1
    assert user(await repositories.access(URL))[1] == "new"
    assert len(asked(kube, "secrets")) == 2


async def test_after_a_refusal_they_are_listed_anew_but_not_in_a_storm(kube, repositories, still):
    await put(kube, url=URL, password="old")
    await repositories.access(URL)
    await put(kube, url=URL, password="new")
    repositories.expire()
    assert user(await repositories.access(URL))[1] == "old"
    still.now += 5
    assert user(await repositories.access(URL))[1] == "new"
    assert len(asked(kube, "secrets")) == 2


async def test_all_who_ask_at_one_time_share_one_listing(kube, repositories):
    await put(kube, url=URL, password="p")
    found = await asyncio.gather(*(repositories.access(URL) for _ in range(20)))
    assert [user(access)[1] for access in found] == ["p"] * 20
    assert len(asked(kube, "secrets")) == 1


async def test_while_the_api_server_is_silent_what_was_known_stays_in_force(kube, repositories, still):
    await put(kube, url=URL, password="p")
    await repositories.access(URL)
    kube.faults.append(when(lambda _: refuse(503, "starting")))
    still.now += 3600
    assert user(await repositories.access(URL))[1] == "p"
    count = len(kube.asked)
    assert user(await repositories.access(URL))[1] == "p"
    assert len(kube.asked) == count


async def test_what_was_never_known_is_unavailable_then(kube, repositories):
    kube.faults.append(when(lambda _: refuse(503, "starting")))
    with pytest.raises(KubeUnavailable):
        await repositories.access(URL)


async def test_a_right_that_is_missing_is_named(kube, repositories):
    kube.faults.append(when(lambda _: refuse(403, "is forbidden"), part="secrets"))
    with pytest.raises(KubeDenied) as caught:
        await repositories.access(URL)
    assert "list of secrets in the namespace argocd" in caught.value.hint
    assert caught.value.code == "kube-denied"


@pytest.mark.parametrize("url", [URL, SSH])
async def test_without_the_right_to_read_what_argo_cd_trusts_the_trust_of_the_system_counts(kube, repositories, said, url):
    kube.faults.append(when(lambda _: refuse(403, "configmaps is forbidden"), part="configmaps"))
    await put(kube, url=url, password="p", sshPrivateKey="k")
    access = await repositories.access(url)
    assert (access.ca, access.known_hosts, access.insecure_skip_verify) == (None, None, False)
    (sentence,) = said
    assert "configmaps is forbidden" in sentence


async def test_certificates_are_those_of_the_host_in_any_case(kube, repositories):
    await kube.put(CONFIG_MAP, "argocd-tls-certs-cm", "argocd", data={"git.test": "PEM of git.test", "other.test": "PEM"})
    assert await repositories.access("https://GIT.test:8443/org/app") == GitAccess(ca=b"PEM of git.test")
    await put(kube, url="https://git.test", kind="repo-creds", username="u", password="p")
    assert await repositories.access("https://elsewhere.test/x") is None
    assert len(asked(kube, "configmaps")) == 1


async def test_host_keys_are_those_that_argo_cd_knows(kube, repositories):
    await kube.put(CONFIG_MAP, "argocd-ssh-known-hosts-cm", "argocd", data={"ssh_known_hosts": "git.test ssh-rsa AAAA\n"})
    await put(kube, url=SSH, sshPrivateKey="the key")
    access = await repositories.access("ssh://git@git.test/org/app")
    assert (access.private_key, access.known_hosts) == (b"the key\n", b"git.test ssh-rsa AAAA\n")


@pytest.mark.parametrize("content", [{}, {"data": None}, {"data": {"ssh_known_hosts": " \n"}}, {"data": {"ssh_known_hosts": 7}}])
async def test_without_host_keys_those_of_the_system_count(kube, repositories, content):
    await kube.put(CONFIG_MAP, "argocd-ssh-known-hosts-cm", "argocd", **content)
    await put(kube, url=SSH, sshPrivateKey="the key")
    assert (await repositories.access(SSH)).known_hosts is None


async def test_what_is_wrong_with_a_secret_is_said_once(kube, repositories, said, still):
    await put(kube, url=URL, password="hunter2", insecure="maybe")
    for _ in range(3):
        access = await repositories.access(URL)
        still.now += 61
    assert not access.insecure_skip_verify
    assert said == ["the Secret argocd/one: insecure is neither true nor false, and counts as false"]


async def test_a_secret_that_cannot_be_used_fails_its_repository_alone(kube, repositories):
    await put(kube, "bad", url=URL, githubAppPrivateKey="x")
    await put(kube, "good", url="https://git.test/other", password="p")
    with pytest.raises(ConfigError, match="argocd/bad"):
        await repositories.access(URL)
    assert user(await repositories.access("https://git.test/other.git"))[1] == "p"


async def test_argo_163_a_named_secret_is_used_and_verification_stays_on(kube, repositories):
    await put(kube, "bar", namespace="foo", username="me", password="secret")
    access = await repositories.of_secret("foo", "bar", URL)
    assert user(access) == ("me", "secret")
    assert not access.insecure_skip_verify


async def test_a_named_secret_with_a_certificate_authority_of_argo_cds(kube, repositories):
    await kube.put(CONFIG_MAP, "argocd-tls-certs-cm", "argocd", data={"git.test": "PEM"})
    await put(kube, "bar", namespace="foo", username="me", password="secret")
    assert (await repositories.of_secret("foo", "bar", URL)).ca == b"PEM"


@pytest.mark.parametrize(
    ("url", "fields", "missing"),
    [
        pytest.param(URL, {"username": "me"}, "password", id="argo-165"),
        pytest.param(URL, {"password": "hunter2"}, "username", id="no-user"),
        pytest.param(SSH, {"username": "me", "password": "hunter2"}, "sshPrivateKey", id="no-key"),
        pytest.param(URL, {"githubAppID": "1", "password": "hunter2"}, "githubAppInstallationID", id="half-an-app"),
        pytest.param(URL, {}, "username", id="empty"),
    ],
)
async def test_a_field_that_is_missing_is_named(kube, repositories, url, fields, missing):
    await put(kube, "bar", namespace="foo", **fields)
    with pytest.raises(ConfigError, match=f"the Secret foo/bar: it has no field {missing}") as caught:
        await repositories.of_secret("foo", "bar", url)
    assert caught.value.code == "credential-secret"
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


async def test_a_named_secret_of_each_kind_is_used(kube, repositories):
    await put(kube, "key", namespace="foo", sshPrivateKey="the key")
    await put(kube, "bearer", namespace="foo", bearerToken="abc")
    assert (await repositories.of_secret("foo", "key", SSH)).private_key == b"the key\n"
    assert (await repositories.of_secret("foo", "bearer", URL)).credential == Credential(registry_token="abc")


async def test_argo_167_a_doubtful_flag_in_a_named_secret_is_false_and_said(kube, repositories, said):
    await put(kube, "bar", namespace="foo", username="me", password="secret", insecure="maybe")
    assert not (await repositories.of_secret("foo", "bar", URL)).insecure_skip_verify
    assert said == ["the Secret foo/bar: insecure is neither true nor false, and counts as false"]


async def test_argo_166_no_secret_is_read_for_an_unknown_kind_of_url(kube, repositories):
    for url, kind in (("unknown://git.test/x", GitError), ("/srv/git/x", ConfigError)):
        with pytest.raises(kind):
            await repositories.of_secret("foo", "bar", url)
    assert kube.asked == []


async def test_a_named_secret_that_is_not_there_is_said(kube, repositories):
    with pytest.raises(ConfigError, match="the Secret foo/bar: it does not exist") as caught:
        await repositories.of_secret("foo", "bar", URL)
    assert caught.value.code == "credential-secret"


async def test_a_named_secret_that_may_not_be_read_says_which_right_is_missing(kube, repositories):
    kube.faults.append(when(lambda _: refuse(403, "is forbidden"), part="secrets"))
    with pytest.raises(KubeDenied) as caught:
        await repositories.of_secret("foo", "bar", URL)
    assert "get of the Secret bar in the namespace foo" in caught.value.hint


async def test_a_named_secret_is_remembered_for_a_minute(kube, repositories, still):
    await put(kube, "bar", namespace="foo", username="me", password="secret")
    for _ in range(3):
        await repositories.of_secret("foo", "bar", URL)
    assert len(asked(kube, "secrets/bar")) == 1
    still.now += 60
    await repositories.of_secret("foo", "bar", URL)
    assert len(asked(kube, "secrets/bar")) == 2


@pytest.mark.parametrize("is_named", [False, True])
async def test_a_github_app_gives_a_token_by_way_of_its_own_authority(kube, repositories, still, tmp_path, is_named):
    authority = Authority(tmp_path)
    async with GithubApps(tls=authority.server_context(authority.issue("github")), wall=still.wall) as github:
        github.prefix = "/api/v3"
        fields = {
            "githubAppID": "12\n",
            "githubAppInstallationID": "34",
            "githubAppPrivateKey": pem_of(app_key()),
            "githubAppEnterpriseBaseUrl": github.url,
        }
        await kube.put(CONFIG_MAP, "argocd-tls-certs-cm", "argocd", data={"127.0.0.1": authority.path.read_text()})
        await put(kube, "app", namespace="foo" if is_named else "argocd", kind="repo-creds", url="https://git.test", **fields)
        for _ in range(2):
            access = await (repositories.of_secret("foo", "app", URL) if is_named else repositories.access(URL))
            assert user(access) == ("x-access-token", "ghs_34_0")
        assert access.ca is None
        still.now += 10
        repositories.expire()
        assert user(await repositories.access(URL) if not is_named else access)[1] == ("ghs_34_0" if is_named else "ghs_34_1")


async def test_memory_is_bounded(still):
    memory = SecretCache(still.clock)
    for number in range(MOST_REMEMBERED + 10):
        await memory.get(number, _nothing)
    assert len(memory._known) == MOST_REMEMBERED


async def _nothing():
    return None
