"""Flux's objects are reached under real RBAC: one Secret at a time, in the namespaces that were granted and no other."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace

import pytest

from tests.fakes.certificates import Authority
from tests.fakes.registry import FakeRegistry, wants_basic
from tests.real.cluster import start
from updater.credentials.github_app import InstallationTokens
from updater.credentials.keychain import Keychain
from updater.errors import ConfigError, KubeDenied
from updater.flux.git_repositories import FluxRepositories
from updater.flux.registry_access import FluxRegistries
from updater.flux.request.requests import GitRepositoryRequest
from updater.http.client import HttpClient
from updater.kube.access import AccessEnvironment, find_access
from updater.kube.client import PATIENCE, KubeClient
from updater.model.credential import IMAGE_REPOSITORY, SERVICE_ACCOUNT, Credential, object_credential
from updater.model.image import parse_name
from updater.registry.client import RegistryClient
from updater.registry.transport import RegistryTransport

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("flux-access")]

#: no list, no watch
RIGHTS = [{"apiGroups": [""], "resources": ["secrets", "serviceaccounts"], "verbs": ["get"]}]
URL = "https://git.test/fleet.git"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with start(tmp_path_factory.mktemp("cluster")) as cluster:
        for name in ("team", "other"):
            cluster.namespace(name)
        yield cluster


@pytest.fixture
async def lab(cluster, tmp_path):
    specs, known = {}, {}
    path = cluster.kubeconfig(tmp_path / "kubeconfig", {"token": cluster.service_account("team", "updater", RIGHTS)})
    async with HttpClient(patience=PATIENCE) as near, HttpClient() as far:
        client = KubeClient(find_access(path, surroundings=AccessEnvironment(environment={}, home=tmp_path)), near)
        registries = FluxRegistries(client, lambda *key: specs.get(key))
        keychain = Keychain(environment={}, docker_configs=())
        yield SimpleNamespace(
            specs=specs,
            known=known,
            registry=RegistryClient(RegistryTransport(far, keychain, objects=registries)),
            repositories=FluxRepositories(client, lambda *key: known.get(key), tokens=InstallationTokens(far)),
        )


def put(cluster, namespace, name, form, **data):
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": form,
        "metadata": {"name": name, "namespace": namespace},
        "data": encoded,
    }
    cluster.apply(f"/api/v1/namespaces/{namespace}/secrets/{name}", body)


def put_login(cluster, namespace, name, host):
    auth = base64.b64encode(b"me:word").decode()
    config = json.dumps({"auths": {host: {"auth": auth}}})
    put(cluster, namespace, name, "kubernetes.io/dockerconfigjson", **{".dockerconfigjson": config})


async def test_the_secrets_of_an_image_repository_open_its_registry(cluster, lab, tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue("client")
    context = authority.server_context(authority.issue("server"), wants_client=True)
    async with FakeRegistry(tls=context) as server:
        server.push("org/app", "1.0.0")
        server.faults.append(wants_basic("me", "word"))
        put_login(cluster, "team", "login", server.host)
        texts = {"tls.crt": pair.certificate.read_text(), "tls.key": pair.key.read_text()}
        put(cluster, "team", "tls", "kubernetes.io/tls", **texts, **{"ca.crt": authority.path.read_text()})
        image = parse_name(f"{server.host}/org/app")
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "robot", "namespace": "team"},
            "imagePullSecrets": [{"name": "login"}],
        }
        cluster.apply("/api/v1/namespaces/team/serviceaccounts/robot", account)
        for login in ({"secretRef": {"name": "login"}}, {"serviceAccountName": "robot"}):
            name = next(iter(login))
            lab.specs["team", name.lower()] = {"image": str(image), "certSecretRef": {"name": "tls"}, **login}
            ref = object_credential(IMAGE_REPOSITORY, "team", name.lower())
            assert (await lab.registry.tags(image, ref)).tags == ("1.0.0",)


async def test_objects_of_a_namespace_that_was_not_granted_reach_nothing(cluster, lab):
    put_login(cluster, "other", "login", "corp.example")
    lab.specs["other", "app"] = {"image": "corp.example/a", "secretRef": {"name": "login"}}
    image = parse_name("corp.example/a")
    for kind, name, right in ((IMAGE_REPOSITORY, "app", "secrets"), (SERVICE_ACCOUNT, "default", "serviceaccounts")):
        with pytest.raises(KubeDenied) as denied:
            await lab.registry.tags(image, object_credential(kind, "other", name))
        assert f"get of {right} in the namespace other" in denied.value.hint


async def test_the_secret_of_a_git_repository_is_read_from_its_namespace(cluster, lab):
    put(cluster, "team", "git", "Opaque", username="me", password="word")
    lab.known["team", "fleet"] = GitRepositoryRequest(key=("team", "fleet"), url=URL, secret="git")
    lab.known["other", "fleet"] = GitRepositoryRequest(key=("other", "fleet"), url=URL, secret="git")
    lab.known["team", "gone"] = GitRepositoryRequest(key=("team", "gone"), url=URL, secret="gone")
    found = await lab.repositories.of_git_repository("team", "fleet", URL)
    assert (found.credential, found.deadline) == (Credential(username="me", password="word"), 60.0)
    with pytest.raises(KubeDenied):
        await lab.repositories.of_git_repository("other", "fleet", URL)
    with pytest.raises(ConfigError, match="Secret team/gone: it does not exist"):
        await lab.repositories.of_git_repository("team", "gone", URL)
