"""A workplace where canaries really run, on loopback: Flux applies Git, Argo Rollouts and Flagger roll out, pods become ready.

`RollingFlow` is one test's view of it: an image, a repository, a Kustomization and a namespace of its own, and daemons under the
rights of the chart.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import yaml

from tests.charts.rendering import template_of
from tests.fakes.prometheus import FakePrometheus
from tests.real.daemon_process import Daemon, environment, until
from tests.real.flux_lab import USER, FluxLab
from tests.real.flux_objects import KUSTOMIZATION, MERGE, NAMESPACE, kustomization
from tests.real.lab import definitions_folder
from tests.real.lab_objects import ROOT
from tests.real.parts import free_port, require
from tests.real.rolling_parts import FLAGGER, ROLLOUTS, add_node, definitions_of, flagger, kubernetes, rollouts_controller

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.git_server import BareRepository
    from tests.real.flux_parts import FluxController
    from tests.real.rolling_parts import Controller
    from updater.model.webhook import WebhookKind

MARKER: Final = '{"$imagepolicy": "fleet:web"}'
_FENCE: Final = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_QUERY: Final = re.compile(r"\bquery: .*")
SECRET: Final = "hook-secret"
SLOW: Final = 120.0  # seconds in which several real controllers hand on to each other, on a machine that has other work


def page_blocks(page: str) -> dict[str, str]:
    """Return what a how-to page shows as files, by the name in the first line of each block; a later one of a name is joined."""
    found: dict[str, str] = {}
    for text in _FENCE.findall((ROOT / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8")):
        first, _, rest = text.partition("\n")
        if first.startswith("# "):
            found[first[2:]] = found.get(first[2:], "") + rest
    return found


class RollingLab(FluxLab):
    """FluxLab with everything that rolls a workload out. `prometheus` answers what analyses ask."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, definitions=definitions_folder())
        self.prometheus = FakePrometheus()
        self.rollouts: Controller = rollouts_controller(folder, self.kubeconfig)
        self.flagger: Controller = flagger(folder, self.kubeconfig, prometheus=self.prometheus.url)
        self.flux: tuple[FluxController, FluxController] = self.source_controller(), self.kustomize_controller()
        for program in ("helm", "kube-controller-manager", "kube-scheduler", "kwok"):
            require(program)

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._stack.enter_context(self.prometheus)
            for program in (ROLLOUTS, FLAGGER):
                self.cluster.install_file(definitions_of(program))
            self.cluster.namespace("argo-rollouts")
            for controller in (*kubernetes(self.folder, self.kubeconfig), self.rollouts, self.flagger):
                self._stack.enter_context(controller)
            add_node(self.cluster)
            for part in self.flux:
                self._stack.enter_context(part)
        except BaseException:
            self._stack.close()
            raise
        return self

    def account(self, name: str, config: dict[str, Any]) -> str:
        """Make an account with the rights that the chart grants for *config*, and return a token of it."""
        values = {"config": config, "fullnameOverride": name, "serviceAccount": {"name": name}}
        for body in template_of(namespace=NAMESPACE, **values):
            if "Role" in body["kind"] or body["kind"] == "ServiceAccount":
                self.cluster.apply_object(body)
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}/token"
        token: str = self.cluster.request("POST", path, wanted)["status"]["token"]
        return token


