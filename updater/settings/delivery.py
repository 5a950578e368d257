"""The settings of what happens after a commit: what runs the image, and how long it may take."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Self

from pydantic import model_validator

from updater.model.release import DEADLINE, SETTLE, ClusterContext, DeliveryOptions, OnBad, Workload
from updater.settings import fields
from updater.settings.node import Node

_WAYS: Final = ("workload", "application", "kustomization")


class DeliveryDefaults(Node):
    """How releases are followed, unless a subscription says otherwise under its own delivery."""

    deadline: fields.Duration = DEADLINE
    """How long after the commit the workload may take. A Rollout or Canary that is in progress keeps its own time."""
    settle: fields.Duration = SETTLE
    """How long the workload must stay healthy before that counts."""
    on_bad: OnBad = OnBad.REPORT
    """What follows a bad release: report tells it, revert also writes the last version that ran well, in one commit, and hold
    writes nothing more until a person decides."""

    def options(self) -> DeliveryOptions:
        """Return them as the engine has them."""
        return DeliveryOptions(deadline=self.deadline, settle=self.settle, on_bad=self.on_bad)


class DeliverySettings(DeliveryDefaults):
    """After each commit to Git, follow the workloads until the image is healthy, bad, or late. `updater run` alone does that.

    {} finds them: the Applications and Kustomizations that read the file which is written say what they applied. A key that is
    left out takes the value of the top-level delivery.
    """

    workload: fields.Workload | None = None
    """What runs the image, as kind/namespace/name: a Deployment, StatefulSet, DaemonSet, Rollout (Argo Rollouts) or Canary
    (Flagger). An Application, Kustomization or HelmRelease is possible too, and says less."""
    application: fields.Application | None = None
    """The Argo CD Application that delivers the image, as namespace/name: what it applied that uses the image is followed."""
    kustomization: fields.Application | None = None
    """The Kustomization of Flux that delivers the image, as namespace/name: what it applied that uses the image is followed."""
    context: fields.Text | None = None
    """The context of a kubeconfig, where all of that is in another cluster than updater, which only reads there."""
    kubeconfig: fields.Text | None = None
    """The kubeconfig that has the context; the default is kubernetes.kubeconfig, then KUBECONFIG, then ~/.kube/config."""

    @model_validator(mode="after")
    def _name_one(self) -> Self:
        named = [name for name in _WAYS if getattr(self, name) is not None]
        if len(named) > 1:
            message = f"{named[0]} and {named[1]} are both set"
            raise fields.flawed(((named[1],), "conflict", message, "name what runs the image, or what delivers it"))
        if self.kubeconfig is not None and self.context is None:
            hint = "write context: with the name of one of its contexts"
            raise fields.flawed((("kubeconfig",), "conflict", "it counts only together with context", hint))
        return self

    def refuse_for_live(self) -> None:
        """Raise an error for what counts for nothing where only a live Application is written."""
        if self.on_bad is not OnBad.REPORT:
            message = "not supported for a live Application in this version: it has no commits that could be taken back or held"
            raise fields.flawed((("delivery", "on_bad"), fields.NOT_YET, message, "write on_bad: report, or write to Git"))
        if self.context is not None and self.workload is None:
            message = "the live Application that is written is in the cluster of updater, and says there what becomes of it"
            hint = "name what runs the image in that other cluster: workload: Deployment/shop/web"
            raise fields.flawed((("delivery", "context"), "conflict", message, hint))

    def followed(self, defaults: DeliveryDefaults | None) -> DeliveryOptions:
        """Return them as the engine has them, with *defaults* for what is left out."""
        base = (defaults or DeliveryDefaults()).options()
        said = {name: getattr(self, name) for name in ("deadline", "settle", "on_bad") if name in self.model_fields_set}
        kinds = (("Application", self.application), ("Kustomization", self.kustomization))
        agent = next((Workload(kind, place.namespace, place.name) for kind, place in kinds if place), None)
        searched = () if agent or self.workload else tuple(kind for kind, _ in kinds)
        cluster = ClusterContext(context=self.context, kubeconfig=self.kubeconfig or "") if self.context else None
        return replace(base, workload=self.workload, agent=agent, searched=searched, cluster=cluster, **said)
