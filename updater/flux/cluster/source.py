"""Which objects of Flux's users a cluster has, and what they come to: kinds, what is kept of them, what they ask for at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from updater.controller.namespaces import select_namespaces
from updater.controller.objects import KnownItems, Sharing, asks_otherwise
from updater.controller.watched_source import KnownObjects, SourceKind, WatchedSource
from updater.documents.members import mapping_in
from updater.flux.cluster.digest_rounds import DigestRounds
from updater.flux.cluster.feedback import FluxState
from updater.flux.cluster.namespaces import crossing
from updater.flux.cluster.pruning import prune_object
from updater.flux.kinds import GIT_REPOSITORY, IMAGE_POLICY, IMAGE_REPOSITORY, IMAGE_UPDATE_AUTOMATION
from updater.flux.request.requests import FluxTranslation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from updater.controller.objects import KeptObject
    from updater.errors import KubeError
    from updater.flux.cluster.feedback import FluxFeedback, FluxRequests
    from updater.flux.cluster.namespaces import NamespaceLabels
    from updater.flux.cluster.rival_wait import RivalWait
    from updater.flux.request.translation import FluxTranslator
    from updater.http.client import Clock
    from updater.kube.client import KubeClient
    from updater.kube.kinds import Key, Kind
    from updater.kube.reflector import WatchedKind
    from updater.model.outcome import Outcome
    from updater.model.report import Report
    from updater.model.snapshot import Snapshot
    from updater.sources.base import SourceRequests

_MISSING: Final = (
    "Flux's image kinds are not installed in this cluster at the version v1, which Flux has since 2.7: install or upgrade them, "
    "or take the source flux out"
)
_MISSING_SOURCE: Final = "Flux's source-controller is not installed in this cluster; install it, or take the source flux out"
KINDS: Final = (IMAGE_REPOSITORY, IMAGE_POLICY, IMAGE_UPDATE_AUTOMATION, GIT_REPOSITORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxParts:
    """Who does the parts of the work of a `FluxSource`.

    Without *wait* nobody is waited for.
    """

    translator: FluxTranslator
    feedback: FluxFeedback
    labels: NamespaceLabels
    requests: SourceRequests
    wait: RivalWait | None = None


class FluxSource:
    """Image objects and GitRepositories of a cluster, kept known, and answered.

    *namespaces* are names or globs, see `select_namespaces`; none means all. Image objects alone have to match *selector*.
    *report* is told when a kind cannot be watched, and with None when it can again. Raises `PolicyError` for a glob that
    cannot be read.
    """

    name: Final = "flux"

    def __init__(
        self,
        client: KubeClient,
        parts: FluxParts,
        *,
        namespaces: tuple[str, ...] = (),
        selector: str = "",
        report: Callable[[WatchedKind[Any], KubeError | None], None] = lambda _watched, _error: None,
        surroundings: Clock | None = None,
    ) -> None:
        self._parts = parts
        sharing = Sharing()
        self._kinds: dict[Kind, SourceKind[KeptObject]] = {
            kind: SourceKind(
                kind=kind,
                prune=partial(prune_object, sharing=sharing),
                missing_hint=_MISSING_SOURCE if kind is GIT_REPOSITORY else _MISSING,
                labels="" if kind is GIT_REPOSITORY else selector,
                is_news=asks_otherwise,
            )
            for kind in KINDS
        }
        self._watched = WatchedSource(
            client,
            tuple(self._kinds.values()),
            self._translate,
            namespaces=select_namespaces(namespaces),
            report=report,
            surroundings=surroundings,
        )
        self._known = {kind: KnownItems() for kind in KINDS}
        self._crossing: tuple[Mapping[Key, Any], set[str]] = ({}, set())
        self._digests = DigestRounds(self._reflect, surroundings)
        self.translation = FluxTranslation()
        self.count = 0

    async def once(self) -> Snapshot:
        """List everything, and return the snapshot; see `WatchedSource.once`."""
        if self._parts.wait:
            await self._parts.wait.rivals.look()
        return await self._watched.once()

    async def run(self, deliver: Callable[[Snapshot], Awaitable[None]]) -> None:
        """Watch until cancelled, hand each snapshot that differs to *deliver*, and write answers; see `WatchedSource.run`."""
        wait, beside = self._parts.wait, [self._parts.feedback.run, self._digests.run]
        beside.append(partial(self._parts.labels.follow, self._watched.look_again))
        if wait:
            await wait.rivals.look_first()
            beside += [partial(wait.rivals.follow, self._watched.look_again), wait.run]
        await self._watched.run(deliver, beside=beside)

    def hear(self, report: Report) -> None:
        """Remember what became of what was asked for, and let it be written; never waits."""
        if not self.is_waiting:
            self._parts.feedback.hear(report)

    @property
    def is_waiting(self) -> bool:
        """Whether Flux's own controllers work, so that nothing is asked for and nothing written."""
        return bool(self._parts.wait and self._parts.wait.rivals.working)

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """Nothing: what asks for nothing is a problem of its object."""
        return ()

    def spec_of(self, kind: Kind, key: Key) -> Mapping[str, Any] | None:
        """Return the spec that is kept of an object; None where none is known."""
        item = self._known[kind].items.get(key)
        return mapping_in(item, "spec") if item is not None else None

    def lead(self) -> None:
        """Write what is due: this replica leads from now on."""
        self._parts.feedback.lead()

    async def finish(self) -> None:
        """Write what is due now, at the end of a single pass."""
        if not self.is_waiting:
            await self._parts.feedback.finish()

    async def again(self) -> Snapshot:
        """Return the snapshot of what is known."""
        return await self._watched.again()

    async def caught_up(self) -> None:
        """Wait until what the watch has heard so far is handed on; see `WatchedSource.caught_up`."""
        await self._watched.caught_up()

    def selects_another(self, key: Key) -> None:
        """Take up that an ImagePolicy selects another image, perhaps of the same tag: what it writes is due."""
        self._watched.look_again()
        subscription = self.translation.subscriptions.get(key)
        for target in subscription.targets if subscription else ():
            self._parts.requests.land(target.destination)

    async def _translate(self, known: KnownObjects) -> Snapshot:
        """Return the snapshot of what is known; the very same one where nothing changed that anybody reads."""
        kept = {kind: known.of(self._kinds[kind]) for kind in KINDS}
        items = {kind: self._known[kind].renew(kept[kind]) for kind in KINDS}
        if items[IMAGE_POLICY] is not self._crossing[0]:
            self._crossing = items[IMAGE_POLICY], crossing(items[IMAGE_POLICY])
        labels = await self._parts.labels.of(self._crossing[1])
        repositories, policies, automations, sources = (tuple(items[kind].values()) for kind in KINDS)
        latest = self._parts.feedback.latest_of(kept[IMAGE_POLICY])
        # thousands of policies take a second the first time: probes and the Lease must not wait for them
        self.translation = translation = await asyncio.to_thread(
            self._parts.translator, repositories, policies, automations, sources, labels, latest=latest
        )
        self.count = known.count
        if self._parts.wait:
            waiting = self._parts.wait.snapshot(items[IMAGE_UPDATE_AUTOMATION])
            if waiting is not None:
                self._parts.feedback.rest()  # what was heard before is older than what they do now
                return waiting
        state = FluxState(
            repositories=kept[IMAGE_REPOSITORY],
            policies=kept[IMAGE_POLICY],
            automations=kept[IMAGE_UPDATE_AUTOMATION],
            translation=translation,
        )
        _ask_out_of_turn(self._parts.requests, self._parts.feedback.know(state))
        self._digests.know(translation)
        return translation.snapshot

    def _reflect(self, keys: Iterable[str]) -> None:
        self._parts.requests.reflect(keys)


def _ask_out_of_turn(requests: SourceRequests, asked: FluxRequests) -> None:
    """Ask for what objects want out of turn."""
    for listed in asked.scans:
        requests.scan(listed)
    if asked.reflections:
        requests.reflect(asked.reflections)
    for branch in asked.landings:
        requests.land(branch)
