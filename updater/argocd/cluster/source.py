"""Which objects of Argo CD's users a cluster has, and what they come to: kinds, what is kept of them, how they are answered."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.cluster.feedback import ClusterState, Feedback, FeedbackOptions
from updater.argocd.cluster.kinds import APPLICATION, IMAGE_UPDATER
from updater.argocd.cluster.pruning import prune_application, prune_updater
from updater.argocd.request.subscriptions import refusal
from updater.argocd.request.translation import Translation, Translator
from updater.controller.namespaces import select_namespaces
from updater.controller.objects import KeptObject, Sharing, asks_otherwise, items_of
from updater.controller.watched_source import KnownObjects, SourceKind, WatchedSource
from updater.model.report import DestinationLanded, TargetsRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from updater.argocd.request.subscriptions import TranslationDefaults
    from updater.errors import KubeError
    from updater.http.client import Clock
    from updater.kube.client import KubeClient
    from updater.kube.kinds import Key
    from updater.kube.reflector import WatchedKind
    from updater.model.outcome import Outcome
    from updater.model.report import Report
    from updater.model.snapshot import Snapshot

_MISSING: Final = "Argo CD is not installed in this cluster; install it, or take the source applications out"


def _report_nothing(_watched: WatchedKind[Any], _error: KubeError | None) -> None:
    return


class ArgocdSource:
    """Applications and ImageUpdaters of a cluster, kept known, and answered.

    *namespaces* are names or globs, see `select_namespaces`; none means all. *report* is told when a kind cannot be watched,
    and with None when it can again. Without *answers* nothing is written. `translation` is the last one. Raises `PolicyError`
    for a glob that cannot be read.
    """

    name: Final = "applications"

    def __init__(
        self,
        client: KubeClient,
        *,
        namespaces: tuple[str, ...] = (),
        defaults: TranslationDefaults,
        answers: FeedbackOptions | None = None,
        report: Callable[[WatchedKind[Any], KubeError | None], None] = _report_nothing,
        surroundings: Clock | None = None,
    ) -> None:
        self.translation: Translation | None = None
        sharing = Sharing()
        self._applications: SourceKind[dict[str, Any]] = SourceKind(
            kind=APPLICATION, prune=partial(prune_application, sharing=sharing), missing_hint=_MISSING
        )
        self._updaters: SourceKind[KeptObject] = SourceKind(
            kind=IMAGE_UPDATER, prune=partial(prune_updater, sharing=sharing), is_optional=True, is_news=asks_otherwise
        )
        self._watched = WatchedSource(
            client,
            (self._applications, self._updaters),
            self._translate,
            namespaces=select_namespaces(namespaces),
            report=report,
            surroundings=surroundings,
        )
        self._translator = Translator(defaults)
        defaults.branches.when_learned(self._watched.look_again)
        defaults.precedence.when_learned(self._watched.look_again)
        self._known = KnownObjects()
        self._updater_items: dict[Key, Mapping[str, Any]] = {}
        self._answering = Feedback(client, answers) if answers else None

    async def once(self) -> Snapshot:
        """List everything, and return the snapshot; see `WatchedSource.once`."""
        return await self._watched.once()

    async def run(self, deliver: Callable[[Snapshot], Awaitable[None]]) -> None:
        """Watch until cancelled, hand each snapshot that differs to *deliver*, and write answers; see `WatchedSource.run`."""
        await self._watched.run(deliver, beside=(self._answering.run,) if self._answering else ())

    def hear(self, report: Report) -> None:
        """Remember how targets ended, and let it be written; never waits. Targets of other sources are left out."""
        if self._answering and isinstance(report, DestinationLanded | TargetsRefused):
            self._answering.hear(report)

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """Every image that is listed and is no subscription, with the reason."""
        answers = self.translation.answers if self.translation else ()
        return tuple(refusal(answer) for answer in answers if answer.subscription is None)

    @property
    def count(self) -> int:
        """How many objects are known."""
        return self._known.count

    def application(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return what is kept of an Application, the same object while nothing of it changed; None where none is known."""
        return self._known.of(self._applications).get((namespace, name))

    def lead(self) -> None:
        """Write what is due: this replica leads from now on."""
        if self._answering:
            self._answering.lead()

    async def finish(self) -> None:
        """Write what is due now, at the end of a single pass."""
        if self._answering:
            await self._answering.finish()

    async def again(self) -> Snapshot:
        """Return the snapshot of what is known, with what was learned of branches since."""
        return await self._watched.again()

    async def caught_up(self) -> None:
        """Wait until what the watch has heard so far is handed on; see `WatchedSource.caught_up`."""
        await self._watched.caught_up()

    async def _translate(self, known: KnownObjects) -> Snapshot:
        """Return the snapshot of what is known; the very same one where nothing changed that anybody reads."""
        applications, updaters = known.of(self._applications), known.of(self._updaters)
        self._updater_items = items_of(updaters, self._updater_items)
        listed = list(applications.values()), list(self._updater_items.values())
        # thousands of Applications take seconds the first time: probes and the Lease must not wait for them
        self.translation = translation = await asyncio.to_thread(self._translator, *listed)
        self._known = known
        if self._answering:
            self._answering.know(ClusterState(applications=applications, updaters=updaters, translation=translation))
        return translation.snapshot
