"""The objects of the lab: what Argo CD keeps for itself, Applications with a status as it writes it, and our configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLES: Final = ROOT / "config" / "examples" / "argocd"
FLEET: Final = ROOT / "config" / "examples" / "fleet"
ARGOCD: Final = "argocd"
PREFIX: Final = "argocd-image-updater.argoproj.io/"

_EXAMPLE_GIT: Final = "https://git.example.org/fleet.git"
_EXAMPLE_REGISTRY: Final = "registry.example.org"

_UPDATER_YAML: Final = """\
interval: 10s
state: {state}
listen: {{metrics: "{metrics}"}}
log: {{format: console}}
registries:
  - {{prefix: "{host}", url: "{registry}", insecure: true}}
git:
  author: {{name: updater, email: updater@example.org}}
kubernetes: {{kubeconfig: "{kubeconfig}", namespace: argocd}}
sources:
  - applications: {{argocd_namespace: argocd}}
"""


def fill(text: str, url: str, host: str) -> str:
    """Put the real Git URL and registry where an example names those of example.org."""
    return text.replace(_EXAMPLE_GIT, url).replace(_EXAMPLE_REGISTRY, host)


def updater_yaml(values: Mapping[str, object]) -> str:
    """Give the updater.yaml of a lab."""
    return _UPDATER_YAML.format(**values)


def application(
    name: str,
    *,
    url: str,
    host: str,
    images: Sequence[str] = (),
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    source: Mapping[str, Any] | None = None,
    sources: Sequence[Mapping[str, Any]] = (),
    types: Sequence[str] = ("Helm",),
    namespace: str = ARGOCD,
    owner: str = "",
) -> dict[str, Any]:
    """Give an Application. *images* run: ``acme/shop:1.0.0`` is of the lab's registry.

    *annotations* without a slash are the peer's; ``{host}`` in them is the registry.
    *types* are of its sources, in order. *owner* names the ApplicationSet that made it.
    """
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": dict(labels or {})}
    metadata["annotations"] = {
        key if "/" in key else f"{PREFIX}{key}": value.replace("{host}", host) for key, value in (annotations or {}).items()
    }
    if owner:
        reference = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": owner, "uid": f"uid-of-{owner}"}
        metadata["ownerReferences"] = [reference]
    usual = {"repoURL": url, "path": f"apps/{name}", "targetRevision": "main"}
    destination = {"server": "https://kubernetes.default.svc", "namespace": name}
    spec: dict[str, Any] = {"project": "default", "destination": destination}
    if sources:
        spec["sources"] = [{"repoURL": url, "targetRevision": "main", **one} for one in sources]
    else:
        spec["source"] = {**usual, **(source or {})}
    live = [qualified(image, host) for image in images]
    status = {**source_types(types), "summary": {"images": live}, "sync": {"status": "Synced"}, "health": {"status": "Healthy"}}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, "spec": spec, "status": status}


def source_types(types: Sequence[str]) -> dict[str, Any]:
    """Give what a status says of the types of the sources: of one source it has another key than of several."""
    return {"sourceTypes": list(types)} if len(types) > 1 else {"sourceType": types[0]}


def qualified(image: str, host: str) -> str:
    """Give *image* with the registry at *host* where it names none."""
    first = image.partition("/")[0]
    has_registry = "/" in image and ("." in first or ":" in first or first == "localhost")
    return image if has_registry else f"{host}/{image}"


def image_updater(name: str, spec: Mapping[str, Any], *, namespace: str = ARGOCD) -> dict[str, Any]:
    """Give an ImageUpdater."""
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "argocd-image-updater.argoproj.io/v1alpha1",
        "kind": "ImageUpdater",
        "metadata": metadata,
        "spec": dict(spec),
    }


def own_objects(url: str, user: tuple[str, str], authority: str) -> list[dict[str, Any]]:
    """Give what Argo CD keeps of a Git server: the repository with its password, and the authority that vouches for it."""
    repository = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "fleet",
            "namespace": ARGOCD,
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
        },
        "stringData": {"type": "git", "url": url, "username": user[0], "password": user[1]},
    }
    labels = {"app.kubernetes.io/name": "argocd-tls-certs-cm", "app.kubernetes.io/part-of": "argocd"}
    certificates = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-tls-certs-cm", "namespace": ARGOCD, "labels": labels},
        "data": {str(urlsplit(url).hostname): authority},  # Argo CD looks it up by the name without the port
    }
    return [repository, certificates]
