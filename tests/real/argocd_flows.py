"""What the flows of Argo CD users stand on: a lab that writes down each request, and daemons under the rights of the chart.

`Flow` is one test's view of a lab. What a daemon may do in the cluster is what the chart grants for its values and no more.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import yaml
from aiohttp import web

from tests.charts.rendering import template_of
from tests.fakes.registry import FakeRegistry
from tests.real.background import Background
from tests.real.daemon_process import Daemon, environment
from tests.real.lab import PROGRAMS, Lab, definitions_folder
from tests.real.lab_objects import ARGOCD, PREFIX, ROOT
from tests.real.parts import free_port, require
from tests.real.registries import basic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

APPLICATIONS: Final = "/apis/argoproj.io/v1alpha1/namespaces/{}/applications"
UPDATERS: Final = "/apis/argocd-image-updater.argoproj.io/v1alpha1/namespaces/{}/imageupdaters"
REFRESH: Final = "argocd.argoproj.io/refresh"
LEASE: Final = f"/apis/coordination.k8s.io/v1/namespaces/{ARGOCD}/leases/updater"
CONFIG_MAP: Final = "argocd-image-updater-config"
ACCOUNTS: Final = f"system:serviceaccount:{ARGOCD}:"
READING: Final = frozenset({"get", "list", "watch"})
MERGE: Final = "application/merge-patch+json"
_POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True)
class Request:
    """One request of a daemon to the API server, as the API server wrote it down."""

    verb: str
    resource: str
    name: str
    namespace: str
    code: int
    user: str

    @property
    def is_renewal(self) -> bool:
        return self.resource == "leases"


class FlowLab(Lab):
    """A lab whose API server writes down who asked what. *namespaces* are those that the chart is told to watch."""

    def __init__(self, folder: Path, *, namespaces: Sequence[str] = (ARGOCD,), values: Mapping[str, Any] | None = None) -> None:
        for program in (*PROGRAMS, "helm"):
            require(program)
        policy = folder / "audit.yaml"
        policy.write_text(yaml.safe_dump(_POLICY))
        self.audit_log = folder / "audit.log"
        flags = (f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}")
        self.namespaces = tuple(namespaces)
        self.values = {"config": {"sources": [{"applications": {"namespaces": list(namespaces)}}]}, **(values or {})}
        super().__init__(folder, definitions=definitions_folder(), flags=flags)

    def __enter__(self) -> Self:
        super().__enter__()
        for name in self.namespaces:
            if not set(name) & set("*?["):
                self.cluster.namespace(name)
        self.grant("updater", **self.values)
        self.first_commit = self.repository.head()
        return self

    def grant(self, name: str, **values: Any) -> str:
        """Make the account *name* with the rights that the chart grants for *values*, and give its name."""
        lease = {"kubernetes": {"lease": "updater"}}
        rendered = template_of(
            **{
                **values,
                "config": {**values.get("config", {}), **lease},
                "fullnameOverride": name,
                "serviceAccount": {"name": name},
            }
        )
        for body in rendered:
            if "Role" in body["kind"] or body["kind"] == "ServiceAccount":
                self.cluster.apply_object(body)
        return name

    def token(self, account: str) -> str:
        """Give a new token of an account that the chart made."""
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        path = f"/api/v1/namespaces/{ARGOCD}/serviceaccounts/{account}/token"
        token: str = self.cluster.request("POST", path, wanted)["status"]["token"]
        return token

    def asked(self, since: int = 0) -> list[Request]:
        """Give the finished requests of our accounts from the place *since* in the log on; see `place`."""
        with self.audit_log.open("rb") as log:
            log.seek(since)
            lines = log.read().rpartition(b"\n")[0].splitlines()  # the last one may be half written
        found = []
        for line in lines:
            item = json.loads(line)
            about = item.get("objectRef") or {}
            if not item["user"]["username"].startswith(ACCOUNTS) or item["stage"] not in {"ResponseComplete", "ResponseStarted"}:
                continue
            resource = "/".join(filter(None, (about.get("resource", ""), about.get("subresource", ""))))
            code = item.get("responseStatus", {}).get("code", 0)
            named = about.get("name", ""), about.get("namespace", "")
            found.append(Request(item["verb"], resource, *named, code=code, user=item["user"]["username"]))
        return found

    def place(self) -> int:
        """Give the place in the log up to which all is past."""
        return self.audit_log.stat().st_size if self.audit_log.exists() else 0


@dataclass
class Flow:
    """One test on a lab: it begins with no Application, no ImageUpdater, no Lease, and the fleet as the persons left it."""

    lab: FlowLab
    folder: Path
    began: int = 0

    @property
    def images(self) -> str:
        """The part of the registry that is this test's."""
        return self.folder.name

    def daemon(self, name: str = "one", **more: Any) -> Daemon:
        """Start a daemon with a state folder and a port of its own; *more* are keys of updater.yaml."""
        port = free_port()
        listen = {"metrics": f"127.0.0.1:{port}", **more.pop("listen", {})}
        return Daemon(self.configure(name, listen=listen, **more), port, self.folder / f"{name}.log")

    def configure(self, name: str = "one", **more: Any) -> Path:
        """Write an updater.yaml of this name, and give its path."""
        account = more.pop("account", "updater")
        token = self.folder / f"token-{account}"
        if not token.exists():
            token.write_text(self.lab.token(account))
        kubeconfig = self.lab.cluster.kubeconfig(self.folder / f"kubeconfig-{account}", {"tokenFile": str(token)})
        registry = {"prefix": self.lab.registry.host, "url": self.lab.registry.url, "insecure": True}
        tree: dict[str, Any] = {
            "interval": "2s",
            "state": str(self.folder / f"state-{name}"),
            "listen": {"metrics": None},
            "log": {"format": "console"},
            "registries": [registry],
            "git": {"author": {"name": "updater", "email": "updater@example.org"}},
            "kubernetes": {"kubeconfig": str(kubeconfig), "namespace": ARGOCD},
            "sources": [{"applications": {"namespaces": list(self.lab.namespaces), **more.pop("applications", {})}}],
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**tree, **more}))
        return path

    def command(self, *arguments: str, config: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        command = [sys.executable, "-m", "updater", *arguments, "-c", str(config or self.configure("command"))]
        return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=90)

    def app(self, name: str, image: str = "", *, tag: str = "1.0.0", **shape: Any) -> dict[str, Any]:
        """Make an Application that runs *image* at *tag* and keeps it current by the git method; *annotations* are added."""
        image = image or f"{self.images}/{name}"
        annotations = {"image-list": f"it={{host}}/{image}", "write-back-method": "git", **shape.pop("annotations", {})}
        return self.lab.application(name, images=[f"{image}:{tag}"], annotations=annotations, **shape)

    def read(self, name: str, namespace: str = ARGOCD) -> dict[str, Any]:
        kept: dict[str, Any] = self.lab.cluster.request("GET", f"{APPLICATIONS.format(namespace)}/{name}")
        return kept

    def change(self, name: str, change: dict[str, Any], namespace: str = ARGOCD) -> None:
        """Change an Application as a person or Argo CD does."""
        self.lab.cluster.request("PATCH", f"{APPLICATIONS.format(namespace)}/{name}", change, form=MERGE)

    def annotate(self, name: str, **annotations: str | None) -> None:
        """Set annotations of the peer's prefix; ``_`` in a key is ``-``."""
        named = {f"{PREFIX}{key.replace('_', '-')}": value for key, value in annotations.items()}
        self.change(name, {"metadata": {"annotations": named}})

    def delete(self, name: str, namespace: str = ARGOCD) -> None:
        self.lab.cluster.request("DELETE", f"{APPLICATIONS.format(namespace)}/{name}")

    def updater(self, name: str, namespace: str = ARGOCD) -> dict[str, Any]:
        kept: dict[str, Any] = self.lab.cluster.request("GET", f"{UPDATERS.format(namespace)}/{name}")
        return kept

    def push(self, name: str, *tags: str) -> None:
        """Push images of this test, each of its own digest."""
        for tag in tags:
            self.lab.push_tag(f"{self.images}/{name}", tag, labels={"tag": tag})

    def written(self, name: str, path: str = "") -> str:
        """Give the override file of an Application as it stands in Git, "" where there is none."""
        try:
            return self.lab.repository.show(path or f"apps/{name}/.argocd-source-{name}.yaml").decode()
        except subprocess.CalledProcessError:
            return ""

    def commits(self, since: str = "") -> list[str]:
        """Give our own commits on main after the revision *since*, newest first, as revisions."""
        span = f"{since}..main" if since else "main"
        return self.lab.repository.git("log", "--author=updater@example.org", "--format=%H", span).split()

    def is_there(self, path: str) -> bool:
        """Say whether the API server has an object at *path*."""
        try:
            self.lab.cluster.request("GET", path)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False
        return True

    def events(self, name: str, namespace: str = ARGOCD) -> list[dict[str, Any]]:
        """Give the Events on an object."""
        path = f"/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.name%3D{name}"
        items: list[dict[str, Any]] = self.lab.cluster.request("GET", path)["items"]
        return items

    def has_event(self, name: str, reason: str, words: str = "", namespace: str = ARGOCD) -> bool:
        return any(item["reason"] == reason and words in item["message"] for item in self.events(name, namespace))

    def asked(self) -> list[Request]:
        """Give what the account asked of the cluster in this test; what `excuse` excused is not part of it."""
        return self.lab.asked(self.began)

    def excuse(self) -> None:
        """Leave what was asked so far out of account: an API server that has just started knows no role yet."""
        self.began = self.lab.place()

    def writes(self, since: int) -> list[Request]:
        """Give what the account wrote to the cluster from *since* on, without the Lease."""
        return [item for item in self.lab.asked(since) if item.verb not in READING and not item.is_renewal]

    def clear(self) -> None:
        """Take away what a test before left: objects, the Lease, commits, faults of Git."""
        cluster = self.lab.cluster
        paths = [APPLICATIONS.format(name) for name in self._namespaces()] + [
            UPDATERS.format(name) for name in self._namespaces()
        ]
        places = [f"/api/v1/namespaces/{name}/events" for name in self._namespaces()]
        places += [f"/api/v1/namespaces/{name}/secrets?labelSelector=made-by%3Dflow" for name in self._namespaces()]
        for path in (*paths, *places, LEASE, f"/api/v1/namespaces/{ARGOCD}/configmaps/{CONFIG_MAP}"):
            with contextlib.suppress(urllib.error.HTTPError):
                cluster.request("DELETE", path)
        self.lab.repository.git("update-ref", "refs/heads/main", self.lab.first_commit)
        self.lab.git.faults.clear()
        self.lab.git.requests.clear()
        self.began = self.lab.place()

    def _namespaces(self) -> Iterator[str]:
        for item in self.lab.cluster.request("GET", "/api/v1/namespaces")["items"]:
            if not item["metadata"]["name"].startswith("kube-"):
                yield item["metadata"]["name"]


