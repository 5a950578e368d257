"""Promises about ImageRepositories: each reaches its registry by its own Secrets, and by those of its namespace alone."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace

import pytest
from aiohttp import web

from tests.fakes.certificates import Authority
from tests.fakes.http_proxy import HttpProxy
from tests.fakes.kube import FakeKube, refuse, when
from tests.fakes.registry import FakeRegistry, always, times, wants_basic, wants_bearer
from tests.fakes.still_time import StillTime
from updater.credentials.keychain import Keychain
from updater.errors import ConfigError, KubeDenied, RateLimited, RegistryDenied, RegistryUnavailable
from updater.flux.registry_access import FluxRegistries
from updater.http.client import HttpClient
from updater.kube.client import PATIENCE, KubeClient
from updater.kube.kinds import SECRET, SERVICE_ACCOUNT
from updater.model.credential import IMAGE_REPOSITORY, object_credential, parse_credential_ref
from updater.model.credential import SERVICE_ACCOUNT as ACCOUNT
from updater.model.image import parse_name
from updater.registry.client import RegistryClient
from updater.registry.endpoints import RegistryEntry
from updater.registry.transport import RegistryTransport

APP = object_credential(IMAGE_REPOSITORY, "team", "app")
ROBOT = object_credential(ACCOUNT, "team", "robot")
OPAQUE = {"type": "Opaque"}


@pytest.fixture
def still():
    return StillTime()


@pytest.fixture
async def kube():
    async with FakeKube() as server:
        server.install(SECRET)
        server.install(SERVICE_ACCOUNT)
        yield server


@pytest.fixture
async def lab(kube, still, tmp_path):
    """ImageRepositories by namespace and name in `specs`, and a registry client that resolves them."""
    specs = {}
    surroundings = still.surroundings()
    async with HttpClient(patience=PATIENCE, surroundings=surroundings) as near, HttpClient(surroundings=surroundings) as far:
        found = FluxRegistries(KubeClient(kube.access(tmp_path), near), lambda *key: specs.get(key), clock=still.clock)

        def client(*entries):
            keychain = Keychain(environment={"OURS": "ours:word"}, docker_configs=())
            return RegistryClient(RegistryTransport(far, keychain, objects=found), entries)

        yield SimpleNamespace(specs=specs, registries=found, client=client, kube=kube, http=far)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
async def closed(authority):
    """A registry over TLS of its own authority, which wants a client certificate and a password."""
    context = authority.server_context(authority.issue("server"), wants_client=True)
    async with FakeRegistry(tls=context) as server:
        server.faults.append(wants_basic("me", "word"))
        server.push("org/app", "1.0.0")
        yield server


async def put(kube, name, /, *, namespace="team", form="Opaque", **data):
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    await kube.put(SECRET, name, namespace, type=form, data=encoded)


async def put_login(kube, name, host, login, **more):
    auth = base64.b64encode(login.encode()).decode()
    config = json.dumps({"auths": {host: {"auth": auth}}})
    await put(kube, name, form="kubernetes.io/dockerconfigjson", **{".dockerconfigjson": config}, **more)


async def put_certificates(kube, authority, *, names=("ca.crt", "tls.crt", "tls.key"), form="Opaque"):
    pair = authority.issue("client")
    texts = (authority.path.read_text(), pair.certificate.read_text(), pair.key.read_text())
    await put(kube, "tls", form=form, **dict(zip(names, texts, strict=True)))


def spec(image, **more):
    return {"image": image, "interval": "1m", **more}


@pytest.mark.parametrize("names", [("ca.crt", "tls.crt", "tls.key"), ("caFile", "certFile", "keyFile")])
@pytest.mark.parametrize("form", ["Opaque", "kubernetes.io/tls"])
async def test_a_registry_with_its_own_authority_client_certificate_and_password(lab, closed, authority, names, form):
    await put_login(lab.kube, "login", closed.host, "me:word")
    await put_certificates(lab.kube, authority, names=names, form=form)
    image = f"{closed.host}/org/app"
    lab.specs["team", "app"] = spec(image, secretRef={"name": "login"}, certSecretRef={"name": "tls"})
    assert (await lab.client().tags(parse_name(image), APP)).tags == ("1.0.0",)


async def test_without_the_certificates_the_same_registry_is_not_trusted(lab, closed):
    await put_login(lab.kube, "login", closed.host, "me:word")
    image = f"{closed.host}/org/app"
    lab.specs["team", "app"] = spec(image, secretRef={"name": "login"})
    entry = RegistryEntry(prefix=closed.host, url=closed.url)
    with pytest.raises(RegistryUnavailable) as refused:
        await lab.client(entry).tags(parse_name(image), APP)
    assert refused.value.code == "registry-tls"


async def test_an_authority_alone_is_trusted_besides_those_of_the_system(lab, authority):
    async with FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server:
        server.push("org/app", "1.0.0")
        await put(lab.kube, "tls", **{"ca.crt": authority.path.read_text()})
        image = f"{server.host}/org/app"
        lab.specs["team", "app"] = spec(image, certSecretRef={"name": "tls"})
        assert (await lab.client().tags(parse_name(image), APP)).tags == ("1.0.0",)


@pytest.mark.parametrize("password", ["word", "p@ss:w/rd %41"])
async def test_a_registry_over_tls_is_reached_through_the_proxy_of_the_object(lab, authority, password):
    """User name and password come as they stand in the Secret, whatever signs they have."""
    async with (
        FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server,
        HttpProxy(("us", password)) as proxy,
    ):
        server.push("org/app", "1.0.0")
        await put(lab.kube, "tls", **{"ca.crt": authority.path.read_text()})
        await put(lab.kube, "proxy", address=proxy.url, username="us", password=password)
        image = f"{server.host}/org/app"
        lab.specs["team", "app"] = spec(image, certSecretRef={"name": "tls"}, proxySecretRef={"name": "proxy"})
        assert (await lab.client().tags(parse_name(image), APP)).tags == ("1.0.0",)
        assert [first for first, _ in proxy.asked] == [f"CONNECT {server.host} HTTP/1.1"]


async def test_plain_http_goes_through_the_proxy_too(lab):
    async with FakeRegistry() as server, HttpProxy() as proxy:
        server.push("org/app", "1.0.0")
        await put(lab.kube, "proxy", address=proxy.url)
        image = f"{server.host}/org/app"
        lab.specs["team", "app"] = spec(image, proxySecretRef={"name": "proxy"}, insecure=True)
        assert (await lab.client().tags(parse_name(image), APP)).tags == ("1.0.0",)
        assert len(proxy.asked) == 1


async def test_a_proxy_that_refuses_is_named_as_such(lab):
    async with FakeRegistry() as server, HttpProxy(("us", "word")) as proxy:
        await put(lab.kube, "proxy", address=proxy.url, username="us", password="other")
        image = f"{server.host}/org/app"
        lab.specs["team", "app"] = spec(image, proxySecretRef={"name": "proxy"})
        with pytest.raises(RegistryUnavailable, match="proxy") as refused:
            await lab.client(RegistryEntry(prefix=server.host, url=server.url)).tags(parse_name(image), APP)
        assert "other" not in str(refused.value)


async def test_insecure_asks_by_plain_http_and_nobody_else_does(lab, monkeypatch):
    async with FakeRegistry() as server:
        server.push("org/app", "1.0.0")
        monkeypatch.setattr("updater.registry.endpoints.is_loopback", lambda _host: False)
        image = f"{server.host}/org/app"
        lab.specs["team", "app"] = spec(image, insecure=True)
        lab.specs["team", "other"] = spec(image)
        assert (await lab.client().tags(parse_name(image), APP)).tags == ("1.0.0",)
        with pytest.raises(RegistryUnavailable):
            await lab.client().tags(parse_name(image), object_credential(IMAGE_REPOSITORY, "team", "other"))


async def test_insecure_reaches_a_registry_that_speaks_tls_all_the_same(lab, authority):
    """Plain HTTP is allowed, not wanted; the password goes by verified TLS alone, and later requests go there at once."""
    async with FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server:
        server.push("org/app", "1.0.0")
        server.faults.append(wants_basic("me", "word"))
        await put(lab.kube, "tls", **{"ca.crt": authority.path.read_text()})
        await put_login(lab.kube, "login", server.host, "me:word")
        image = parse_name(f"{server.host}/org/app")
        lab.specs["team", "app"] = spec(str(image), insecure=True, certSecretRef={"name": "tls"}, secretRef={"name": "login"})
        client = lab.client()
        for _ in range(2):
            assert (await client.tags(image, APP)).tags == ("1.0.0",)
        assert (await client._place(image, APP)).root.startswith("https://")


async def test_insecure_does_not_mean_unverified_tls(lab, authority):
    async with FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server:
        server.push("org/app", "1.0.0")
        image = parse_name(f"{server.host}/org/app")
        lab.specs["team", "app"] = spec(str(image), insecure=True)
        with pytest.raises(RegistryUnavailable):
            await lab.client().tags(image, APP)
        assert server.asked == []


async def test_insecure_leaves_docker_hub_and_a_url_of_the_settings_as_they_are(lab):
    lab.specs["team", "app"] = spec("alpine", insecure=True)
    entry = await lab.registries.entry(APP, RegistryEntry(prefix="corp.example", url="https://mirror.example"))
    assert (entry.url, entry.insecure) == ("https://mirror.example", False)
    place = await lab.client()._place(parse_name("alpine"), APP)
    assert (place.root, place.connection.insecure) == ("https://registry-1.docker.io/v2/library/alpine", False)


async def test_what_the_settings_say_of_a_registry_still_counts(lab, authority):
    """Rate, concurrency, URL and private hosts stay; the client certificate of the settings is not shown by another way."""
    await put(lab.kube, "tls", **{"ca.crt": authority.path.read_text()})
    lab.specs["team", "app"] = spec("corp.example/org/app", certSecretRef={"name": "tls"})
    ours = RegistryEntry(
        prefix="corp.example",
        url="https://mirror.example",
        rate=3.0,
        concurrency=2,
        private_hosts=("10.0.0.0/8",),
        client_certificate="/ours.pem",
        insecure=True,
    )
    entry = await lab.registries.entry(APP, ours)
    assert (entry.url, entry.rate, entry.concurrency, entry.private_hosts) == (
        "https://mirror.example",
        3.0,
        2,
        ("10.0.0.0/8",),
    )
    assert (entry.client_certificate, entry.insecure, entry.ca.splitlines()[0]) == (None, False, "-----BEGIN CERTIFICATE-----")


async def test_an_object_without_credentials_is_not_shown_those_of_the_settings(lab):
    async with FakeRegistry() as server, HttpProxy() as proxy:
        server.push("org/app", "1.0.0")
        await put(lab.kube, "proxy", address=proxy.url)
        image = f"{server.host}/org/app"
        lab.specs["team", "app"] = spec(image, proxySecretRef={"name": "proxy"})
        entry = RegistryEntry(prefix=server.host, credentials=parse_credential_ref("env:OURS"))
        await lab.client(entry).tags(parse_name(image), APP)
        assert [asked.authorization for asked in server.asked] == [None]


@pytest.mark.parametrize(
    ("more", "secret", "data", "says"),
    [
        pytest.param({"secretRef": {"name": "gone"}}, {}, {}, "the Secret team/gone: it does not exist", id="missing"),
        pytest.param({"secretRef": {"name": "../../etc"}}, {}, {}, "not the name of an object", id="no-name"),
        pytest.param({"secretRef": {"name": "s"}}, OPAQUE, {"username": "me"}, "no key .dockerconfigjson", id="opaque-login"),
        pytest.param({"certSecretRef": {"name": "gone"}}, {}, {}, "the Secret team/gone: it does not exist", id="no-tls"),
        pytest.param(
            {"certSecretRef": {"name": "s"}},
            {"type": "kubernetes.io/dockerconfigjson"},
            {"ca.crt": "x"},
            "its type is kubernetes.io/dockerconfigjson",
            id="login-as-tls",
        ),
        pytest.param({"certSecretRef": {"name": "s"}}, OPAQUE, {"x": "y"}, "neither ca.crt nor tls.crt and tls.key", id="empty"),
        pytest.param({"certSecretRef": {"name": "s"}}, OPAQUE, {"tls.crt": "y"}, "no key tls.key", id="no-key"),
        pytest.param({"certSecretRef": {"name": "s"}}, OPAQUE, {"keyFile": "y"}, "no key tls.crt", id="no-certificate"),
        pytest.param({"certSecretRef": {"name": "s"}}, OPAQUE, {"ca.crt": "words"}, "ca.crt is not PEM text", id="no-pem"),
        pytest.param(
            {"certSecretRef": {"name": "s"}},
            OPAQUE,
            {"ca.crt": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"},
            "ca.crt cannot be used",
            id="broken-pem",
        ),
        pytest.param({"proxySecretRef": {"name": "s"}}, OPAQUE, {"username": "me"}, "no key address", id="no-address"),
        pytest.param(
            {"proxySecretRef": {"name": "s"}}, OPAQUE, {"address": "proxy:3128"}, "not a URL of a proxy", id="no-scheme"
        ),
        pytest.param({"proxySecretRef": {"name": "s"}}, OPAQUE, {"address": "http://[::1"}, "address is not a URL", id="no-url"),
        pytest.param({"serviceAccountName": "gone"}, {}, {}, "the ServiceAccount team/gone: it does not exist", id="no-account"),
    ],
)
async def test_a_secret_that_cannot_be_used_is_named_with_its_key(lab, more, secret, data, says):
    if secret:
        await put(lab.kube, "s", form=secret["type"], **data)
    lab.specs["team", "app"] = spec("corp.example/org/app", **more)
    with pytest.raises(ConfigError) as refused:
        await lab.client().tags(parse_name("corp.example/org/app"), APP)
    assert says in refused.value.message
    assert refused.value.code == "credential-secret"


async def test_a_socks_proxy_is_an_error_of_its_own(lab):
    await put(lab.kube, "s", address="socks5://127.0.0.1:1080")
    lab.specs["team", "app"] = spec("corp.example/org/app", proxySecretRef={"name": "s"})
    with pytest.raises(ConfigError) as refused:
        await lab.client().tags(parse_name("corp.example/org/app"), APP)
    assert refused.value.code == "proxy-unsupported"


async def test_a_login_for_another_registry_is_no_anonymous_access(lab):
    await put_login(lab.kube, "login", "ghcr.io", "me:word")
    lab.specs["team", "app"] = spec("corp.example/org/app", secretRef={"name": "login"})
    with pytest.raises(ConfigError) as refused:
        await lab.client().tags(parse_name("corp.example/org/app"), APP)
    assert (refused.value.code, refused.value.message) == (
        "credential-entry",
        "the Secret team/login has no entry for corp.example",
    )


async def test_an_object_that_is_gone_is_an_error(lab):
    with pytest.raises(ConfigError) as refused:
        await lab.client().tags(parse_name("corp.example/org/app"), APP)
    assert refused.value.code == "credential-object"


@pytest.mark.parametrize("provider", ["aws", "azure", "gcp", "unsupported-provider"])
async def test_a_cloud_provider_is_not_supported_yet(lab, provider):
    """flux-297."""
    lab.specs["team", "app"] = spec("corp.example/org/app", provider=provider, insecure=True)
    with pytest.raises(ConfigError) as refused:
        await lab.client().tags(parse_name("corp.example/org/app"), APP)
    assert refused.value.code == "credential-unsupported"


class TestServiceAccounts:
    async def put(self, kube, *secrets):
        await kube.put(SERVICE_ACCOUNT, "robot", "team", imagePullSecrets=[{"name": secret} for secret in secrets])

    async def test_one_without_pull_secrets_is_anonymous(self, lab):
        """flux-295."""
        await self.put(lab.kube)
        assert await lab.registries.credentials(ROBOT, (parse_name("corp.example/a"),)) == ()

    async def test_a_pull_secret_that_is_missing_is_an_error(self, lab):
        """flux-296."""
        await self.put(lab.kube, "gone")
        with pytest.raises(ConfigError, match="Secret team/gone"):
            await lab.registries.credentials(ROBOT, (parse_name("corp.example/a"),))

    async def test_an_ecr_host_without_a_secret_is_asked_anonymously(self, lab):
        """flux-298: no login is attempted."""
        image = parse_name("1.dkr.ecr.eu-west-1.amazonaws.com/app")
        lab.specs["team", "app"] = spec(str(image), provider="generic")
        assert await lab.registries.credentials(APP, (image,)) == ()

    async def test_all_its_pull_secrets_count(self, lab):
        async with FakeRegistry() as server:
            server.push("org/app", "1.0.0")
            server.faults.append(wants_basic("me", "word"))
            await put_login(lab.kube, "one", "ghcr.io", "me:other")
            await put_login(lab.kube, "two", server.host, "me:word")
            await self.put(lab.kube, "one", "two")
            image = parse_name(f"{server.host}/org/app")
            assert (await lab.client().tags(image, ROBOT)).tags == ("1.0.0",)

    async def test_the_secret_of_the_object_is_tried_before_those_of_its_account(self, lab):
        await put_login(lab.kube, "one", "corp.example", "first:word")
        await put_login(lab.kube, "two", "corp.example", "second:word")
        await self.put(lab.kube, "two")
        lab.specs["team", "app"] = spec("corp.example/a", secretRef={"name": "one"}, serviceAccountName="robot")
        found = await lab.registries.credentials(APP, (parse_name("corp.example/a"),))
        assert [item.username for item in found] == ["first", "second"]

    async def test_a_program_that_a_pull_secret_names_is_never_run(self, lab):
        config = json.dumps({"auths": {}, "credHelpers": {"corp.example": "evil"}, "credsStore": "evil"})
        await put(lab.kube, "one", form="kubernetes.io/dockerconfigjson", **{".dockerconfigjson": config})
        await self.put(lab.kube, "one")
        assert await lab.registries.credentials(ROBOT, (parse_name("corp.example/a"),)) == ()


class TestTenants:
    async def test_a_secret_of_another_namespace_is_not_read(self, lab):
        await put_login(lab.kube, "login", "corp.example", "me:word", namespace="other")
        lab.specs["team", "app"] = spec("corp.example/a", secretRef={"name": "login", "namespace": "other"})
        with pytest.raises(ConfigError, match="Secret team/login"):
            await lab.registries.credentials(APP, (parse_name("corp.example/a"),))
        assert lab.kube.count("/namespaces/other/") == 0

    async def test_secrets_are_read_one_by_one(self, lab):
        await put_login(lab.kube, "login", "corp.example", "me:word")
        lab.specs["team", "app"] = spec("corp.example/a", secretRef={"name": "login"})
        await lab.registries.credentials(APP, (parse_name("corp.example/a"),))
        assert [asked.path for asked in lab.kube.asked] == ["/api/v1/namespaces/team/secrets/login"]

    @pytest.mark.parametrize("text", ["imagerepository:team/app", "serviceaccount:team/robot", "gitrepository:team/fleet"])
    def test_nobody_writes_such_a_reference(self, text):
        with pytest.raises(ConfigError) as refused:
            parse_credential_ref(text)
        assert refused.value.code == "credential-ref"

    async def test_a_right_that_is_missing_is_named(self, lab):
        lab.kube.faults.append(when(lambda _: refuse(403, "Forbidden"), part="/secrets/"))
        lab.specs["team", "app"] = spec("corp.example/a", secretRef={"name": "login"})
        with pytest.raises(KubeDenied) as denied:
            await lab.registries.credentials(APP, (parse_name("corp.example/a"),))
        assert "get of secrets in the namespace team" in denied.value.hint

    async def test_what_a_proxy_of_a_tenant_answers_is_believed_by_that_tenant_alone(self, lab):
        """It answers in the name of any registry: its tokens, its pauses and its failures are no news of the registry itself."""
        async with FakeRegistry() as server, FakeRegistry() as evil, HttpProxy(lure=evil.port) as proxy:
            server.push("org/app", "1.0.0")
            evil.faults += [
                always("/token", lambda _: web.json_response({"token": "evil-token"})),
                wants_bearer(lambda _: f'Bearer realm="{server.url}/token"', "evil-token".__eq__),
                times(1, 429, headers={"Retry-After": "800"}),
            ]
            await put(lab.kube, "proxy", address=proxy.url)
            image = parse_name(f"{server.host}/org/app")
            lab.specs["team", "app"] = spec(str(image), proxySecretRef={"name": "proxy"})
            client = lab.client()
            with pytest.raises(RateLimited):
                await client.tags(image, APP)
            assert (await client.tags(image)).tags == ("1.0.0",)
            assert [asked.authorization for asked in server.asked] == [None]
            assert evil.asked[-1].authorization == "Bearer evil-token"


class TestRotation:
    async def test_a_secret_is_read_once_a_minute_however_many_ask(self, lab, still):
        await put_login(lab.kube, "login", "corp.example", "me:word")
        lab.specs["team", "app"] = spec("corp.example/a", secretRef={"name": "login"})
        for _ in range(5):
            await lab.registries.credentials(APP, (parse_name("corp.example/a"),))
        assert lab.kube.count("secrets/login") == 1
        await put_login(lab.kube, "login", "corp.example", "me:new")
        still.now += 60
        (found,) = await lab.registries.credentials(APP, (parse_name("corp.example/a"),))
        assert found.password == "new"

    async def test_a_refused_password_is_read_anew_at_once(self, lab, still):
        async with FakeRegistry() as server:
            server.push("org/app", "1.0.0")
            server.faults.append(wants_basic("me", "new"))
            image = parse_name(f"{server.host}/org/app")
            await put_login(lab.kube, "login", server.host, "me:old")
            lab.specs["team", "app"] = spec(str(image), secretRef={"name": "login"})
            client = lab.client()
            with pytest.raises(RegistryDenied):
                await client.tags(image, APP)
            await put_login(lab.kube, "login", server.host, "me:new")
            still.now += 6
            assert (await client.tags(image, APP)).tags == ("1.0.0",)

    async def test_a_certificate_that_was_renewed_makes_a_new_connection(self, lab, authority, still):
        async with FakeRegistry(tls=authority.server_context(authority.issue("server"))) as server:
            server.push("org/app", "1.0.0")
            image = parse_name(f"{server.host}/org/app")
            folder = authority.path.parent / "other"
            folder.mkdir()
            await put(lab.kube, "tls", **{"ca.crt": Authority(folder).path.read_text()})
            lab.specs["team", "app"] = spec(str(image), certSecretRef={"name": "tls"})
            client = lab.client()
            with pytest.raises(RegistryUnavailable):
                await client.tags(image, APP)
            await put(lab.kube, "tls", **{"ca.crt": authority.path.read_text()})
            still.now += 60
            assert (await client.tags(image, APP)).tags == ("1.0.0",)

    async def test_what_was_known_holds_while_the_api_server_is_away(self, lab, still):
        await put_login(lab.kube, "login", "corp.example", "me:word")
        lab.specs["team", "app"] = spec("corp.example/a", secretRef={"name": "login"})
        await lab.registries.credentials(APP, (parse_name("corp.example/a"),))
        lab.kube.faults.append(when(lambda _: refuse(503, "Busy"), part="/secrets/"))
        still.now += 120
        (found,) = await lab.registries.credentials(APP, (parse_name("corp.example/a"),))
        assert found.password == "word"
