"""What becomes of our commits in the cluster: releases, verdicts, and what a subscription wants done about a bad one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from updater.model.image import ImageRef
    from updater.model.progress import Progress

DEADLINE: Final = 900.0
SETTLE: Final = 30.0
WORKLOAD_KINDS: Final = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Rollout",
    "Canary",
    "Application",
    "Kustomization",
    "HelmRelease",
)
#: what applies Git to a cluster, and lists what it applied
AGENT_KINDS: Final = ("Application", "Kustomization", "HelmRelease")
#: those whose controllers say that a rollout or a canary is in progress
BUSY_KINDS: Final = frozenset({"Rollout", "Canary"})


class ReleaseVerdict(StrEnum):
    """What is known of an image in the cluster: it is on its way, it runs, it failed, another one took its place, or nothing."""

    PROGRESSING = "progressing"
    HEALTHY = "healthy"
    BAD = "bad"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"


class OnBad(StrEnum):
    """What follows a bad release: a commit that takes it back, a hold that a person ends, or the report alone."""

    REVERT = "revert"
    HOLD = "hold"
    REPORT = "report"


@dataclass(frozen=True, slots=True, order=True)
class Workload:
    """One workload by kind, namespace and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterContext:
    """Another cluster than that of updater: *context* of the file *kubeconfig*, "" for the usual ones of kubectl."""

    context: str
    kubeconfig: str = ""

    def __str__(self) -> str:
        return self.context


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOptions:
    """How the releases of a subscription are followed.

    *workload* is what runs the image, where people name it. Otherwise it is found among what *agent* applied, or, where none is
    named, among what those of *searched* kinds applied that read the file which was written; see `updater.delivery.finding`.
    A workload must stay healthy for *settle* seconds; where it is not healthy *deadline* seconds after the commit, and no
    controller says that it still works on it, waiting ends. All of that is in *cluster*, None for the one of updater.
    """

    workload: Workload | None = None
    agent: Workload | None = None
    searched: tuple[str, ...] = ()
    deadline: float = DEADLINE
    settle: float = SETTLE
    on_bad: OnBad = OnBad.REPORT
    cluster: ClusterContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One of our commits on its way into the cluster, for one subscription, by its key.

    *image* is what the commit wrote, *began* when it was made, *is_revert* where it took a bad release back. With *is_live* it
    was written to an Application itself, and *revision* is no commit.
    """

    subscription: str
    revision: str
    image: ImageRef
    began: datetime
    is_revert: bool = False
    is_live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the cluster says of one image at one moment; *reason* is a sentence for people.

    *is_applied* where a workload asks for this image, whatever came of it; *is_seen* where one of several does. *is_busy* where
    a controller works on a rollout or a canary, and keeps the time itself. *is_blind* where a kind cannot be watched at the
    moment, so that nothing was seen to go. *workload* is the one that decides, where there is one. *since* is from when on
    every workload vouches for being healthy, in Unix time. *progress* is how far the controller of a canary has come.
    """

    verdict: ReleaseVerdict
    reason: str
    is_applied: bool = False
    is_busy: bool = False
    since: float | None = None
    is_seen: bool = False
    is_blind: bool = False
    workload: Workload | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastVerdict:
    """How the release of the commit *revision* ended for the subscription *key*. *at* is Unix time, *seconds* as in reports."""

    key: str
    revision: str
    image: ImageRef
    verdict: ReleaseVerdict
    reason: str
    seconds: float | None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRelease:
    """Our commit *revision* wrote *image*, and that is bad, for *reason*."""

    revision: str
    image: ImageRef
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertOrder:
    """What is to be taken back: the image *bad* that our commit *revision* wrote, in favour of *good*, which ran well.

    *is_kept* where a controller still keeps *good*; otherwise it is what we remember, and a person may have moved on from it.
    """

    revision: str
    bad: ImageRef
    good: ImageRef
    reason: str
    is_kept: bool = False
