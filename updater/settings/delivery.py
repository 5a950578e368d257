"""The settings of what happens after a commit: what runs the image, and how long it may take."""

from __future__ import annotations

from updater.model.release import DEADLINE, SETTLE, DeliveryOptions, OnBad
from updater.settings import fields  # noqa: TC001 - pydantic reads the annotations
from updater.settings.node import Node


class DeliverySettings(Node):
    """After each commit to Git, follow the workload until the image is healthy, bad, or late. `updater run` alone does that."""

    workload: fields.Workload
    """What runs the image, as kind/namespace/name: a Deployment, StatefulSet, DaemonSet, Rollout (Argo Rollouts) or Canary
    (Flagger). An Application, Kustomization or HelmRelease is possible too, and says less."""
    deadline: fields.Duration = DEADLINE
    """How long after the commit the workload may take. A Rollout or Canary that is in progress keeps its own time."""
    settle: fields.Duration = SETTLE
    """How long the workload must stay healthy before that counts."""
    on_bad: OnBad = OnBad.REPORT
    """What follows a bad release: report tells it, revert also writes the last version that ran well, in one commit, and hold
    writes nothing more until a person decides."""

    def options(self) -> DeliveryOptions:
        """Return them as the engine has them."""
        return DeliveryOptions(workload=self.workload, deadline=self.deadline, settle=self.settle, on_bad=self.on_bad)
