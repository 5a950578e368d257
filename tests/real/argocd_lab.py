"""A workplace with the real Argo CD on loopback: application-controller, repo-server, redis, and workloads that really roll."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import yaml

from tests.fakes.git_server import BareRepository, GitServer
from tests.real import cluster as real_cluster
from tests.real.background import Background
from tests.real.daemon_process import Daemon
from tests.real.lab_objects import ARGOCD, PREFIX
from tests.real.parts import ended, find, free_port, require
from tests.real.registries import running
from tests.real.rolling_parts import add_node, definitions_of, kubernetes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PART_OF: Final = {"app.kubernetes.io/part-of": "argocd"}
_MAPS: Final = ("cm", "rbac-cm", "cmd-params-cm", "ssh-known-hosts-cm", "tls-certs-cm", "gpg-keys-cm")
_VERSION: Final = "argoproj.io/v1alpha1"
_APPLICATIONS: Final = f"/apis/{_VERSION}/namespaces/{ARGOCD}/applications"


class ArgocdLab:
    """Start it as a context. `repository` is read by an Application; `push` puts images into the registry."""

    def __init__(self, folder: Path) -> None:
        self._argocd, self._redis, self._kustomize = require("argocd"), require("redis-server"), require("kustomize")
        self.folder = folder
        for name in ("cluster", "registry", "repos"):
            (folder / name).mkdir()
        self.cluster = real_cluster.start(folder / "cluster")
        self._background = Background()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.cluster)
            stack.enter_context(self._background)
            kind = "docker-registry" if find("docker-registry") else "embedded"
            self.registry = self._background.enter(running(kind, self.folder / "registry"))
            self.git = stack.enter_context(GitServer(self.folder / "repos"))
            self.kubeconfig = self.cluster.kubeconfig(self.folder / "kubeconfig")
            self.cluster.install_file(definitions_of("argocd"))
            self.cluster.namespace(ARGOCD)
            self._configure()
            for part in kubernetes(self.folder, self.kubeconfig):
                stack.enter_context(part)
            add_node(self.cluster)
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def push(self, image: str, tag: str) -> None:
        """Push an image of its own digest."""
        self._background.call(self.registry.push(image, tag, labels={"tag": tag}))

    def application(
        self, name: str, files: Mapping[str, bytes], *, sources: Sequence[Mapping[str, Any]] = (), **annotations: str
    ) -> BareRepository:
        """Make a repository, and an Application that applies its folder apps by itself, into a namespace of this name.

        *sources* are what is special of its source, or of its sources. *annotations* are the peer's; ``_`` in a key is ``-``.
        """
        made = BareRepository.make(self.folder / "repos" / f"{name}.git", dict(files))
        self.cluster.namespace(name)
        usual = {"repoURL": self.git.url(f"{name}.git"), "path": "apps", "targetRevision": "main"}
        made_of = [{**usual, **special} for special in sources or ({},)]
        spec = {
            "project": "default",
            **({"sources": made_of} if len(made_of) > 1 else {"source": made_of[0]}),
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
            "syncPolicy": {"automated": {"selfHeal": True}},
        }
        self._apply(
            "Application", name, {f"{PREFIX}{key.replace('_', '-')}": text for key, text in annotations.items()}, spec=spec
        )
        return made

    def read(self, name: str) -> dict[str, Any]:
        """Return an Application."""
        item: dict[str, Any] = self.cluster.request("GET", f"{_APPLICATIONS}/{name}")
        return item

    def delete(self, name: str) -> None:
        """Delete an Application; what it applied stays."""
        self.cluster.request("DELETE", f"{_APPLICATIONS}/{name}")

    def status(self, name: str) -> dict[str, Any]:
        """Return what Argo CD says of an Application."""
        status: dict[str, Any] = self.read(name).get("status", {})
        return status

    def runs(self, name: str, *images: str) -> bool:
        """Return whether an Application is synced and healthy, and *images* are all that it runs."""
        status = self.status(name)
        words = [status.get(part, {}).get("status") for part in ("sync", "health")]
        return words == ["Synced", "Healthy"] and set(status.get("summary", {}).get("images", [])) == set(images)

    def daemon(self, folder: Path, **more: Any) -> Daemon:
        """Start a daemon that keeps Applications current, with *more* keys of updater.yaml."""
        port, config = free_port(), folder / "updater.yaml"
        tree = {
            "interval": "2s",
            "state": str(folder / "state"),
            "listen": {"metrics": f"127.0.0.1:{port}"},
            "log": {"format": "console"},
            "registries": [{"prefix": self.registry.host, "url": self.registry.url, "insecure": True}],
            "git": {"author": {"name": "updater", "email": "updater@example.org"}},
            "kubernetes": {"kubeconfig": str(self.kubeconfig), "namespace": ARGOCD, "leader_election": False},
            "sources": [{"applications": {}}],
        }
        config.write_text(yaml.safe_dump({**tree, **more}))
        return Daemon(config, port, folder / "log")

    def said(self) -> str:
        """Return the end of what the controller logged."""
        return (self.folder / "argocd-application-controller.log").read_text(errors="replace")[-4000:]

    def _configure(self) -> None:
        for name in _MAPS:
            metadata = {"name": f"argocd-{name}", "namespace": ARGOCD, "labels": PART_OF}
            self.cluster.apply_object({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        metadata = {"name": "argocd-secret", "namespace": ARGOCD, "labels": PART_OF}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"server.secretkey": "k" * 32}}
        self.cluster.apply_object(secret)
        project = {"sourceRepos": ["*"], "destinations": [{"namespace": "*", "server": "*"}]}
        self._apply("AppProject", "default", spec=project)

    def _apply(self, kind: str, name: str, annotations: Mapping[str, str] | None = None, **body: Any) -> None:
        metadata = {"name": name, "namespace": ARGOCD, "annotations": dict(annotations or {})}
        self.cluster.apply_object({"apiVersion": _VERSION, "kind": kind, "metadata": metadata, **body})

    def _start(self, stack: ExitStack) -> None:
        redis, repo = free_port(), free_port()
        local = f"--redis=127.0.0.1:{redis}"
        self._run(stack, "redis", [self._redis, "--port", str(redis), "--bind", "127.0.0.1", "--save", ""])
        ports = (f"--port={repo}", f"--metrics-port={free_port()}", "--address=127.0.0.1", "--metrics-address=127.0.0.1")
        self._run(stack, "argocd-repo-server", [self._argocd, local, *ports, "--disable-tls"])
        where = (f"--kubeconfig={self.kubeconfig}", f"--namespace={ARGOCD}", f"--repo-server=127.0.0.1:{repo}")
        # an hour: whoever is not told of a commit does not see it in a test
        flags = (*where, local, "--repo-server-plaintext", f"--metrics-port={free_port()}", "--app-resync=3600")
        self._run(stack, "argocd-application-controller", [self._argocd, *flags])

    def _run(self, stack: ExitStack, name: str, command: list[str]) -> None:
        folder = str(self.folder)
        paths = dict.fromkeys(("HOME", "TMPDIR", "ARGOCD_TLS_DATA_PATH", "ARGOCD_SSH_DATA_PATH", "ARGOCD_GNUPGHOME"), folder)
        own = {"ARGOCD_BINARY_NAME": name, "ARGOCD_GPG_ENABLED": "false", "ARGOCD_FAKE_IN_CLUSTER": "true"}
        path = f"{Path(self._kustomize).parent}{os.pathsep}{os.environ['PATH']}"  # where repo-server looks for it
        environment = {**os.environ, **paths, **own, "KUBECONFIG": str(self.kubeconfig), "PATH": path}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
        stack.callback(ended, process, 15)
