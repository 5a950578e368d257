"""The one way to the cluster that a process has: opened when somebody first needs it, closed with the process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.http.client import HttpClient
    from updater.http.limits import Patience
    from updater.kube.client import KubeClient
    from updater.settings.cluster import KubernetesSettings


class ClusterConnection:
    """The cluster that *settings* mean. *count* is told each request: its verb and the status, 0 for no answer."""

    def __init__(self, settings: KubernetesSettings, *, count: Callable[[str, int], None]) -> None:
        self.settings = settings
        self._count = count
        self._http: HttpClient | None = None
        self._others: list[HttpClient] = []
        self._client: KubeClient | None = None

    @property
    def client(self) -> KubeClient:
        """Return the client; raise `ConfigError` (code ``kubeconfig``) where no way leads to a cluster."""
        if self._client is None:
            from updater.http.client import HttpClient  # noqa: PLC0415 - who has no cluster need not import the way to one
            from updater.kube.access import find_access  # noqa: PLC0415
            from updater.kube.client import PATIENCE, KubeClient  # noqa: PLC0415

            kubeconfig = self.settings.kubeconfig
            access = find_access(Path(kubeconfig).expanduser() if kubeconfig else None, self.settings.context or "")
            self._http = HttpClient(patience=PATIENCE)
            self._client = KubeClient(access, self._http, observe=self._count)
        return self._client

    @property
    def namespace(self) -> str:
        """The namespace of the Lease; raise `ConfigError` as `client` does."""
        return self.settings.namespace or self.client.access.namespace

    async def read_secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """Read one Secret; raise `ConfigError` and `KubeError`."""
        return await self.client.read_secret(namespace, name)

    def http_with(self, patience: Patience) -> HttpClient:
        """Return a client for servers in the cluster that are not the API server; it is closed with this."""
        from updater.http.client import HttpClient  # noqa: PLC0415 - see `client`

        self._others.append(made := HttpClient(patience=patience))
        return made

    async def close(self) -> None:
        """Close the connections."""
        for other in self._others:
            await other.close()
        if self._http is not None:
            await self._http.close()
