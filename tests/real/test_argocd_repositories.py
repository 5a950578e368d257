"""Git is reached as Argo CD reaches it: real Secrets under real RBAC, a real Git server over TLS, a real SSH server."""

from __future__ import annotations

import base64
import time
from types import SimpleNamespace

import pytest

from tests.engine.making import git_branch
from tests.fakes.git_server import Authority, BareRepository, GitServer
from tests.fakes.ssh_server import SshServer, make_key
from tests.fakes.still_time import StillTime
from tests.real.cluster import start
from tests.real.parts import require
from tests.writeback.overridden import unsigned
from updater.argocd.repositories import Repositories
from updater.argocd.repository_secrets import LABEL
from updater.credentials.github_app import InstallationTokens
from updater.credentials.keychain import Keychain
from updater.daemon.git_access import RenewingWriter, access_for
from updater.editors import make_editors
from updater.errors import GitDenied, KubeDenied
from updater.git.mirror import Mirror
from updater.http.client import HttpClient
from updater.kube.access import AccessEnvironment, find_access
from updater.kube.client import PATIENCE, KubeClient
from updater.settings import build_settings
from updater.writeback.branch_writer import CommitSettings, GitWriter
from updater.writeback.message import commit_message

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("argocd-repositories")]

#: what the chart grants for this, and no more
IN_ARGOCD = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["argocd-tls-certs-cm", "argocd-ssh-known-hosts-cm"],
        "verbs": ["get"],
    },
]
IN_TEAM = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
HOST = "localhost"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with start(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.namespace("argocd")
        cluster.namespace("team")
        yield cluster


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def git(tmp_path, authority):
    """A private repository behind TLS."""
    require("git")
    require("git-http-backend")
    repository = BareRepository.make(tmp_path / "served" / "org" / "fleet.git", {"a.yaml": b"a: 1\n"})
    tls = authority.context(authority.issue("git"))
    with GitServer(tmp_path / "served", basic=("me", "first"), tls=tls) as server:
        yield SimpleNamespace(server=server, repository=repository, url=server.url("org/fleet.git", HOST))


@pytest.fixture
def still():
    return StillTime()


@pytest.fixture(scope="module")
def token(cluster):
    """Of an account that may do what the chart grants for Git, in Argo CD's namespace and in that of a team, and no more."""
    token = cluster.service_account("argocd", "updater", IN_ARGOCD)
    cluster.service_account("team", "updater", IN_TEAM)
    binding = "/apis/rbac.authorization.k8s.io/v1/namespaces/team/rolebindings/updater"
    subjects = [{"kind": "ServiceAccount", "name": "updater", "namespace": "argocd"}]
    cluster.request("PATCH", binding, {"subjects": subjects}, form="application/merge-patch+json")
    wait_until_allowed(cluster, {"namespace": "team", "verb": "get", "resource": "secrets"})
    return token


def wait_until_allowed(cluster, attributes):
    """Wait until the API server has taken up a right that was granted."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": "system:serviceaccount:argocd:updater", "resourceAttributes": attributes},
    }
    for _ in range(200):
        if cluster.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]:
            return
        time.sleep(0.05)
    raise AssertionError(f"{attributes} is not allowed")


@pytest.fixture
async def repositories(cluster, token, tmp_path, still):
    """What Argo CD knows, read by an account that may do nothing else."""
    path = cluster.kubeconfig(tmp_path / "kubeconfig", {"token": token})
    async with HttpClient(patience=PATIENCE) as near, HttpClient() as far:
        client = KubeClient(find_access(path, surroundings=AccessEnvironment(environment={}, home=tmp_path)), near)
        yield Repositories(client, "argocd", tokens=InstallationTokens(far), clock=still.clock)
    for item in cluster.request("GET", "/api/v1/namespaces/argocd/secrets")["items"]:
        cluster.request("DELETE", f"/api/v1/namespaces/argocd/secrets/{item['metadata']['name']}")


def put_secret(cluster, name, kind, /, *, namespace="argocd", **fields):
    data = {key: base64.b64encode(value.encode()).decode() for key, value in fields.items()}
    metadata = {"name": name, "namespace": namespace, "labels": {LABEL: kind} if kind else {}}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    cluster.apply(f"/api/v1/namespaces/{namespace}/secrets/{name}", body)


def put_map(cluster, name, /, **data):
    metadata = {"name": name, "namespace": "argocd"}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    cluster.apply(f"/api/v1/namespaces/argocd/configmaps/{name}", body)


@pytest.fixture
def trusted(cluster, authority):
    """The authority of the Git server is one that Argo CD trusts."""
    put_map(cluster, "argocd-tls-certs-cm", **{HOST: authority.ca.read_text()})
    yield
    cluster.request("DELETE", "/api/v1/namespaces/argocd/configmaps/argocd-tls-certs-cm")


@pytest.fixture
async def writer(repositories, tmp_path):
    """A writer whose mirrors are reached as the daemon reaches them."""
    settings = build_settings([("updater.yaml", b"subscriptions: []\n")], {})
    keychain = Keychain(environment={}, docker_configs=[])
    mirrors = {}

    def mirror(branch):
        key = branch.url, branch.credential

        async def access():
            return await access_for(branch.url, settings, keychain, credential=branch.credential, repositories=repositories)

        if key not in mirrors:
            mirrors[key] = Mirror(branch.url, tmp_path / f"mirror-{len(mirrors)}", access)
        return mirrors[key]

    pen = CommitSettings(message=commit_message, signer=unsigned, now=lambda: None)
    yield RenewingWriter(GitWriter(mirror=mirror, editors=make_editors(), pen=pen), repositories)
    for each in mirrors.values():
        await each.close()


def branch(url, credential=""):
    return git_branch(url, credential=credential)


async def test_a_private_repository_is_read_by_argo_cds_secret_and_authority(cluster, writer, git, trusted):
    put_secret(cluster, "creds", "repo-creds", url=f"https://{HOST}:{git.server.port}/org", username="me", password="first")
    put_secret(cluster, "fleet", "repository", url=git.url.upper().replace("HTTPS", "https"), name="fleet", type="git")
    view = await writer.look(branch(git.url), ())
    assert view.head == git.repository.head()


async def test_a_secret_that_was_rotated_is_taken_up_after_one_refusal(cluster, writer, git, trusted, still):
    put_secret(cluster, "fleet", "repository", url=git.url, username="me", password="first")
    assert (await writer.look(branch(git.url), ())).head
    git.server.basic = ("me", "second")
    put_secret(cluster, "fleet", "repository", url=git.url, username="me", password="second")
    still.now += 10
    with pytest.raises(GitDenied):
        await writer.look(branch(git.url), ())
    assert (await writer.look(branch(git.url), ())).head == git.repository.head()


async def test_a_secret_that_a_destination_names_reaches_it_alone(cluster, writer, git, trusted):
    put_secret(cluster, "git", "", namespace="team", username="me", password="first")
    assert (await writer.look(branch(git.url, "secret:team/git"), ())).head == git.repository.head()
    with pytest.raises(GitDenied) as caught:
        await writer.look(branch(git.url), ())
    assert caught.value.code == "git-denied"


async def test_argo_163_a_server_that_nobody_vouches_for_is_refused_before_it_sees_a_password(cluster, writer, git):
    put_secret(cluster, "git", "", namespace="team", username="me", password="first")
    put_secret(cluster, "fleet", "repository", url=git.url, username="me", password="first", insecure="maybe")
    for credential in ("secret:team/git", ""):
        with pytest.raises(GitDenied) as caught:
            await writer.look(branch(git.url, credential), ())
        assert caught.value.code == "git-tls"
    assert git.server.count() == 0


async def test_insecure_of_one_repository_holds_for_it(cluster, writer, git):
    put_secret(cluster, "fleet", "repository", url=git.url, username="me", password="first", insecure="true")
    assert (await writer.look(branch(git.url), ())).head == git.repository.head()


async def test_a_secret_of_a_namespace_without_the_right_names_it(cluster, repositories):
    cluster.namespace("foreign")
    put_secret(cluster, "git", "", namespace="foreign", username="me", password="first")
    with pytest.raises(KubeDenied) as caught:
        await repositories.of_secret("foreign", "git", "https://git.test/x")
    assert "get of the Secret git in the namespace foreign" in caught.value.hint


async def test_ssh_goes_by_the_key_of_a_secret_and_the_host_keys_of_argo_cd(cluster, writer, still, tmp_path, tmp_path_factory):
    program, _ = require("sshd"), require("git")
    folder = tmp_path_factory.mktemp("sshd")
    key = make_key(folder / "id").decode()
    repository = BareRepository.make(tmp_path / "fleet.git", {"a.yaml": b"a: 1\n"})
    with SshServer(folder, program, [folder / "id.pub"]) as server:
        url = server.url(repository.path)
        put_secret(cluster, "creds", "repo-creds", url=url.removesuffix(str(repository.path)), sshPrivateKey=key)
        with pytest.raises(GitDenied) as caught:
            await writer.look(branch(url), ())
        assert caught.value.code == "host-key-unknown"
        put_map(cluster, "argocd-ssh-known-hosts-cm", ssh_known_hosts=server.known_hosts.decode())
        still.now += 10
        assert (await writer.look(branch(url), ())).head == repository.head()
