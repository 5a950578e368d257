"""Promises of the way to the cluster: kubeconfig files, contexts, tokens, certificates, pods."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace

import pytest

from tests.fakes.certificates import Authority
from tests.fakes.kube import FakeKube, kubeconfig
from tests.fakes.still_time import StillTime
from updater.errors import ConfigError, KubeDenied, UpdaterError
from updater.http.client import HttpClient
from updater.kube.access import AccessEnvironment, find_access, find_context
from updater.kube.client import PATIENCE, KubeClient
from updater.kube.kinds import SECRET

SERVER = "https://kube.example:6443"


@pytest.fixture
def time():
    return StillTime()


@pytest.fixture
def around(tmp_path, time):
    return AccessEnvironment(
        environment={}, home=tmp_path / "home", service_account=tmp_path / "pod", clock=time.clock, wall=time.wall
    )


def write(path, user=None, server=SERVER, **cluster):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(kubeconfig(server, user or {}, **cluster))
    return path


async def bearer(access):
    return (await access.login()).headers.get("Authorization")


class TestFiles:
    async def test_the_file_that_is_named_counts_before_everything_else(self, tmp_path, around):
        write(tmp_path / "home/.kube/config", {"token": "home"})
        around = replace(around, environment={"KUBECONFIG": str(write(tmp_path / "env", {"token": "env"}))})
        assert await bearer(find_access(write(tmp_path / "named", {"token": "named"}), surroundings=around)) == "Bearer named"
        assert await bearer(find_access(surroundings=around)) == "Bearer env"

    async def test_the_way_to_another_cluster_is_never_that_of_the_pod(self, tmp_path, around):
        account = tmp_path / "account"
        account.mkdir()
        (account / "token").write_text("pod")
        (account / "ca.crt").write_text("pem")
        environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
        around = replace(around, environment=environment, service_account=account)
        assert await bearer(find_access(surroundings=around)) == "Bearer pod"
        for find in (find_context, find_access):
            with pytest.raises(ConfigError, match="no such file"):
                find(context="lab", surroundings=around)
        named = write(tmp_path / "named", {"token": "named"})
        assert await bearer(find_context("lab", named, surroundings=around)) == "Bearer named"
        around = replace(around, environment={**environment, "KUBECONFIG": str(named)})
        assert await bearer(find_context("lab", surroundings=around)) == "Bearer named"
        with pytest.raises(ConfigError, match="no context 'other'") as wrong:
            find_context("other", surroundings=around)
        assert wrong.value.hint == "it has: lab"

    async def test_without_any_other_the_home_counts(self, tmp_path, around):
        write(tmp_path / "home/.kube/config", {"token": "home"})
        access = find_access(surroundings=around)
        assert (await bearer(access), access.url, access.namespace) == ("Bearer home", SERVER, "default")

    async def test_of_several_files_the_first_to_name_a_thing_counts_and_absent_ones_are_passed_over(self, tmp_path, around):
        first, second = tmp_path / "first", tmp_path / "second"
        first.write_text(json.dumps({"users": [{"name": "me", "user": {"token": "first"}}], "contexts": None}))
        write(second, {"token": "second"})
        around = replace(
            around, environment={"KUBECONFIG": os.pathsep.join([str(tmp_path / "absent"), "", str(first), str(second)])}
        )
        access = find_access(surroundings=around)
        assert (await bearer(access), access.url) == ("Bearer first", SERVER)

    async def test_a_context_may_be_named(self, tmp_path, around):
        path = tmp_path / "config"
        whole = json.loads(kubeconfig(SERVER, {"token": "me"}))
        whole["contexts"].append({"name": "other", "context": {"cluster": "lab", "namespace": "apps"}})
        path.write_text(json.dumps(whole))
        access = find_access(path, "other", surroundings=around)
        assert (access.namespace, await bearer(access)) == ("apps", None)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (None, "no such file"),
            ("- a", "it is not a kubeconfig"),
            ("", "current-context is not set"),
            ("{", "not YAML"),
            ("current-context: x", "there is no context 'x'"),
            ("{current-context: x, contexts: {}}", "there is no context 'x'"),
            ("{current-context: x, contexts: {a: b}}", "contexts is not a list"),
            ("{current-context: x, contexts: [3, {name: x, context: 3}]}", "the context 'x' is not a map"),
            ("{current-context: x, contexts: [{name: x, context: {cluster: c}}]}", "there is no cluster 'c'"),
            ("{current-context: x, contexts: [{name: x, context: {cluster: [c]}}]}", "cluster is not text"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong(self, tmp_path, around, text, message):
        path = tmp_path / "config"
        if text is not None:
            path.write_text(text)
        with pytest.raises(ConfigError) as wrong:
            find_access(path, surroundings=around)
        assert message in str(wrong.value)
        assert str(path) in str(wrong.value)
        assert wrong.value.hint

    def test_where_there_is_no_way_at_all_that_is_said(self, around):
        with pytest.raises(ConfigError, match="no such file") as wrong:
            find_access(surroundings=around)
        assert (wrong.value.code, "KUBECONFIG" in wrong.value.hint) == ("kubeconfig", True)

    @pytest.mark.parametrize(
        ("cluster", "message"),
        [
            ({"server": ""}, "not an http or https URL"),
            ({"server": "kube.example:6443"}, "not an http or https URL"),
            ({"server": "https://[::1"}, "not an http or https URL"),
            ({"server": 3}, "server is not text"),
            ({"proxy-url": "socks5://proxy:1080"}, "socks5:// is not supported"),
            ({"insecure-skip-tls-verify": "yes"}, "neither true nor false"),
            ({"certificate-authority-data": "abc"}, "not base64"),
        ],
    )
    def test_a_cluster_that_cannot_be_reached_this_way_is_said(self, tmp_path, around, cluster, message):
        with pytest.raises(ConfigError, match=message) as wrong:
            find_access(write(tmp_path / "config", {}, **{"server": SERVER, **cluster}), surroundings=around)
        assert wrong.value.code == "kubeconfig"

    @pytest.mark.parametrize(
        ("user", "message"),
        [
            ({"username": "me", "password": "s3cret"}, "no user name and password since 1.19"),
            ({"auth-provider": {"name": "gcp"}}, "auth-provider is no longer supported"),
            ({"token": "t", "as": "a", "as-groups": ["a", "b"]}, "only one group"),
            ({"client-certificate-data": base64.b64encode(b"x").decode(), "client-key": "absent"}, "cannot be read"),
        ],
    )
    def test_a_user_that_no_server_takes_is_said(self, tmp_path, around, user, message):
        with pytest.raises(ConfigError, match=message) as wrong:
            find_access(write(tmp_path / "config", user), surroundings=around)
        assert "s3cret" not in str(wrong.value)

    async def test_another_user_can_be_spoken_for(self, tmp_path, around):
        user = {"token": "t", "as": "jane", "as-groups": ["ops"]}
        login = await find_access(write(tmp_path / "config", user), surroundings=around).login()
        assert (login.headers["Impersonate-User"], login.headers["Impersonate-Group"]) == ("jane", "ops")

    async def test_what_a_cluster_says_of_its_server_is_kept(self, tmp_path, around):
        cluster = {"proxy-url": "http://proxy:3128", "tls-server-name": "kube", "insecure-skip-tls-verify": True}
        connection = (await find_access(write(tmp_path / "config", **cluster), surroundings=around).login()).connection
        assert (connection.proxy, connection.server_name, connection.insecure) == ("http://proxy:3128", "kube", True)


class TestTokens:
    async def test_a_token_file_stands_beside_its_kubeconfig_and_is_read_again_each_minute(self, tmp_path, around, time):
        (tmp_path / "token").write_text("one\n")
        access = find_access(write(tmp_path / "config", {"tokenFile": "token", "token": "written"}), surroundings=around)
        assert await bearer(access) == "Bearer one"
        (tmp_path / "token").write_text("two")
        assert await bearer(access) == "Bearer one"
        time.now += 61
        assert await bearer(access) == "Bearer two"
        (tmp_path / "token").unlink()
        time.now += 61
        assert await bearer(access) == "Bearer two", "the last good one holds"

    async def test_a_token_file_that_cannot_be_read_gives_way_to_the_token_and_else_is_said(self, tmp_path, around):
        user = {"tokenFile": "absent", "token": "written"}
        assert await bearer(find_access(write(tmp_path / "config", user), surroundings=around)) == "Bearer written"
        access = find_access(write(tmp_path / "config", {"tokenFile": "absent"}), surroundings=around)
        with pytest.raises(KubeDenied, match="absent cannot be read") as denied:
            await access.login()
        assert denied.value.code == "kube-login"

    async def test_a_refused_token_is_read_again_at_once(self, tmp_path, around):
        (tmp_path / "token").write_text("one")
        access = find_access(write(tmp_path / "config", {"tokenFile": "token"}), surroundings=around)
        login = await access.login()
        (tmp_path / "token").write_text("two")
        assert access.refused(login)
        assert await bearer(access) == "Bearer two"
        assert access.refused(login), "it was renewed meanwhile"
        assert await bearer(access) == "Bearer two"

    async def test_a_token_that_is_written_down_is_not_tried_twice(self, tmp_path, around):
        access = find_access(write(tmp_path / "config", {"token": "one"}), surroundings=around)
        assert not access.refused(await access.login())

    async def test_a_request_is_sent_again_with_the_renewed_token(self, tmp_path, around):
        async with FakeKube(token="two") as server, HttpClient(patience=PATIENCE) as http:
            server.install(SECRET)
            (tmp_path / "token").write_text("one")
            access = find_access(write(tmp_path / "config", {"tokenFile": "token"}, server.url), surroundings=around)
            client = KubeClient(access, http)
            with pytest.raises(KubeDenied):
                await client.list(SECRET)
            (tmp_path / "token").write_text("two")
            assert await client.list(SECRET) == []
            assert [asked.headers["Authorization"][7:] for asked in server.asked] == ["one", "one", "one", "two"][
                -len(server.asked) :
            ]

    def test_a_token_is_never_shown(self, tmp_path, around):
        access = find_access(write(tmp_path / "config", {"token": "s3cret"}), surroundings=around)
        assert "s3cret" not in repr(access)


class TestPods:
    @pytest.mark.parametrize(
        ("host", "port", "url"),
        [
            ("10.0.0.1", "443", "https://10.0.0.1:443"),
            ("fd00::1", "6443", "https://[fd00::1]:6443"),
            ("kube", "", "https://kube:443"),
        ],
    )
    async def test_a_pod_finds_its_api_server_by_its_environment(self, tmp_path, around, host, port, url):
        (tmp_path / "pod").mkdir()
        for name, text in {"token": "t\n", "ca.crt": "PEM", "namespace": "argocd\n"}.items():
            (tmp_path / "pod" / name).write_text(text)
        environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        access = find_access(surroundings=replace(around, environment=environment))
        login = await access.login()
        assert (access.url, access.namespace) == (url, "argocd")
        assert (login.headers, login.connection.authority) == ({"Authorization": "Bearer t"}, "PEM")

    def test_a_pod_without_a_token_has_no_way_in(self, around):
        with pytest.raises(ConfigError):
            find_access(surroundings=replace(around, environment={"KUBERNETES_SERVICE_HOST": "10.0.0.1"}))

    async def test_a_pod_without_a_namespace_file_means_the_default_one(self, tmp_path, around):
        (tmp_path / "pod").mkdir()
        (tmp_path / "pod/token").write_text("t")
        access = find_access(surroundings=replace(around, environment={"KUBERNETES_SERVICE_HOST": "10.0.0.1"}))
        assert access.namespace == "default"


class TestCertificates:
    @pytest.fixture
    def authority(self, tmp_path):
        return Authority(tmp_path)

    @pytest.fixture
    async def server(self, authority):
        context = authority.server_context(authority.issue("server"), wants_client=True)
        async with FakeKube(tls=context) as server:
            server.install(SECRET)
            yield server

    @pytest.mark.parametrize("how", ["data", "files", "mixed"])
    async def test_a_client_certificate_is_shown_and_only_the_clusters_authority_trusted(
        self, tmp_path, around, authority, server, how
    ):
        pair = authority.issue("me")
        files = {"client-certificate": "me.crt", "client-key": "me.key"}
        data = {f"{key}-data": base64.b64encode((tmp_path / name).read_bytes()).decode() for key, name in files.items()}
        user = {"files": files, "data": data, "mixed": {**data, "client-key-data": "", "client-key": str(pair.key)}}[how]
        trusted = base64.b64encode(authority.path.read_bytes()).decode()
        cluster = {"certificate-authority": "ca.pem"} if how == "files" else {"certificate-authority-data": trusted}
        async with HttpClient(patience=PATIENCE) as http:
            path = write(tmp_path / "config", user, server.url, **cluster)
            assert await KubeClient(find_access(path, surroundings=around), http).list(SECRET) == []
            path = write(tmp_path / "config", user, server.url)
            with pytest.raises(UpdaterError) as untrusted:
                await KubeClient(find_access(path, surroundings=around), http).list(SECRET)
            assert untrusted.value.code == "kube-tls"

    async def test_a_renewed_certificate_is_shown_next_and_the_old_way_closed(self, tmp_path, around, time, authority, server):
        authority.issue("me")
        user = {"client-certificate": "me.crt", "client-key": "me.key"}
        path = write(tmp_path / "config", user, server.url, **{"certificate-authority": "ca.pem"})
        async with HttpClient(patience=PATIENCE) as http:
            client = KubeClient(find_access(path, surroundings=around), http)
            for _ in range(3):
                assert await client.list(SECRET) == []
                authority.issue("me")
                time.now += 61
            assert http._sessions is not None
            assert len(http._sessions._open) == 1

    async def test_a_certificate_that_is_none_is_no_login(self, tmp_path, around):
        nonsense = base64.b64encode(b"nonsense").decode()
        user = {"client-certificate-data": nonsense, "client-key-data": nonsense}
        async with HttpClient(patience=PATIENCE) as http:
            client = KubeClient(find_access(write(tmp_path / "config", user), surroundings=around), http)
            with pytest.raises(KubeDenied) as wrong:
                await client.list(SECRET)
        assert wrong.value.code == "kube-login"
