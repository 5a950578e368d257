"""A whole workplace on loopback: a cluster with Argo CD's objects in it, a registry, and a Git server behind TLS and a password.

`make cluster` and the tests stand on it. Nothing plays Argo CD's controllers: what they would write, `play` writes.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import yaml

from tests.fakes.git_server import BareRepository, GitServer
from tests.real.background import Background
from tests.real.cluster import Cluster
from tests.real.lab_objects import (
    ARGOCD,
    EXAMPLES,
    FLEET,
    application,
    fill,
    image_updater,
    own_objects,
    qualified,
    source_types,
    updater_yaml,
)
from tests.real.parts import find, free_port
from tests.real.registries import running

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.real.registries import Lab as Registry
    from updater.model.image import Digest

USER: Final = ("lab", "lab-password")
KINDS: Final = ("Application", "ImageUpdater")
PROGRAMS: Final = ("etcd", "kube-apiserver", "git")
EXAMPLE_TAGS: Final = {
    "acme/shop": ("1.3.9", "1.4.0", "1.4.1", "1.5.0-rc.1"),
    "acme/web": ("2.4.6", "2.4.7", "3.0.0"),
    "acme/api": ("0.9.2", "0.9.3", "latest"),
    "acme/mail": ("7.0.0", "7.1.0"),
    "acme/search": ("build-17", "build-18"),
}
EXAMPLE_STATUS: Final[dict[str, tuple[str, Sequence[str]]]] = {
    "shop": ("acme/shop:1.3.9", ["Helm"]),
    "web": ("acme/web:2.4.6", ["Kustomize"]),
    "api": ("acme/api:0.9.2", ["Helm"]),
    "mail": ("acme/mail:7.0.0", ["Helm"]),
    "search": ("acme/search:build-17", ["Helm", "Directory"]),
}
_FIRST_BUILD: Final = datetime(2026, 1, 1, tzinfo=UTC)


def missing() -> list[str]:
    """Name the programs that are not on this machine."""
    return [program for program in PROGRAMS if find(program) is None]


def definitions_folder() -> Path | None:
    """Give the folder with the owners' own definitions: UPDATER_CRDS, else one beside the checkout; None where there is none."""
    named = os.environ.get("UPDATER_CRDS")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "crds"
    return folder if folder.is_dir() else None


class Lab:
    """Start it as a context; ending it ends every process. All that it keeps is in *folder*.

    `cluster` (tests.real.cluster), `registry` (`host`, `url`), `git` (requests, faults) and `repository` (commits of persons)
    are the parts. *definitions* is a folder of CRDs; without it their schemas are open.
    """

    def __init__(self, folder: Path, *, definitions: Path | None = None, flags: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.definitions = definitions
        self.cluster = Cluster(_made(folder / "cluster"), (str(find("etcd")), str(find("kube-apiserver"))), flags=flags)
        self.registry: Registry
        self.repository: BareRepository
        self.git: GitServer
        self._background = Background()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.cluster)
            stack.enter_context(self._background)
            kind = "docker-registry" if find("docker-registry") else "embedded"
            self.registry = self._background.enter(running(kind, _made(self.folder / "registry")))
            pair = self.cluster.authority.issue("git")
            tls = self.cluster.authority.server_context(pair)
            self.git = stack.enter_context(GitServer(_made(self.folder / "git"), basic=USER, tls=tls))
            self.repository = self._make_fleet()
            self._install()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def git_url(self) -> str:
        return self.git.url("fleet.git")

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def application(self, name: str, **shape: Any) -> dict[str, Any]:
        """Make an Application with a status as Argo CD writes it; *shape* as of `lab_objects.application`. Gives it as kept.

        Without a source it reads ``apps/NAME`` of the fleet; images without a registry are those of the lab's.
        """
        body = application(name, url=self.git_url, host=self.registry.host, **shape)
        kept: dict[str, Any] = self.cluster.apply_object(body)
        return kept

    def image_updater(self, name: str, spec: Mapping[str, Any], *, namespace: str = ARGOCD) -> dict[str, Any]:
        """Make an ImageUpdater."""
        kept: dict[str, Any] = self.cluster.apply_object(image_updater(name, spec, namespace=namespace))
        return kept

    def play(self, name: str, *, images: Iterable[str], types: Sequence[str] = ("Helm",), namespace: str = ARGOCD) -> None:
        """Write the status that Argo CD writes once it compared, and take the asked refresh away, as it does.

        *images* run; *types* are of its sources, in order.
        """
        listed = [qualified(image, self.registry.host) for image in images]
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications/{name}"
        change = {
            "metadata": {"annotations": {"argocd.argoproj.io/refresh": None}},
            "status": {**source_types(types), "summary": {"images": listed}},
        }
        self.cluster.request("PATCH", path, change, form="application/merge-patch+json")

    def push_tag(self, image: str, *tags: str, **more: Any) -> Digest:
        """Put one new image under *tags*; *image* without the registry, such as ``acme/shop``."""
        digest: Digest = self._background.call(self.registry.push(image, *tags, **more))
        return digest

    def git_log(self, branch: str = "main") -> list[str]:
        """Give the commits of the fleet, newest first, as ``author: subject``."""
        return self.repository.git("log", "--format=%an: %s", branch).splitlines()

    def settings(self, more: str = "", *, metrics: str | None = None) -> str:
        """Give the text of an updater.yaml for this lab; *more* is appended. *metrics* is an address, else a free port."""
        return (
            updater_yaml(
                {
                    "state": self.folder / "state",
                    "metrics": metrics or f"127.0.0.1:{free_port()}",
                    "kubeconfig": self.kubeconfig,
                    "host": self.registry.host,
                    "registry": self.registry.url,
                }
            )
            + more
        )

    def apply_examples(self) -> list[str]:
        """Push the tags that the examples speak of, apply them, and give their names, ``Kind namespace/name``."""
        for image, tags in EXAMPLE_TAGS.items():
            for day, tag in enumerate(tags):
                self.push_tag(image, tag, created=_FIRST_BUILD + timedelta(days=day))
        names = []
        for path in sorted(EXAMPLES.glob("*.yaml")):
            for body in yaml.load_all(fill(path.read_text(), self.git_url, self.registry.host), yaml.CSafeLoader):
                self.cluster.namespace(body["metadata"]["namespace"])
                self.cluster.apply_object(body)
                names.append(f"{body['kind']} {body['metadata']['namespace']}/{body['metadata']['name']}")
        for name, (image, types) in EXAMPLE_STATUS.items():
            self.play(name, images=[image], types=types)
        return names

    def _make_fleet(self) -> BareRepository:
        files = {
            path.relative_to(FLEET).as_posix(): fill(path.read_text(), self.git_url, self.registry.host).encode()
            for path in sorted(FLEET.rglob("*"))
            if path.is_file()
        }
        repository = BareRepository.make(self.folder / "git" / "fleet.git", files)
        repository.log_pushes()
        return repository

    def _install(self) -> None:
        self.cluster.kubeconfig(self.kubeconfig)
        installed = self.cluster.install_from(self.definitions, KINDS) if self.definitions else []
        if "Application" not in installed:
            self.cluster.install("argoproj.io", "Application", "applications", has_status=False)
        if "ImageUpdater" not in installed:
            self.cluster.install("argocd-image-updater.argoproj.io", "ImageUpdater", "imageupdaters")
        self.cluster.namespace(ARGOCD)
        for body in own_objects(self.git_url, USER, self.cluster.authority.path.read_text()):
            self.cluster.apply_object(body)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
