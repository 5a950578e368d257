"""Names and API paths of kinds and objects.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

Object = dict[str, Any]
"""One object as the API server sends it, read from JSON."""
Key = tuple[str, str]
"""Namespace and name of an object."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: API group ("" is the core group), version, kind, and the plural used in paths."""

    group: str
    version: str
    name: str
    plural: str
    is_namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Return what objects of this kind have as `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """Return the name that RBAC and people use: ``leases.coordination.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None) -> str:
        """Return the path of the collection; without *namespace* that of all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        within = f"/namespaces/{quote(namespace, safe='')}" if self.is_namespaced and namespace else ""
        return f"{root}{within}/{self.plural}"


@dataclass(frozen=True, slots=True)
class Ref:
    """One object: its kind, namespace ("" for a kind without namespaces) and name."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.place}"

    def __hash__(self) -> int:
        """Return the hash of the names alone: thousands are looked up at a time, and a kind is four more texts."""
        return hash((self.namespace, self.name))

    @property
    def place(self) -> str:
        """Return ``namespace/name``, or the name alone."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def path(self) -> str:
        """Return the path of the object."""
        return f"{self.kind.path(self.namespace)}/{quote(self.name, safe='')}"


SECRET: Final = Kind("", "v1", "Secret", "secrets")
CONFIG_MAP: Final = Kind("", "v1", "ConfigMap", "configmaps")
SERVICE_ACCOUNT: Final = Kind("", "v1", "ServiceAccount", "serviceaccounts")
EVENT: Final = Kind("", "v1", "Event", "events")
LEASE: Final = Kind("coordination.k8s.io", "v1", "Lease", "leases")


def key_of(item: Object) -> Key:
    """Return namespace and name of an object; raise `KeyError`, `TypeError` or `AttributeError` where it has none."""
    metadata = item["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace", "")
    if not isinstance(name, str) or not isinstance(namespace, str) or not name:
        raise TypeError("an object without a name")
    return namespace, name
