"""Starts the real parts of a cluster on loopback: etcd and kube-apiserver with RBAC, ready in seconds, and lets them fail.

`make cluster` and the tests use the same code. Everything is kept in one folder; ending it leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Self

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.certificates import Authority
from tests.fakes.kube import kubeconfig
from tests.real.parts import free_port, require

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

ADMIN_TOKEN = "admin-token"


class Cluster:
    """A cluster without nodes. `url` is its API server; *folder* keeps keys, data and logs.

    `admin` is a kubeconfig that may do everything; `kubeconfig_of` makes one for a service account. `request` asks as the admin.
    """

    def __init__(self, folder: Path, programs: tuple[str, str], *, flags: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self._etcd_program, self._server_program = programs
        self._flags = flags
        self._resources: dict[str, dict[str, Any]] = {}
        self._etcd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._port, self._etcd_port, self._peer_port = free_port(), free_port(), free_port()
        self.authority = Authority(folder)
        self._context = ssl.create_default_context(cafile=str(self.authority.path))

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._write_keys()
        try:
            self._start_etcd()
            self.start_server()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.stop_server()
        _end(self._etcd)

    def start_server(self) -> None:
        """Start the API server, and wait until it is ready; its data is what etcd kept."""
        key, public = self.folder / "sa.key", self.folder / "sa.pub"
        command = [
            self._server_program,
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--secure-port={self._port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder}",
            f"--tls-cert-file={self.folder / 'server.crt'}",
            f"--tls-private-key-file={self.folder / 'server.key'}",
            f"--client-ca-file={self.authority.path}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={key}",
            f"--service-account-key-file={public}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
            *self._flags,
        ]
        self._server = self._run("kube-apiserver", command)
        self._wait("kube-apiserver", self._server, lambda: self._is_fine(f"{self.url}/readyz"))

    def stop_server(self) -> None:
        _end(self._server, kill=True)
        self._server = None

    def compact(self) -> None:
        """Let etcd forget every version but the newest."""
        revision = self._etcd_call("kv/range", {"key": "AA=="})["header"]["revision"]
        self._etcd_call("kv/compaction", {"revision": revision, "physical": True})

    def request(self, method: str, path: str, body: Any = None, *, form: str = "application/json") -> Any:
        """Ask the API server as the admin, and give the answer; raises `urllib.error.HTTPError`."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method)
        request.add_header("Authorization", f"Bearer {ADMIN_TOKEN}")
        request.add_header("Content-Type", form)
        with urllib.request.urlopen(request, context=self._context, timeout=20) as answer:
            return json.loads(answer.read())

    def apply(self, path: str, body: Any) -> Any:
        """Make or change an object, whole, as the owner "lab"."""
        return self.request("PATCH", f"{path}?fieldManager=lab&force=true", body, form="application/apply-patch+yaml")

    def apply_object(self, body: dict[str, Any]) -> Any:
        """Make or change an object of any kind that is served, where its `metadata` says."""
        version, metadata = body["apiVersion"], body["metadata"]
        resource = self._resource(version, body["kind"])
        namespace = f"namespaces/{metadata['namespace']}/" if resource["namespaced"] else ""
        return self.apply(f"{_root(version)}/{namespace}{resource['name']}/{metadata['name']}", body)

    def install_from(self, folder: Path, kinds: Collection[str]) -> list[str]:
        """Install the definitions of *kinds* that *folder* holds, wait until they are served, and give the kinds."""
        return [kind for path in sorted(folder.glob("*.yaml")) for kind in self.install_file(path, kinds)]

    def install_file(self, path: Path, kinds: Collection[str] = ()) -> list[str]:
        """Install the definitions of one file, all of them without *kinds*, wait until they are served, and give the kinds."""
        installed = []
        for body in yaml.load_all(path.read_bytes(), yaml.CSafeLoader):
            if not body or body.get("kind") != "CustomResourceDefinition":
                continue
            spec = body["spec"]
            if kinds and spec["names"]["kind"] not in kinds:
                continue
            self.apply_object(body)
            for served in spec["versions"]:
                url = f"{self.url}/apis/{spec['group']}/{served['name']}/{spec['names']['plural']}"
                self._wait(body["metadata"]["name"], None, lambda url=url: self._is_fine(url))
            installed.append(spec["names"]["kind"])
        return installed

    def namespace(self, name: str) -> str:
        self.apply(f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def install(self, group: str, kind: str, plural: str, *, version: str = "v1alpha1", has_status: bool = True) -> None:
        """Install a definition with an open schema, and wait until it is served."""
        name = f"{plural}.{group}"
        open_schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        served = {
            "name": version,
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": open_schema},
            **({"subresources": {"status": {}}} if has_status else {}),
        }
        spec = {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [served],
        }
        definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name}}
        self.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", {**definition, "spec": spec})
        self._wait(name, None, lambda: self._is_fine(f"{self.url}/apis/{group}/{version}/{plural}"))

    def service_account(self, namespace: str, name: str, rules: list[dict[str, Any]]) -> str:
        """Make a service account that may do *rules* in its namespace, and give a token of it."""
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        metadata = {"name": name, "namespace": namespace}
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
        self.apply(accounts, account)
        self.apply(f"{rbac}/roles/{name}", role)
        self.apply(f"{rbac}/rolebindings/{name}", binding)
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        token: str = self.request("POST", f"{accounts}/token", wanted)["status"]["token"]
        return token

    def kubeconfig(self, path: Path, user: dict[str, Any] | None = None) -> Path:
        """Write a kubeconfig, for the admin without *user*."""
        cluster = {"certificate-authority": str(self.authority.path)}
        path.write_text(kubeconfig(self.url, {"token": ADMIN_TOKEN} if user is None else user, **cluster))
        return path

    def _resource(self, version: str, kind: str) -> dict[str, Any]:
        """Give what the server says of a kind: its `name` in paths, and whether it is `namespaced`."""
        key = f"{version} {kind}"
        if key not in self._resources:
            listed = self.request("GET", _root(version))["resources"]
            self._resources |= {f"{version} {one['kind']}": one for one in listed if "/" not in one["name"]}
        return self._resources[key]

    def _write_keys(self) -> None:
        self.authority.issue("server")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        (self.folder / "sa.key").write_bytes(secret)
        (self.folder / "sa.pub").write_bytes(public)
        (self.folder / "tokens.csv").write_text(f'{ADMIN_TOKEN},admin,admin,"system:masters"\n')

    def _start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        command = [
            self._etcd_program,
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=error",
        ]
        self._etcd = self._run("etcd", command)
        self._wait("etcd", self._etcd, lambda: self._is_fine(f"{client}/health"))

    def _run(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "HOME": str(self.folder)})

    def _wait(self, name: str, process: subprocess.Popen[bytes] | None, is_ready: Callable[[], bool]) -> None:
        for _ in range(600):
            if process is not None and process.poll() is not None:
                log = (self.folder / f"{name}.log").read_text(errors="replace")
                raise AssertionError(f"{name} ended at once: {log[-1500:]}")
            if is_ready():
                return
            time.sleep(0.1)
        raise AssertionError(f"{name} is not ready after a minute")

    def _is_fine(self, url: str) -> bool:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _etcd_call(self, path: str, body: dict[str, Any]) -> Any:
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._etcd_port}/v3/{path}", data=data, method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())


def start(folder: Path, *, flags: tuple[str, ...] = ()) -> Cluster:
    """Give a cluster that starts when it is entered; skips the test by name where a program is absent."""
    return Cluster(folder, (require("etcd"), require("kube-apiserver")), flags=flags)


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _end(process: subprocess.Popen[bytes] | None, *, kill: bool = False) -> None:
    if process is None or process.poll() is not None:
        return
    process.kill() if kill else process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
