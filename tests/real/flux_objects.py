"""The objects of Flux: definitions with an open schema where the owners' own are absent, and the objects that tests apply."""

from __future__ import annotations

import urllib.error
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.real.daemon_process import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.real.cluster import Cluster

NAMESPACE: Final = "flux-system"
REQUESTED_AT: Final = "reconcile.fluxcd.io/requestedAt"
MERGE: Final = "application/merge-patch+json"
_SOURCE, _KUSTOMIZE, _IMAGE = (f"{part}.toolkit.fluxcd.io" for part in ("source", "kustomize", "image"))
_READY: Final = ("Ready", '.status.conditions[?(@.type=="Ready")].status', "string")
_MESSAGE: Final = ("Status", '.status.conditions[?(@.type=="Ready")].message', "string")
_AGE: Final = ("Age", ".metadata.creationTimestamp", "date")


@dataclass(frozen=True)
class Definition:
    """What the API server needs to know of a kind; *columns* are what kubectl prints: name, path, type and priority."""

    group: str
    kind: str
    plural: str
    short_names: tuple[str, ...] = ()
    columns: tuple[tuple[Any, ...], ...] = (_AGE, _READY, _MESSAGE)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/v1"

    def path(self, name: str, namespace: str = NAMESPACE) -> str:
        return f"{self.root}/namespaces/{namespace}/{self.plural}/{name}"

    def body(self) -> dict[str, Any]:
        """Return the definition as an object, with a schema that takes every field."""
        is_open = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        defaults = {name: {"default": value, **_type_of(value)} for name, value in self.defaults.items()}
        columns = [
            {"name": name, "jsonPath": path, "type": kind, "priority": priority[0] if priority else 0}
            for name, path, kind, *priority in self.columns
        ]
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {**is_open, "properties": {"spec": {**is_open, "properties": defaults}}}},
            "subresources": {"status": {}},
            "additionalPrinterColumns": columns,
        }
        names = {
            "kind": self.kind,
            "plural": self.plural,
            "singular": self.kind.lower(),
            "listKind": f"{self.kind}List",
            "shortNames": list(self.short_names),
            "categories": ["all", "fluxcd"],
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{self.plural}.{self.group}"},
            "spec": {"group": self.group, "scope": "Namespaced", "names": names, "versions": [version]},
        }


GIT_REPOSITORY: Final = Definition(
    _SOURCE,
    "GitRepository",
    "gitrepositories",
    ("gitrepo",),
    (("URL", ".spec.url", "string"), _AGE, _READY, _MESSAGE),
    {"timeout": "60s"},
)
KUSTOMIZATION: Final = Definition(_KUSTOMIZE, "Kustomization", "kustomizations", ("ks",), defaults={"force": False})
IMAGE_REPOSITORY: Final = Definition(
    _IMAGE,
    "ImageRepository",
    "imagerepositories",
    ("imgrepo", "imagerepo"),
    (
        ("Image", ".spec.image", "string"),
        ("Tags", ".status.lastScanResult.tagCount", "string"),
        _READY,
        _MESSAGE,
        ("Last scan", ".status.lastScanResult.scanTime", "string", 1),
        _AGE,
    ),
    {"exclusionList": ["^.*\\.sig$"], "provider": "generic"},
)
IMAGE_POLICY: Final = Definition(
    _IMAGE,
    "ImagePolicy",
    "imagepolicies",
    ("imgpol", "imagepol"),
    (
        ("Image", ".status.latestRef.name", "string"),
        ("Tag", ".status.latestRef.tag", "string"),
        _READY,
        _MESSAGE,
        _AGE,
    ),
    {"digestReflectionPolicy": "Never"},
)
IMAGE_UPDATE_AUTOMATION: Final = Definition(
    _IMAGE,
    "ImageUpdateAutomation",
    "imageupdateautomations",
    ("iua", "imgupd", "imgauto"),
    (_READY, _MESSAGE, ("Last run", ".status.lastAutomationRunTime", "string", 1), _AGE),
    {"update": {"strategy": "Setters"}},
)
# source-controller watches all its kinds, and does not start where one is unknown
_OTHER_SOURCES: Final = tuple(
    Definition(_SOURCE, kind, plural)
    for kind, plural in {
        "Bucket": "buckets",
        "ExternalArtifact": "externalartifacts",
        "HelmChart": "helmcharts",
        "HelmRepository": "helmrepositories",
        "OCIRepository": "ocirepositories",
    }.items()
)
IMAGES: Final = (IMAGE_REPOSITORY, IMAGE_POLICY, IMAGE_UPDATE_AUTOMATION)
KINDS: Final = (GIT_REPOSITORY, *_OTHER_SOURCES, KUSTOMIZATION, *IMAGES)


