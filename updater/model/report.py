"""What is reported while the program works: typed things that happened, for metrics, logs, statuses and whoever listens."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from updater.model.subscription import GitBranch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from updater.model.candidate import FactFailure
    from updater.model.outcome import Outcome
    from updater.model.problem import Problem
    from updater.model.progress import Progress
    from updater.model.release import Release, ReleaseVerdict, Workload
    from updater.model.scan_key import ScanKey
    from updater.model.selection import Rejection, Selection
    from updater.model.subscription import Destination, Subscription
    from updater.model.view import PastCommit
    from updater.model.written import Written


class LandingEnd(StrEnum):
    """What a landing came to: a push, nothing to push after all, nothing to write, or no look at the destination."""

    PUSHED = "pushed"
    UNCHANGED = "unchanged"
    QUIET = "quiet"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What one source asks for: how many subscriptions, what is wrong, and when it was heard last, in Unix time.

    *subscriptions* is None before it was heard, *heard_at* for a file.
    """

    name: str
    subscriptions: int | None
    problems: tuple[Problem, ...] = ()
    heard_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryChanged:
    """What all sources together ask for from now on; what is not in it any more can be forgotten.

    *scans* are the images that are scanned for their own sake, whether a subscription wants them or not.
    """

    subscriptions: tuple[Subscription, ...]
    destinations: frozenset[Destination]
    sources: tuple[SourceState, ...]
    scans: frozenset[ScanKey] = frozenset()
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageScanned:
    """One scan of one image, begun at *began*: the tags that it offers; *failure* is what stood in the way.

    *names* are those of the last scan that went well.
    """

    listed: ScanKey
    names: Collection[str]
    failure: FactFailure | None
    began: datetime
    at: datetime

    @property
    def tags(self) -> int:
        """How many tags the image offers."""
        return len(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionMade:
    """What was chosen for one written value of a subscription, by its key."""

    subscription: str
    written: Written
    selection: Selection
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionReflected:
    """What the policy of a subscription, by its key, chooses for a place that holds nothing; *failure* is what stood in the way.

    *began* is when that was asked for.
    """

    subscription: str
    selection: Selection | None
    failure: FactFailure | None
    began: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationLanded:
    """One landing: how each target ended, and what was seen there.

    *notes* are problems of files that belong to no single target, such as a misspelt marker; None where the destination was
    not read. *written* is what stands there now, by subscription key, *paths* in which files. *recent* are our own commits there,
    newest first.
    *rejected* is what was not chosen because people took it back, by subscription key and tag; it counts where *notes* are known.
    *replays* counts the pushes that were refused and decided again, *seconds* is how long it took. *head* is what was read,
    None where nothing was. *messages* are what the commits that were pushed say, by their hash, without trailers.
    """

    destination: Destination
    outcomes: tuple[Outcome, ...]
    end: LandingEnd
    notes: tuple[Problem, ...] | None = None
    written: Mapping[str, tuple[Written, ...]] = field(default_factory=dict)
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recent: tuple[PastCommit, ...] = ()
    rejected: Mapping[str, Mapping[str, Rejection]] = field(default_factory=dict)
    replays: int = 0
    seconds: float = 0.0
    head: str | None = None
    messages: Mapping[str, str] = field(default_factory=dict)
    at: datetime

    @property
    def method(self) -> str:
        """The user's word for this kind of destination."""
        return "git" if isinstance(self.destination, GitBranch) else "argocd"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsRefused:
    """Targets that are asked for and never land, because of what another source asks for; each with its reason."""

    outcomes: tuple[Outcome, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseJudged:
    """What became of a release, or with the verdict progressing that it is followed from now on.

    *workload* is the one that decided, None where none is known. *seconds* is how long it took from the commit on; None where its
    beginning was not seen, as after a restart. *is_certain* where the verdict is about this very release beyond doubt.
    """

    release: Release
    workload: Workload | None
    verdict: ReleaseVerdict
    reason: str
    seconds: float | None
    is_certain: bool = False
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseProgressed:
    """How far a canary has come with a release that has no verdict yet; told whenever that changes.

    *progress* is None where it cannot be seen any more, *reason* what the cluster says.
    """

    release: Release
    workload: Workload | None
    progress: Progress | None
    reason: str
    at: datetime


Report = (
    InventoryChanged
    | ImageScanned
    | SelectionMade
    | SelectionReflected
    | DestinationLanded
    | TargetsRefused
    | ReleaseJudged
    | ReleaseProgressed
)
