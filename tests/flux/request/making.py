"""Flux's objects as the API server would give them, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from updater.controller.objects import Sharing
from updater.documents.members import mapping_in
from updater.errors import TemplateError
from updater.flux.cluster.heard import FluxMemory
from updater.flux.cluster.pruning import prune_object
from updater.flux.request.reading import key_in
from updater.flux.request.translation import FluxOptions, FluxTranslator
from updater.writeback.message_trial import try_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from updater.flux.request.requests import FluxTranslation
    from updater.model.image import ImageRef

Item = dict[str, Any]
CREATED = "2026-01-01T00:00:00Z"
NAMESPACE = "apps"


def render(text: str, values: Mapping[str, str]) -> None:
    """Try a template; *values* may be anything."""
    assert isinstance(values, dict)
    if "sandbox" in text:
        raise TemplateError("line 1: this one fails always")
    try_message(text, values)


def item(name: str, spec: object, *, namespace: str = NAMESPACE, status: object = None, **metadata: Any) -> Item:
    """Make an object of any kind."""
    made: Item = {"metadata": {"namespace": namespace, "name": name, "creationTimestamp": CREATED, **metadata}, "spec": spec}
    return made if status is None else {**made, "status": status}


def repository(name: str = "app", *, namespace: str = NAMESPACE, annotations: object = None, **spec: Any) -> Item:
    """Make an ImageRepository of ghcr.io/org/app."""
    metadata = {} if annotations is None else {"annotations": annotations}
    return item(name, {"image": "ghcr.io/org/app", "interval": "5m", **spec}, namespace=namespace, **metadata)


def policy(
    name: str = "app",
    *,
    namespace: str = NAMESPACE,
    latest: tuple[str, ...] = (),
    labels: object = None,
    repository: object = None,
    **spec: Any,
) -> Item:
    """Make an ImagePolicy for any release; *latest* is tag and digest of its latestRef."""
    whole = {"imageRepositoryRef": repository or {"name": "app"}, "policy": {"semver": {"range": "*"}}, **spec}
    ref = {"name": "ghcr.io/org/app", **dict(zip(("tag", "digest"), latest, strict=False))}
    status = {"latestRef": ref} if latest else {}
    metadata = {} if labels is None else {"labels": labels}
    return item(name, whole, namespace=namespace, status=status, **metadata)


def automation(name: str = "fleet", *, namespace: str = NAMESPACE, git: object = None, **spec: Any) -> Item:
    """Make an ImageUpdateAutomation of the GitRepository fleet."""
    whole = {
        "interval": "30m",
        "sourceRef": {"kind": "GitRepository", "name": "fleet"},
        "git": {"commit": {"author": {"name": "flux", "email": "flux@example.org"}}, **(git if isinstance(git, dict) else {})},
        "update": {"strategy": "Setters", "path": "./clusters/prod"},
        **spec,
    }
    return item(name, whole, namespace=namespace)


def source(name: str = "fleet", *, namespace: str = NAMESPACE, **spec: Any) -> Item:
    """Make a GitRepository that is read at its branch main."""
    whole = {"url": "https://git.example.org/fleet.git", "interval": "1m", "ref": {"branch": "main"}, **spec}
    return item(name, whole, namespace=namespace)


def translate(
    repositories: Sequence[Item] = (),
    policies: Sequence[Item] = (),
    automations: Sequence[Item] = (),
    sources: Sequence[Item] = (),
    *,
    namespaces: Mapping[str, Mapping[str, str]] | None = None,
    crosses_namespaces: bool = True,
) -> FluxTranslation:
    """Translate once."""
    options = FluxOptions(crosses_namespaces=crosses_namespaces, try_template=render)
    return FluxTranslator(options)(repositories, policies, automations, sources, namespaces or {}, latest=latest_of(policies))


def latest_of(policies: Sequence[Item]) -> dict[tuple[str, str], ImageRef]:
    """Return what the status of each policy says that it selected."""
    kept = {key_in(mapping_in(each, "metadata")): prune_object(each, Sharing()) for each in policies}
    return FluxMemory().latest_of(kept)