def install_flux(cluster: Cluster, definitions: Path | None = None) -> list[str]:
    """Install every definition and the namespace of Flux; return the kinds whose schema is open.

    *definitions* is a folder with the owners' own; what it lacks gets an open schema.
    """
    own = set(cluster.install_from(definitions, [one.kind for one in KINDS])) if definitions else set()
    others = [one for one in KINDS if one.kind not in own]
    for one in others:
        cluster.apply_object(one.body())
    for one in others:
        until(lambda url=f"{one.root}/{one.plural}": _is_served(cluster, url))
    cluster.namespace(NAMESPACE)
    return [one.kind for one in others]


def flux_object(kind: Definition, name: str, spec: Mapping[str, Any], *, namespace: str = NAMESPACE) -> dict[str, Any]:
    """Return an object of *kind*."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": f"{kind.group}/v1", "kind": kind.kind, "metadata": metadata, "spec": dict(spec)}


def git_repository(name: str, url: str, *, secret: str = "", branch: str = "main", **more: Any) -> dict[str, Any]:
    """Return a GitRepository that is read once an hour; *more* is of its spec."""
    reference = {"secretRef": {"name": secret}} if secret else {}
    return flux_object(GIT_REPOSITORY, name, {"interval": "1h", "url": url, "ref": {"branch": branch}, **reference, **more})


def git_secret(name: str, user: tuple[str, str], authority: str = "", *, namespace: str = NAMESPACE) -> dict[str, Any]:
    """Return the Secret of a GitRepository: a password, and the authority that vouches for the server."""
    data = {"username": user[0], "password": user[1], **({"ca.crt": authority} if authority else {})}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": data,
    }


def kustomization(name: str, source: str, path: str, **more: Any) -> dict[str, Any]:
    """Return a Kustomization that applies *path* of the GitRepository *source*; *more* is of its spec."""
    reference = {"kind": "GitRepository", "name": source}
    return flux_object(
        KUSTOMIZATION,
        name,
        {"interval": "1h", "retryInterval": "2s", "prune": True, "path": path, "sourceRef": reference, **more},
    )


def conditions(generation: int, *, reason: str, message: str, status: str = "True") -> list[dict[str, Any]]:
    """Return the conditions of an object that a controller has handled in full."""
    moment = "2026-01-01T00:00:00Z"
    one = {"type": "Ready", "status": status, "reason": reason, "message": message}
    return [{**one, "lastTransitionTime": moment, "observedGeneration": generation}]


def condition(body: Mapping[str, Any], kind: str = "Ready") -> dict[str, Any]:
    """Return the condition of *kind* that a status holds, empty where it holds none."""
    found: Iterable[dict[str, Any]] = body.get("status", {}).get("conditions", [])
    return next((one for one in found if one["type"] == kind), {})


def _type_of(value: object) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, list):
        return {"type": "array", "items": {"type": "string"}}
    if isinstance(value, dict):
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"type": "string"}


def _is_served(cluster: Cluster, url: str) -> bool:
    try:
        cluster.request("GET", url)
    except urllib.error.HTTPError:
        return False
    return True
