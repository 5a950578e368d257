"""The ways to clusters that a process has: opened when somebody first needs them, closed with the process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from updater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.http.client import HttpClient
    from updater.http.limits import Patience
    from updater.kube.access import ClusterAccess
    from updater.kube.client import KubeClient
    from updater.model.release import ClusterContext
    from updater.settings.cluster import KubernetesSettings


class ClusterConnection:
    """The cluster that *settings* mean. *count* is told each request: its verb and the status, 0 for no answer."""

    def __init__(self, settings: KubernetesSettings, *, count: Callable[[str, int], None]) -> None:
        self.settings = settings
        self._count = count
        self._opened: list[HttpClient] = []
        self._client: KubeClient | None = None
        self._elsewhere: HttpClient | None = None

    @property
    def client(self) -> KubeClient:
        """Return the client; raise `ConfigError` (code ``kubeconfig``) where no way leads to a cluster."""
        if self._client is None:
            from updater.kube.access import find_access  # noqa: PLC0415 - who has no cluster need not import the way to one

            access = find_access(_path(self.settings.kubeconfig), self.settings.context or "")
            self._client, _ = self._made(access, None)
        return self._client

    def client_of(self, cluster: ClusterContext) -> KubeClient:
        """Return a new client of another cluster, as its kubeconfig says now; raise `ConfigError` as `client` does."""
        client, self._elsewhere = self._made(self.access_of(cluster), self._elsewhere)
        return client

    def access_of(self, cluster: ClusterContext) -> ClusterAccess:
        """Return the way to another cluster; raise `ConfigError` as `client` does."""
        from updater.kube.access import find_context  # noqa: PLC0415 - see `client`

        return find_context(cluster.context, _path(cluster.kubeconfig or self.settings.kubeconfig))

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

        self._opened.append(made := HttpClient(patience=patience))
        return made

    def _made(self, access: ClusterAccess, http: HttpClient | None) -> tuple[KubeClient, HttpClient]:
        from updater.kube.client import PATIENCE, KubeClient  # noqa: PLC0415 - see `client`

        http = http or self.http_with(PATIENCE)
        return KubeClient(access, http, observe=self._count), http

    async def close(self) -> None:
        """Close the connections."""
        for opened in self._opened:
            await opened.close()


def _path(kubeconfig: str | None) -> Path | None:
    try:
        return Path(kubeconfig).expanduser() if kubeconfig else None
    except RuntimeError:
        hint = "write the whole path, or ~/ for the home of who runs updater"
        raise ConfigError(f"{kubeconfig}: there is no such home", hint=hint, code="kubeconfig", path=kubeconfig or "") from None
