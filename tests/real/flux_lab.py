"""A whole workplace of a Flux user on loopback: a cluster that knows Flux, a registry, a Git server, and Flux's own programs.

Flux's controllers start where a test asks for them; its image controllers are what the updater stands in for.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

from tests.fakes.git_server import BareRepository, GitServer
from tests.real import cluster as real_cluster
from tests.real.background import Background
from tests.real.flux_objects import NAMESPACE, git_repository, git_secret, install_flux
from tests.real.flux_parts import kustomize_controller, run_flux, source_controller, start_flux
from tests.real.parts import find, require
from tests.real.registries import running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.real.flux_parts import FluxController
    from tests.real.registries import Lab as Registry
    from updater.model.image import Digest

USER: Final = ("flux", "flux-password")


class FluxLab:
    """Start it as a context; ending it ends every process that it started. All that it keeps is in *folder*.

    `cluster` (tests.real.cluster), `registry` (`host`, `url`) and `git` (requests, faults) are the parts. *definitions* is a
    folder of the owners' definitions; without it the schemas are open. *flags* are for the API server.
    """

    def __init__(self, folder: Path, *, definitions: Path | None = None, flags: tuple[str, ...] = ()) -> None:
        require("git")
        self.folder = folder
        self.definitions = definitions
        self.cluster = real_cluster.start(_made(folder / "cluster"), flags=flags)
        self.registry: Registry
        self.git: GitServer
        self.open_kinds: list[str] = []
        self._background = Background()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.cluster)
            stack.enter_context(self._background)
            kind = "docker-registry" if find("docker-registry") else "embedded"
            self.registry = self._background.enter(running(kind, _made(self.folder / "registry")))
            tls = self.cluster.authority.server_context(self.cluster.authority.issue("git"))
            self.git = stack.enter_context(GitServer(_made(self.folder / "git"), basic=USER, tls=tls))
            self.cluster.kubeconfig(self.kubeconfig)
            self.open_kinds = install_flux(self.cluster, self.definitions)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def repository(
        self, name: str, files: Mapping[str, bytes], *, user: tuple[str, str] = USER, namespace: str = NAMESPACE, **more: Any
    ) -> BareRepository:
        """Make a bare repository, and the GitRepository NAME with the Secret NAME-auth that lead to it; *more* is of the spec."""
        made = BareRepository.make(self.folder / "git" / f"{name}.git", dict(files))
        self.authorize(name, user, namespace=namespace)
        url = self.git.url(f"{name}.git")
        body = git_repository(name, url, secret=f"{name}-auth", **more)
        body["metadata"]["namespace"] = namespace
        self.cluster.apply_object(body)
        return made

    def authorize(self, name: str, user: tuple[str, str] = USER, *, namespace: str = NAMESPACE) -> None:
        """Write the Secret of the GitRepository *name*."""
        self.cluster.apply_object(git_secret(f"{name}-auth", user, self.cluster.authority.path.read_text(), namespace=namespace))

    def push_tag(self, image: str, *tags: str, **more: Any) -> Digest:
        """Put one new image under *tags*; *image* without the registry, such as ``acme/shop``."""
        digest: Digest = self._background.call(self.registry.push(image, *tags, **more))
        return digest

    def source_controller(self, flags: Sequence[str] = ()) -> FluxController:
        """Return a source-controller for this cluster, to be entered."""
        return source_controller(self.folder, self.kubeconfig, flags)

    def kustomize_controller(self, flags: Sequence[str] = ()) -> FluxController:
        """Return a kustomize-controller for this cluster, to be entered."""
        return kustomize_controller(self.folder, self.kubeconfig, flags)

    def run(self, *arguments: str, namespace: str = NAMESPACE, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run the command flux to its end."""
        return run_flux(self.kubeconfig, self.folder, *arguments, namespace=namespace, seconds=seconds)

    def start(self, *arguments: str, namespace: str = NAMESPACE) -> subprocess.Popen[str]:
        """Start the command flux, to be ended by `flux_parts.end_flux`."""
        return start_flux(self.kubeconfig, self.folder, *arguments, namespace=namespace)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