@dataclass
class RollingFlow:
    """One test on a lab. *name* names its image, its repository, its Kustomization and its namespace."""

    lab: RollingLab
    folder: Path
    name: str
    delivery: dict[str, Any]
    repository: BareRepository = field(init=False)
    web_port: int = field(default_factory=free_port)  # known before a daemon starts: manifests name it

    @property
    def image(self) -> str:
        return f"{self.lab.registry.host}/{self.name}/web"

    def push(self, *tags: str) -> None:
        """Push images, each of its own digest."""
        for tag in tags:
            self.lab.push_tag(f"{self.name}/web", tag, labels={"tag": tag})

    def begin(self, manifests: str, **options: Any) -> None:
        """Put *manifests* of a page into Git, with the names of this test, and let Flux apply them from now on."""
        self.lab.cluster.namespace(self.name)
        self.push("1.0.0")
        text = manifests.replace("ghcr.io/acme/web", self.image).replace("namespace: shop", f"namespace: {self.name}")
        text = text.replace("http://prometheus.monitoring:9090", self.lab.prometheus.url)
        text = text.replace("updater.argocd:8090", f"127.0.0.1:{self.web_port}")
        text = _QUERY.sub(f"query: success_of_{self.name}", text)
        self.repository = self.lab.repository(self.name, {"apps/app.yaml": text.encode()}, interval="2s")
        self.lab.cluster.apply_object(kustomization(self.name, self.name, "./apps", **options))

    def end(self) -> None:
        """Let Flux take everything away that it applied."""
        self.lab.cluster.request("DELETE", KUSTOMIZATION.path(self.name))

    def daemon(self, name: str = "one", *, listen: dict[str, Any] | None = None, **more: Any) -> Daemon:
        """Start a daemon that keeps the line in Git current and follows what becomes of it; *more* are keys of updater.yaml."""
        port, config = free_port(), self.folder / f"{name}.yaml"
        tree = self._settings(name) | more
        token = self.folder / "token"
        if not token.exists():
            token.write_text(self.lab.account(f"updater-{self.name}", {key: tree[key] for key in ("sources", "subscriptions")}))
        kubeconfig = self.lab.cluster.kubeconfig(self.folder / "kubeconfig", {"tokenFile": str(token)})
        tree["listen"] = {"metrics": f"127.0.0.1:{port}", **(listen or {})}
        tree["kubernetes"] = {"kubeconfig": str(kubeconfig), "namespace": NAMESPACE, "leader_election": False}
        config.write_text(yaml.safe_dump(tree))
        return Daemon(config, port, self.folder / f"{name}.log")

    def answering(self, kind: WebhookKind, name: str) -> Daemon:
        """Start a daemon that answers controllers of canaries, who know the secret."""
        secret = self.folder / "hook-secret"
        secret.write_text(SECRET)
        hook = {"name": name, "kind": str(kind), "secret": f"file:{secret}"}
        return self.daemon(listen={"web": f"127.0.0.1:{self.web_port}"}, web={"webhooks": [hook]})

    def decides(self, *arguments: str) -> None:
        """Run a command by which a person decides."""
        command = [sys.executable, "-m", "updater", *arguments, "-c", str(self.folder / "one.yaml")]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr

    def line(self) -> str:
        """Return the tag that Git names."""
        text = self.repository.show("apps/app.yaml").decode()
        return next(line for line in text.splitlines() if MARKER in line).partition(" #")[0].rpartition(":")[2]

    def writes(self, tag: str, message: str = "a person's change") -> str:
        """Write another tag as a person does, and return the revision."""
        text = self.repository.show("apps/app.yaml").decode()
        return self.repository.commit(
            {"apps/app.yaml": text.replace(f"{self.image}:{self.line()}", f"{self.image}:{tag}").encode()}, message=message
        )

    def tags(self) -> list[str]:
        """Return the last word of each subject of ours, oldest first: the tag that it wrote."""
        log = self.repository.git("log", "--reverse", "--author=updater@example.org", "--format=%s", "main").splitlines()
        return [subject.rpartition(" ")[2] for subject in log]

    def read(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.lab.cluster.request("GET", path)
        return found

    def patch_status(self, path: str, status: dict[str, Any]) -> None:
        """Change a status as the command of Argo Rollouts does."""
        self.lab.cluster.request("PATCH", f"{path}/status", {"status": status}, form=MERGE)

    def until(self, question: Callable[[], Any], seconds: float = SLOW) -> Any:
        """Ask until the answer is true; where it never is, what the controllers said is shown."""
        parts = (self.lab.rollouts, self.lab.flagger)
        return until(question, seconds, say=lambda: "\n".join(part.said()[-2000:] for part in parts))

    def _settings(self, name: str) -> dict[str, Any]:
        url = self.lab.git.url(f"{self.name}.git")
        secret = self.folder / "git-password"
        secret.write_text(":".join(USER))
        access = {"prefix": url, "credentials": f"file:{secret}", "ca": str(self.lab.cluster.authority.path)}
        subscription = {
            "key": "web",
            "image": self.image,
            "policy": {"semver": {"range": ">=1.0.0"}},
            "delivery": {"settle": "1s", "on_bad": "revert", **self.delivery},
            "targets": [{"git": {"url": url, "path": "apps"}, "marker": "fleet:web"}],
        }
        return {
            "interval": "2s",
            "state": str(self.folder / f"state-{name}"),
            "log": {"format": "console"},
            "registries": [{"prefix": self.lab.registry.host, "url": self.lab.registry.url, "insecure": True}],
            "git": {"author": {"name": "updater", "email": "updater@example.org"}, "repositories": [access]},
            "sources": [],
            "subscriptions": [subscription],
        }
