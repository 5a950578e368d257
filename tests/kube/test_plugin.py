"""Promises of the programs that a kubeconfig names for credentials."""

from __future__ import annotations

import asyncio
import base64
import json
import sys

import pytest

from tests.fakes.kube import kubeconfig
from tests.fakes.still_time import StillTime
from updater.errors import ConfigError, KubeDenied
from updater.kube.access import AccessEnvironment, find_access

V1 = "client.authentication.k8s.io/v1"


@pytest.fixture
def time():
    return StillTime()


@pytest.fixture
def lab(tmp_path, time):
    """Give a way to the cluster whose program prints *answer* and notes what it was told."""

    def make(answer, *, cluster=None, name="./login", body="", **execution):
        program = tmp_path / "login"
        text = answer if isinstance(answer, str) else json.dumps(answer)
        info, region, words = "os.environ['KUBERNETES_EXEC_INFO']", "os.environ.get('REGION', '')", "' '.join(sys.argv[1:])"
        program.write_text(
            f"#!{sys.executable}\nimport os, sys, pathlib\n"
            f"with pathlib.Path({str(tmp_path / 'log')!r}).open('a') as log:\n"
            f"    print({info}, {region}, {words}, sep='|', file=log)\n"
            f"{body}\nprint({text!r})\n"
        )
        program.chmod(0o700)
        user = {"exec": {"apiVersion": V1, "command": name, "interactiveMode": "IfAvailable", **execution}}
        path = tmp_path / "config"
        path.write_text(kubeconfig("https://kube.example", user, **(cluster or {})))
        environment = {"PATH": str(tmp_path)}
        return find_access(
            path, surroundings=AccessEnvironment(environment=environment, home=tmp_path, clock=time.clock, wall=time.wall)
        )

    return make


def printed(version=V1, **status):
    return {"kind": "ExecCredential", "apiVersion": version, "status": status}


def told(tmp_path):
    lines = (tmp_path / "log").read_text().splitlines()
    return [(json.loads(info), region, words) for info, region, words in (line.split("|") for line in lines)]


async def bearer(access):
    return (await access.login()).headers.get("Authorization")


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_its_token_is_used_and_kept(lab, tmp_path, version):
    name = f"client.authentication.k8s.io/{version}"
    access = lab(printed(name, token="t"), apiVersion=name)
    assert await bearer(access) == await bearer(access) == "Bearer t"
    assert [info for info, *_ in told(tmp_path)] == [
        {"apiVersion": name, "kind": "ExecCredential", "spec": {"interactive": False}}
    ]


async def test_who_asks_at_one_time_waits_for_one_run(lab, tmp_path):
    access = lab(printed(token="t"))
    assert await asyncio.gather(*(bearer(access) for _ in range(5))) == ["Bearer t"] * 5
    assert len(told(tmp_path)) == 1


async def test_it_is_found_in_path_and_gets_its_arguments_and_variables(lab, tmp_path):
    access = lab(printed(token="t"), name="login", args=["get-token", "--cluster=a"], env=[{"name": "REGION", "value": "north"}])
    await access.login()
    assert [(region, words) for _, region, words in told(tmp_path)] == [("north", "get-token --cluster=a")]


async def test_it_is_told_of_the_cluster_only_where_it_wants_to_know(lab, tmp_path):
    (tmp_path / "ca.pem").write_text("PEM")
    extensions = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}]
    cluster = {"certificate-authority": "ca.pem", "tls-server-name": "kube", "extensions": extensions}
    await lab(printed(token="t"), cluster=cluster, provideClusterInfo=True).login()
    ((info, *_),) = told(tmp_path)
    assert info["spec"]["cluster"] == {
        "server": "https://kube.example",
        "tls-server-name": "kube",
        "certificate-authority-data": base64.b64encode(b"PEM").decode(),
        "config": {"audience": "x"},
    }


async def test_what_it_printed_ends_when_it_says(lab, tmp_path, time):
    access = lab(printed(token="t", expirationTimestamp="2027-01-15T08:10:00Z"))  # the clock stands at 08:00
    await access.login()
    time.now += 599
    await access.login()
    assert len(told(tmp_path)) == 1
    time.now += 2
    await access.login()
    assert len(told(tmp_path)) == 2


async def test_it_runs_again_when_the_server_refused(lab, tmp_path):
    access = lab(printed(token="t"))
    assert access.refused(await access.login())
    await access.login()
    assert len(told(tmp_path)) == 2


async def test_it_may_give_a_certificate(lab):
    access = lab(printed(clientCertificateData="CERT", clientKeyData="KEY"))
    login = await access.login()
    assert (login.connection.client_pem, login.headers) == ("CERT\nKEY\n", {})


@pytest.mark.parametrize(
    "answer",
    [
        "no json",
        "[]",
        printed(),
        printed(token=3),
        printed(clientCertificateData="CERT"),
        printed(clientCertificateData="CERT", clientKeyData=4),
        printed("client.authentication.k8s.io/v1beta1", token="t"),
        {**printed(token="t"), "kind": "Pod"},
        {"kind": "ExecCredential", "apiVersion": V1, "status": None},
        printed(token="t", expirationTimestamp="soon"),
        printed(token="t", expirationTimestamp=4),
    ],
)
async def test_what_is_no_credential_is_said_and_not_shown(lab, answer):
    with pytest.raises(KubeDenied, match="the program of user 'me'") as denied:
        await lab(answer, installHint="install kube-login").login()
    assert (denied.value.code, denied.value.hint) == ("kube-login", "install kube-login")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"body": "sys.exit(3)"}, "status 3"),
        ({"name": "absent"}, "absent is not in PATH"),
        ({"name": "./absent"}, "cannot be run"),
    ],
)
async def test_a_program_that_fails_is_named(lab, more, message):
    with pytest.raises(KubeDenied, match=message) as denied:
        await lab(printed(token="s3cret"), **more).login()
    assert "s3cret" not in str(denied.value)


async def test_a_program_that_hangs_is_ended(lab, monkeypatch):
    monkeypatch.setattr("updater.kube.plugin.TIME_LIMIT", 0.3)
    with pytest.raises(KubeDenied, match="no answer in"):
        await lab(printed(token="t"), body="import time; time.sleep(30)").login()


@pytest.mark.parametrize(
    ("execution", "message"),
    [
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "v1alpha1"),
        ({"command": ""}, "names no command"),
        ({"args": "one"}, "args"),
        ({"env": [{"name": "A"}]}, "env"),
        ({"interactiveMode": "Always"}, "terminal"),
    ],
)
def test_what_cannot_run_here_is_said_when_the_kubeconfig_is_read(lab, execution, message):
    with pytest.raises(ConfigError, match=message) as wrong:
        lab(printed(token="t"), **execution)
    assert wrong.value.code == "kubeconfig"