@contextlib.contextmanager
def guarded_registry(user: str, password: str) -> Iterator[Guarded]:
    """Run a registry that lets in who shows *user* and *password*, which may be changed while it runs."""
    with Background() as background:
        registry = background.enter(FakeRegistry())
        guarded = Guarded(registry, basic(user, password)["Authorization"])
        registry.faults.append(guarded.guard)
        yield guarded


@dataclass
class Guarded:
    """A registry behind a password."""

    registry: FakeRegistry
    wanted: str

    async def guard(self, request: web.Request) -> web.StreamResponse | None:
        if request.headers.get("Authorization") == self.wanted:
            return None
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="lab"'})

    @property
    def settings(self) -> dict[str, Any]:
        """The entry of `registries` for it."""
        return {"prefix": self.registry.host, "url": self.registry.url, "insecure": True}


def config_map(lab: Lab, **data: str) -> None:
    """Write the ConfigMap of the peer."""
    metadata = {"name": CONFIG_MAP, "namespace": ARGOCD}
    lab.cluster.apply_object({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def secret(lab: Lab, name: str, namespace: str = ARGOCD, **data: str) -> None:
    """Write a Secret, for this test alone."""
    metadata = {"name": name, "namespace": namespace, "labels": {"made-by": "flow"}}
    lab.cluster.apply_object({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})


def denied(requests: Sequence[Request]) -> Counter[tuple[str, str]]:
    """Count what was refused for want of a right, by verb and resource."""
    return Counter((item.verb, item.resource) for item in requests if item.code == 403)
