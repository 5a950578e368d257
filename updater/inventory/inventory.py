"""What all sources together ask for at this moment, and what a new snapshot of one of them changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from updater.inventory.decided import DecidedSubscriptions
from updater.inventory.index import IndexDelta, SubscriptionIndex
from updater.inventory.merge import FILE, Merger
from updater.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.inventory.plan import Plan
    from updater.inventory.precedence import Precedence
    from updater.model.decision import Decisions
    from updater.model.outcome import Outcome
    from updater.model.problem import Problem
    from updater.model.scan_key import ScanKey
    from updater.model.snapshot import ScanRequest
    from updater.model.subscription import Destination, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryDelta:
    """What a snapshot changed: images and destinations whose subscriptions are others now, and what another source forbids."""

    images: frozenset[ScanKey]
    destinations: frozenset[Destination]
    refused: tuple[Outcome, ...]
    problems: tuple[Problem, ...]

    def followed_by(self, later: InventoryDelta) -> InventoryDelta:
        """Return both changes as one; only what *later* leaves refused is refused."""
        problems = dict.fromkeys((*self.problems, *later.problems))
        return replace(
            later,
            images=self.images | later.images,
            destinations=self.destinations | later.destinations,
            problems=tuple(problems),
        )


class Inventory:
    """The snapshots of all sources as one. *names* are the sources besides the file that have yet to be heard.

    `refused` has an outcome for each target that another source forbids.
    """

    def __init__(self, first: Snapshot, names: Iterable[str] = (), precedence: Precedence | None = None) -> None:
        self._joiner = Merger(precedence)
        self._decided = DecidedSubscriptions()
        self._snapshots: dict[str, Snapshot] = {FILE: first}
        self._missing = set(names)
        self._known: frozenset[Problem] = frozenset()
        self._ledger = SubscriptionIndex()
        self.snapshot = Snapshot()
        self.refused: tuple[Outcome, ...] = ()
        self._join()

    @property
    def is_complete(self) -> bool:
        """Whether every source was heard."""
        return not self._missing

    @property
    def missing(self) -> tuple[str, ...]:
        """The sources that were not heard yet."""
        return tuple(sorted(self._missing))

    @property
    def by_destination(self) -> Mapping[Destination, tuple[Subscription, ...]]:
        """The subscriptions of each destination: a landing of one of 5,000 must not look at all the others."""
        return self._ledger.by_destination

    @property
    def by_image(self) -> Mapping[ScanKey, tuple[Subscription, ...]]:
        """The subscriptions that share a scan."""
        return self._ledger.by_image

    @property
    def scans(self) -> Mapping[ScanKey, tuple[ScanRequest, ...]]:
        """The images that are scanned for their own sake."""
        return self._ledger.scans

    @property
    def plan(self) -> Plan:
        """When what is due; the same objects for what did not change."""
        return self._ledger.plan(is_complete=self.is_complete)

    @property
    def sources(self) -> tuple[tuple[str, Snapshot], ...]:
        """What each source asks for by itself."""
        return tuple(self._snapshots.items())

    @property
    def problems(self) -> tuple[tuple[str, Problem], ...]:
        """Everything that is wrong, each with the source that says it; what crosses between two stands with the one refused."""
        said = [(name, problem) for name, snapshot in self._snapshots.items() for problem in snapshot.problems]
        known = {problem for _, problem in said}
        crossing = [problem for problem in self.snapshot.problems if problem not in known]
        if crossing:
            owners = {item.key: name for name, snapshot in self._snapshots.items() for item in snapshot.subscriptions}
            said += [(owners.get(problem.origin, FILE), problem) for problem in crossing]
        return tuple(said)

    def take(self, name: str, snapshot: Snapshot) -> InventoryDelta:
        """Put *snapshot* in the place of the last one of the source *name*, and say what is another now."""
        self._snapshots[name] = snapshot
        was_complete = self.is_complete
        if snapshot.complete:
            self._missing.discard(name)
        moved, refused, problems = self._join()
        if self.is_complete and not was_complete:
            changed = frozenset(self.by_destination)
        else:
            changed = moved.destinations.intersection(self.by_destination)
        return InventoryDelta(images=moved.images, destinations=changed, refused=refused, problems=problems)

    def decide(self, decisions: Decisions, problems: Iterable[Problem] = ()) -> InventoryDelta:
        """Take what people decided in place of what they decided before; *problems* are what cannot be read of it."""
        self._decided.put(decisions, tuple(problems))
        moved, refused, news = self._join()
        changed = moved.destinations.intersection(self.by_destination)
        return InventoryDelta(images=moved.images, destinations=changed, refused=refused, problems=news)

    def _join(self) -> tuple[IndexDelta, tuple[Outcome, ...], tuple[Problem, ...]]:
        """Join all again; return what that changes, what was refused, and the problems that nobody said before."""
        joined = self._joiner(self._snapshots)
        self.snapshot, self.refused = self._decided(joined.snapshot), joined.refused
        known, self._known = self._known, frozenset(self.snapshot.problems)
        news = tuple(problem for problem in self.snapshot.problems if problem not in known)
        return self._ledger.take(self.snapshot.subscriptions, self.snapshot.scans), joined.refused, news
