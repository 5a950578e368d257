"""Promises about GitRepositories: each is reached by its own Secrets, and by those of its namespace alone."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import pytest

from tests.fakes.git_server import Authority, BareRepository, GitServer
from tests.fakes.github_apps import GithubApps, app_key, pem_of
from tests.fakes.http_proxy import HttpProxy
from tests.fakes.kube import FakeKube, refuse, when
from tests.fakes.ssh_server import SshServer, make_key
from tests.fakes.still_time import StillTime
from tests.real.parts import require
from updater.credentials.github_app import InstallationTokens
from updater.credentials.keychain import Keychain
from updater.daemon.git_access import RenewingWriter, access_for
from updater.errors import ConfigError, GitDenied, KubeDenied
from updater.flux.git_repositories import FluxRepositories
from updater.flux.request.requests import GitRepositoryRequest
from updater.git.access import GitAccess
from updater.git.mirror import Mirror
from updater.http.client import HttpClient
from updater.kube.client import PATIENCE, KubeClient
from updater.kube.kinds import SECRET
from updater.model.credential import GIT_REPOSITORY, Credential, object_credential
from updater.model.subscription import GitBranch
from updater.settings import build_settings

FLEET = object_credential(GIT_REPOSITORY, "team", "fleet")
URL = "https://git.test/fleet.git"


@pytest.fixture
def still():
    return StillTime()


@pytest.fixture
async def kube():
    async with FakeKube() as server:
        server.install(SECRET)
        yield server


@pytest.fixture
async def lab(kube, still, tmp_path):
    """GitRepositories by namespace and name in `known`; `look` looks at one as the daemon does."""
    known = {}
    settings = build_settings([("updater.yaml", b"subscriptions: []\n")], {})
    surroundings = still.surroundings()
    async with HttpClient(patience=PATIENCE, surroundings=surroundings) as near, HttpClient(surroundings=surroundings) as far:
        tokens = InstallationTokens(far, clock=still.clock, wall=still.wall)
        client = KubeClient(kube.access(tmp_path), near)
        found = FluxRepositories(client, lambda *key: known.get(key), tokens=tokens, clock=still.clock)

        async def reach(url=URL, ref=FLEET, objects=found):
            keychain = Keychain(environment={}, docker_configs=())
            return await access_for(url, settings, keychain, credential=ref, objects=objects)

        async def look(url):
            mirror = Mirror(url, tmp_path / "mirror", lambda: reach(url))
            try:
                return (await mirror.look("main")).revision
            finally:
                await mirror.close()

        def declare(url=URL, **more):
            known["team", "fleet"] = GitRepositoryRequest(key=("team", "fleet"), url=url, **more)

        yield SimpleNamespace(known=known, declare=declare, reach=reach, look=look, kube=kube, repositories=found)


async def put(kube, name, /, *, namespace="team", **data):
    texts = {key: value if isinstance(value, bytes) else value.encode() for key, value in data.items()}
    encoded = {key: base64.b64encode(text).decode() for key, text in texts.items()}
    await kube.put(SECRET, name, namespace, type="Opaque", data=encoded)


@pytest.fixture
def repository(tmp_path):
    require("git-http-backend")
    return BareRepository.make(tmp_path / "served" / "fleet.git", {"a.yaml": b"a\n"})


@pytest.fixture
def authority(tmp_path):
    folder = tmp_path / "authority"
    folder.mkdir()
    return Authority(folder)


@pytest.mark.real
class TestServers:
    async def test_https_with_an_authority_a_client_certificate_and_a_bearer_token(self, lab, repository, authority):
        context = authority.context(authority.issue("server"), asks_client=True)
        pem = authority.issue("client").read_text()
        at = pem.index("-----BEGIN PRIVATE KEY")
        certificates = {"ca.crt": authority.ca.read_text(), "tls.crt": pem[:at], "tls.key": pem[at:]}
        await put(lab.kube, "login", bearerToken="token", **certificates)
        with GitServer(repository.path.parent, bearer="token", tls=context) as server:
            lab.declare(server.url("fleet.git"), secret="login")
            assert await lab.look(server.url("fleet.git")) == repository.head()

    @pytest.mark.parametrize("password", ["word", "p@ss:w/rd %41"])
    async def test_https_through_the_proxy_of_the_object(self, lab, repository, authority, password):
        """User name and password of the proxy come as they stand in the Secret, whatever signs they have."""
        context = authority.context(authority.issue("server"))
        await put(lab.kube, "login", username="me", password="pw", caFile=authority.ca.read_text())
        async with HttpProxy(("us", password)) as proxy:
            await put(lab.kube, "proxy", address=proxy.url, username="us", password=password)
            with GitServer(repository.path.parent, basic=("me", "pw"), tls=context) as server:
                lab.declare(server.url("fleet.git"), secret="login", proxy_secret="proxy")
                assert await lab.look(server.url("fleet.git")) == repository.head()
                assert proxy.asked[0][0].startswith("CONNECT ")

    async def test_plain_http_with_a_password(self, lab, repository):
        await put(lab.kube, "login", username="me", password="pw")
        with GitServer(repository.path.parent, basic=("me", "pw")) as server:
            lab.declare(server.url("fleet.git"), secret="login")
            assert await lab.look(server.url("fleet.git")) == repository.head()

    async def test_a_rotated_password_is_taken_up_after_a_refusal(self, lab, repository, still):
        await put(lab.kube, "login", username="me", password="old")
        with GitServer(repository.path.parent, basic=("me", "new")) as server:
            lab.declare(server.url("fleet.git"), secret="login")
            with pytest.raises(GitDenied, match="Secret team/login"):
                await lab.look(server.url("fleet.git"))
            await put(lab.kube, "login", username="me", password="new")
            still.now += 6
            lab.repositories.expire("team", "fleet")
            assert await lab.look(server.url("fleet.git")) == repository.head()

    async def test_ssh_by_identity_and_known_hosts(self, lab, repository, still, tmp_path):
        program = require("sshd")
        folder = tmp_path / "ssh"
        folder.mkdir(mode=0o700)
        key = make_key(folder / "key")
        with SshServer(folder, program, authorized=[folder / "key.pub"]) as server:
            await put(lab.kube, "login", identity=key, known_hosts=server.known_hosts)
            url = server.url(repository.path)
            lab.declare(url, secret="login")
            assert await lab.look(url) == repository.head()
            elsewhere = server.known_hosts.replace(f":{server.port} ".encode(), b":1 ")
            await put(lab.kube, "login", identity=key, known_hosts=elsewhere)
            still.now += 60
            with pytest.raises(GitDenied) as refused:
                await lab.look(url)
            assert refused.value.code == "host-key-unknown"


async def test_a_github_app_shows_a_token_of_its_installation(lab, still, authority):
    context = authority.context(authority.issue("server"))
    async with GithubApps(wall=still.wall, tls=context) as github:
        app = {"githubAppID": "12", "githubAppPrivateKey": pem_of(app_key()), "githubAppInstallationID": "34"}
        await put(lab.kube, "app", **app, githubAppBaseURL=github.url, **{"ca.crt": authority.ca.read_text()})
        lab.declare(secret="app", provider="github")
        access = await lab.reach()
        assert (access.credential.username, access.credential.password) == ("x-access-token", "ghs_34_0")


@pytest.mark.parametrize("provider", ["aws", "azure", "gcp"])
async def test_flux_325_a_cloud_provider_is_not_supported_yet(lab, provider):
    lab.declare(provider=provider)
    with pytest.raises(ConfigError) as refused:
        await lab.reach()
    assert refused.value.code == "credential-unsupported"


async def test_without_a_secret_a_repository_is_reached_as_anybody_within_its_timeout(lab):
    lab.declare(timeout=20.0)
    assert await lab.reach() == GitAccess(deadline=20.0)


@pytest.mark.parametrize(
    ("secret", "data", "words"),
    [
        pytest.param("gone", None, "the Secret team/gone: it does not exist", id="missing"),
        pytest.param("../x", None, "not the name of an object", id="no-name"),
        pytest.param("login", {"username": "me", "password": "pw", "bearerToken": "x"}, "bearerToken", id="two-logins"),
        pytest.param("login", {"tls.crt": "x"}, "tls.key", id="half-a-certificate"),
        pytest.param("login", {"password": b"\xff"}, "password", id="no-text"),
    ],
)
async def test_a_secret_that_cannot_be_used_is_named_with_its_key(lab, secret, data, words):
    if data is not None:
        await put(lab.kube, secret, **data)
    lab.declare(secret=secret)
    with pytest.raises(ConfigError) as refused:
        await lab.reach()
    assert words in refused.value.message
    assert refused.value.code == "credential-secret"


async def test_flux_326_ssh_wants_identity_and_known_hosts(lab):
    await put(lab.kube, "login", identity="key")
    lab.declare("ssh://git@git.test/fleet.git", secret="login")
    with pytest.raises(ConfigError, match="known_hosts"):
        await lab.reach("ssh://git@git.test/fleet.git")


async def test_a_secret_of_another_namespace_is_not_read(lab):
    await put(lab.kube, "login", namespace="other", username="me", password="pw")
    lab.declare(secret="login")
    with pytest.raises(ConfigError, match="Secret team/login"):
        await lab.reach()
    assert [asked.path for asked in lab.kube.asked] == ["/api/v1/namespaces/team/secrets/login"]


async def test_the_secret_goes_to_the_url_of_its_object_alone(lab):
    """A destination of before a change is not shown what the object names now."""
    await put(lab.kube, "login", username="me", password="pw")
    lab.declare("https://elsewhere.test/fleet.git", secret="login")
    with pytest.raises(ConfigError) as refused:
        await lab.reach()
    assert refused.value.code == "credential-object"
    assert lab.kube.asked == []


@pytest.mark.parametrize("url", ["/srv/fleet.git", "file:///srv/fleet.git"])
async def test_an_object_names_no_folder_of_this_machine(lab, url):
    lab.declare(url)
    with pytest.raises(ConfigError, match="names no server"):
        await lab.reach(url)


async def test_an_object_that_is_gone_is_an_error(lab):
    with pytest.raises(ConfigError) as refused:
        await lab.reach()
    assert refused.value.code == "credential-object"


async def test_without_the_source_such_a_credential_leads_nowhere(lab):
    with pytest.raises(ConfigError, match="source of Flux"):
        await lab.reach(objects=None)


async def test_a_secret_is_read_once_a_minute(lab, still):
    await put(lab.kube, "login", username="me", password="pw")
    lab.declare(secret="login")
    for _ in range(3):
        assert (await lab.reach()).credential == Credential(username="me", password="pw")
    assert lab.kube.count("secrets/login") == 1
    still.now += 60
    await lab.reach()
    assert lab.kube.count("secrets/login") == 2


async def test_a_refusal_lets_the_secrets_of_that_object_alone_be_read_anew(lab, still):
    await put(lab.kube, "login", username="me", password="pw")
    await put(lab.kube, "other", username="me", password="pw")
    lab.declare(secret="login")
    lab.known["team", "second"] = GitRepositoryRequest(key=("team", "second"), url=URL, secret="other")
    second = object_credential(GIT_REPOSITORY, "team", "second")
    await lab.reach()
    await lab.reach(ref=second)
    still.now += 6
    writer = RenewingWriter(RefusingWriter(), objects=lab.repositories)
    with pytest.raises(GitDenied):
        await writer.look(GitBranch(url=URL, branch="main", credential=FLEET), ())
    await lab.reach()
    await lab.reach(ref=second)
    assert (lab.kube.count("secrets/login"), lab.kube.count("secrets/other")) == (2, 1)


class RefusingWriter:
    """A writer whose server refuses everybody."""

    async def look(self, destination, subscriptions):
        raise GitDenied("no")


async def test_a_right_that_is_missing_is_named(lab):
    lab.kube.faults.append(when(lambda _: refuse(403, "Forbidden"), part="/secrets/"))
    lab.declare(secret="login")
    with pytest.raises(KubeDenied) as denied:
        await lab.reach()
    assert "get of secrets in the namespace team" in denied.value.hint
