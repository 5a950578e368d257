"""The settings of a cluster: the connection, which of several replicas writes, and whose objects are read."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import model_validator

from updater.settings import fields
from updater.settings.node import Node


class KubernetesSettings(Node):
    """The connection to the cluster, and which of several replicas writes. Only sources and credentials in a cluster need it."""

    kubeconfig: fields.Text | None = None
    """A kubeconfig; the default is KUBECONFIG, then the pod's service account, then ~/.kube/config."""
    context: fields.Text | None = None
    """The context of the kubeconfig; the default is the current context. With it, the pod's service account is not used."""
    leader_election: bool = True
    """Whether replicas elect the one that writes through a Lease. Only `updater run` with a source in the cluster takes part."""
    lease: fields.Text = "updater"
    """The name of the Lease."""
    namespace: fields.Text | None = None
    """The namespace of the Lease; the default is the namespace of the pod, or of the kubeconfig's context."""


class ApplicationsSettings(Node):
    """Argo CD Applications, their annotations and ImageUpdater objects."""

    namespaces: tuple[fields.Names, ...] = ()
    """The namespaces to read, globs included; an empty list means all namespaces."""
    argocd_namespace: fields.Text = "argocd"
    """The namespace of Argo CD, with its repository Secrets and ConfigMaps. The names of override files depend on it."""
    annotations: bool = True
    """Whether Applications that no ImageUpdater selects are kept current by their annotations alone."""
    refresh: bool = True
    """Whether an Application is refreshed after a commit to the branch that it follows."""
    events: bool = True
    """Whether updates and problems are reported as Events on the objects."""
    credentials: tuple[fields.Credentials, ...] | None = None
    """Whole references that objects may name, in addition to Secrets of their own namespace: ext:/scripts/ecr.sh, env:REG_AUTH.

    Without the list, objects in Argo CD's namespace may name variables (env:), and other objects none. Files and programs
    must always be in this list."""
    git_credentials_for: tuple[fields.Names, ...] = ("*",)
    """The namespaces, globs included, whose Applications may use Argo CD's Git credentials; others write git:secret:<name>."""
    config_map: fields.Text | None = "argocd-image-updater-config"
    """The ConfigMap of Argo CD Image Updater in Argo CD's namespace. Settings in this file override it; null ignores it."""


class WhileFluxRuns(StrEnum):
    """What to do while Flux's own image controllers work too."""

    WAIT = "wait"
    WORK = "work"


class FluxSettings(Node):
    """Flux's ImageRepository, ImagePolicy and ImageUpdateAutomation objects."""

    namespaces: tuple[fields.Names, ...] = ()
    """The namespaces to read, globs included; an empty list means all namespaces."""
    watch_label_selector: fields.Text | None = None
    """A label selector that image objects must match, as the option --watch-label-selector of Flux's controllers."""
    cross_namespace_references: bool = True
    """Whether objects may refer to objects of other namespaces. false is the option --no-cross-namespace-refs of Flux."""
    events: bool = True
    """Whether updates and problems are reported as Events on the objects."""
    events_address: fields.EventsAddress | None = None
    """The address of Flux's notification-controller, to which Events are sent so that Alerts go on."""
    flux_namespace: fields.Text = "flux-system"
    """The namespace of Flux, with the Leases of its image controllers."""
    while_flux_runs: WhileFluxRuns = WhileFluxRuns.WAIT
    """What to do while Flux's image controllers renew their Leases: wait, or work beside them."""


class SourceSettings(Node):
    """One additional source of subscriptions, of exactly one kind."""

    applications: Annotated[ApplicationsSettings | None, fields.EMPTY_WHERE_NULL] = None
    """Argo CD Applications with annotations, and ImageUpdater objects."""
    flux: Annotated[FluxSettings | None, fields.EMPTY_WHERE_NULL] = None
    """Flux's ImageRepository, ImagePolicy and ImageUpdateAutomation objects."""

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise fields.flawed(((), "source", "a source is exactly one kind", "write - applications: {}"))
        return self


def sources_once(sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
    """Refuse a kind of source that is named twice: both would ask for the same images."""
    seen: set[str] = set()
    for index, source in enumerate(sources):
        kind = next(iter(source.model_fields_set))
        if kind in seen:
            message = f"{kind} is named twice"
            raise fields.flawed(((index,), "source", message, "write one, with all its namespaces"))
        seen.add(kind)
    return sources
