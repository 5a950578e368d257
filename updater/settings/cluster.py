"""The settings of what lies in a cluster: the way to it, who of several replicas writes, and whose objects are read."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from updater.settings import fields
from updater.settings.node import Node


class KubernetesSettings(Node):
    """The way to the cluster, and who of several replicas writes. Used only where a source or a credential needs a cluster."""

    kubeconfig: fields.Text | None = None
    """A kubeconfig; without it KUBECONFIG, then the pod's service account, then ~/.kube/config."""
    context: fields.Text | None = None
    """The context of the kubeconfig; without it the current one."""
    leader_election: bool = True
    """Whether replicas agree by a Lease on the one that writes. Only `updater run` with a source in the cluster takes part."""
    lease: fields.Text = "updater"
    """The name of the Lease."""
    namespace: fields.Text | None = None
    """The namespace of the Lease; without it the pod's own, or that of the kubeconfig's context."""


class ApplicationsSettings(Node):
    """Argo CD Applications, their annotations and ImageUpdater objects."""

    namespaces: tuple[fields.Names, ...] = ()
    """The namespaces to look in, globs among them; none means all."""
    argocd_namespace: fields.Text = "argocd"
    """The namespace of Argo CD: its repositories' Secrets, its ConfigMaps, and the names of override files follow it."""
    annotations: bool = True
    """Whether Applications that no ImageUpdater selects are kept current by their annotations alone."""
    refresh: bool = True
    """Whether an Application is refreshed after a commit to the branch that it follows."""
    events: bool = True
    """Whether updates and problems are reported as Events on the objects."""
    credentials: tuple[fields.Credentials, ...] | None = None
    """Credentials that objects may name besides Secrets of their own namespace, whole: ext:/scripts/ecr.sh, env:REG_AUTH.

    Without it objects in the namespace of Argo CD may name variables (env:), and others none; files and programs only from
    this list."""
    git_credentials_for: tuple[fields.Names, ...] = ("*",)
    """The namespaces, globs among them, whose Applications may use Argo CD's Git credentials; others write git:secret:<name>."""
    config_map: fields.Text | None = "argocd-image-updater-config"
    """The ConfigMap of Argo CD Image Updater in the namespace of Argo CD; settings in this file win over it. null ignores it."""


class FluxSettings(Node):
    """Flux's image objects."""


class SourceSettings(Node):
    """One more place that subscriptions come from: exactly one kind."""

    applications: Annotated[ApplicationsSettings | None, fields.EMPTY_WHERE_NULL] = None
    """Argo CD Applications with annotations, and ImageUpdater objects."""
    flux: Annotated[FluxSettings | None, fields.EMPTY_WHERE_NULL, fields.not_yet("Flux's image objects are")] = None
    """ImageRepository, ImagePolicy and ImageUpdateAutomation. Not in this version: it is refused."""

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise fields.flawed(((), "source", "a source is exactly one kind", "write - applications: {}"))
        return self


def sources_once(sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
    """Refuse a kind of source that is named twice: two of them would ask for the same images."""
    seen: set[str] = set()
    for index, source in enumerate(sources):
        kind = next(iter(source.model_fields_set))
        if kind in seen:
            message = f"{kind} is named twice"
            raise fields.flawed(((index,), "source", message, "write one, with all its namespaces"))
        seen.add(kind)
    return sources
