"""How Argo CD's objects in a cluster become snapshots: which namespaces are watched, and what is kept between two of them.

What is known is whole or not at all: until every kind was listed once there are no subscriptions, and a kind that is lost
keeps its last objects.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from updater.argocd.cluster.feedback import ClusterState, Feedback, FeedbackOptions
from updater.argocd.cluster.kinds import APPLICATION, IMAGE_UPDATER
from updater.argocd.cluster.pruning import Sharing, prune_application, prune_updater
from updater.argocd.request.selectors import name_matcher
from updater.argocd.request.subscriptions import refusal
from updater.argocd.request.translation import Translation, Translator
from updater.errors import KubeError
from updater.kube.client import EVERYWHERE, ListScope
from updater.kube.faults import outside_protocol
from updater.kube.kinds import key_of
from updater.kube.reflector import Reflector, WatchedKind
from updater.model.problem import Problem
from updater.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from updater.argocd.cluster.kinds import Key
    from updater.argocd.cluster.pruning import KeptUpdater
    from updater.argocd.request.subscriptions import TranslationDefaults
    from updater.http.client import Clock
    from updater.kube import reflector as watch
    from updater.kube.client import KubeClient
    from updater.model.outcome import Outcome
    from updater.model.report import DestinationLanded, TargetsRefused

    Lost = Mapping[WatchedKind[Any], KubeError]

_GLOB: Final = frozenset("*?[\\")
_NOT_INSTALLED: Final = "kube-not-found"


def _report_nothing(_watched: WatchedKind[Any], _error: KubeError | None) -> None:
    return


@dataclass(slots=True)
class _Told:
    """What was handed on last, and what is due: an error before the first whole snapshot has nowhere else to go."""

    snapshot: Snapshot | None = None
    known: watch.StoreSnapshot | None = None
    lost: dict[WatchedKind[Any], KubeError] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class ArgocdSource:
    """Applications and ImageUpdaters of a cluster, kept known, and answered.

    *namespaces* are names, or globs as `filepath.Match` reads them (``team-*``); none means all. With a glob among them
    everything is watched, and what is elsewhere is dropped as it comes: an account with rights in single namespaces needs
    their names. *report* is told when a kind cannot be watched, and with None when it can again. Without *answers* nothing is
    written. `translation` is the last one. Raises `PolicyError` for a glob that cannot be read.
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
        self._count = 0
        self._kept: Mapping[Key, Mapping[str, Any]] = {}
        self._client = client
        self._translator = Translator(defaults)
        self._told: _Told | None = None
        self._objects: tuple[Mapping[WatchedKind[Any], Mapping[Key, Any]], Lost] = ({}, {})
        defaults.branches.when_learned(self._look_again)
        defaults.precedence.when_learned(self._look_again)
        self._report = report
        self._surroundings = surroundings
        self._applications, self._updaters = _watched(namespaces)
        self._updater_items: dict[Key, Mapping[str, Any]] = {}
        self._problems: dict[tuple[WatchedKind[Any], str], Problem] = {}
        self._last: tuple[Translation, tuple[Problem, ...], Snapshot] | None = None
        self._answering = Feedback(client, answers) if answers else None

    async def once(self) -> Snapshot:
        """List everything, and give the snapshot; where a kind cannot be listed it is not complete, and has no subscription.

        Raises `ConfigError` where the way to the cluster is wrong.
        """
        kept: dict[WatchedKind[Any], Mapping[Key, Any]] = {}
        lost: dict[WatchedKind[Any], KubeError] = {}
        for watched in (*self._applications, *self._updaters):
            try:
                items = {_key(item): watched.prune(item) for item in await self._client.list(watched.kind, watched.scope)}
            except KubeError as error:
                kept[watched] = {}
                if not (watched.is_optional and error.code == _NOT_INSTALLED):
                    lost[watched] = error
                    self._report(watched, error)
            else:
                kept[watched] = items
        return Snapshot(problems=self._lost_problems(lost), complete=False) if lost else await self._snapshot(kept, {})

    async def run(self, deliver: Callable[[Snapshot], Awaitable[None]]) -> None:
        """Watch until cancelled, and hand each snapshot that differs to *deliver*; while it works, changes gather.

        Before the first whole snapshot there may come some that are not complete: they have no subscription, and say which
        kind cannot be listed. Raise `ConfigError` where the way to the cluster is wrong, and what *deliver* raises.
        """
        told = self._told = _Told()

        def report(watched: WatchedKind[Any], error: KubeError | None) -> None:
            told.lost.pop(watched, None)
            if error:
                told.lost[watched] = error
            told.news.set()
            self._report(watched, error)

        async def note(known: watch.StoreSnapshot) -> None:
            told.known = known
            told.news.set()

        kinds = (*self._applications, *self._updaters)
        watching = Reflector(self._client, kinds, report=report, surroundings=self._surroundings)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(watching.run(note), name="watch Argo CD")
                if self._answering:
                    tasks.create_task(self._answering.run(), name="answer Argo CD")
                await self._hand_on(told, deliver)
        except ExceptionGroup as group:  # that there are tasks is nobody's business
            raise group.exceptions[0] from group

    def hear(self, report: DestinationLanded | TargetsRefused) -> None:
        """Remember how targets ended, and let it be written; never waits. Targets of other sources are left out."""
        if self._answering:
            self._answering.hear(report)

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """Every image that is listed and is no subscription, with the reason."""
        answers = self.translation.answers if self.translation else ()
        return tuple(refusal(answer) for answer in answers if answer.subscription is None)

    @property
    def count(self) -> int:
        """How many objects are known."""
        return self._count

    def application(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return what is kept of an Application, the same object while nothing of it changed; None where none is known."""
        return self._kept.get((namespace, name))

    def lead(self) -> None:
        """Write what is due: this replica leads from now on."""
        if self._answering:
            self._answering.lead()

    async def finish(self) -> None:
        """Write what is due now, at the end of a single pass."""
        if self._answering:
            await self._answering.finish()

    async def again(self) -> Snapshot:
        """Return the snapshot of what `once` listed, with what was learned of branches since."""
        return await self._snapshot(*self._objects)

    def _look_again(self) -> None:
        if self._told:
            self._told.news.set()

    async def _hand_on(self, told: _Told, deliver: Callable[[Snapshot], Awaitable[None]]) -> None:
        while True:
            await told.news.wait()
            told.news.clear()
            known = told.known
            if known is not None:
                snapshot = await self._snapshot(known.objects, known.lost)
            elif told.lost:
                snapshot = Snapshot(problems=self._lost_problems(told.lost), complete=False)
            else:
                continue
            if snapshot is not told.snapshot and (snapshot.complete or snapshot != told.snapshot):
                told.snapshot = snapshot
                await deliver(snapshot)

    async def _snapshot(self, objects: Mapping[WatchedKind[Any], Mapping[Key, Any]], lost: Lost) -> Snapshot:
        """Return the snapshot of what is known; the very same one where nothing changed that anybody reads."""
        self._objects = (objects, lost)
        applications = _joined(objects, self._applications)
        updaters: dict[Key, KeptUpdater] = _joined(objects, self._updaters)
        self._updater_items = {key: _same(self._updater_items.get(key), kept.item) for key, kept in updaters.items()}
        listed = list(applications.values()), list(self._updater_items.values())
        # thousands of Applications take seconds the first time: probes and the Lease must not wait for them
        self.translation = translation = await asyncio.to_thread(self._translator, *listed)
        self._count = len(applications) + len(updaters)
        self._kept = applications
        if self._answering:
            self._answering.know(ClusterState(applications=applications, updaters=updaters, translation=translation))
        problems = self._lost_problems(lost)
        last = self._last
        if last is None or last[0] is not translation or last[1] != problems:
            snapshot = translation.snapshot
            if problems:
                snapshot = replace(snapshot, problems=(*snapshot.problems, *problems))
            self._last = last = (translation, problems, snapshot)
        return last[2]

    def _lost_problems(self, lost: Lost) -> tuple[Problem, ...]:
        """Return each kind that is lost; the same problem while the code is the same, since messages hold times and addresses."""
        known = self._problems
        self._problems = {
            (watched, error.code): known.get((watched, error.code)) or _problem(watched, error) for watched, error in lost.items()
        }
        return tuple(self._problems.values())


def _watched(namespaces: tuple[str, ...]) -> tuple[tuple[WatchedKind[Any], ...], tuple[WatchedKind[Any], ...]]:
    """Return what is watched for Applications, and what for ImageUpdaters."""
    sharing = Sharing()
    has_globs = any(_GLOB.intersection(name) for name in namespaces)
    matchers = [name_matcher(name) for name in namespaces] if has_globs and "*" not in namespaces else []
    is_wide = has_globs or not namespaces
    scopes = (EVERYWHERE,) if is_wide else tuple(ListScope(namespace=name) for name in dict.fromkeys(namespaces))

    def within(prune: Callable[[Mapping[str, Any], Sharing], Any], item: Mapping[str, Any]) -> Any:
        namespace = item["metadata"].get("namespace", "")
        is_meant = not matchers or any(matcher.fullmatch(namespace) for matcher in matchers)
        return prune(item, sharing) if is_meant else None

    def of(kind: Any, prune: Callable[..., Any], *, is_optional: bool = False) -> tuple[WatchedKind[Any], ...]:
        kept = partial(within, prune)
        return tuple(WatchedKind(kind=kind, prune=kept, scope=scope, is_optional=is_optional) for scope in scopes)

    return of(APPLICATION, prune_application), of(IMAGE_UPDATER, prune_updater, is_optional=True)


def _same(before: Mapping[str, Any] | None, item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the object of before where only the status moved: what is the same object is not translated anew."""
    return before if before is not None and before == item else item


def _joined(objects: Mapping[WatchedKind[Any], Mapping[Key, Any]], watched: Sequence[WatchedKind[Any]]) -> dict[Key, Any]:
    return {key: kept for each in watched for key, kept in objects[each].items() if kept is not None}


def _key(item: dict[str, Any]) -> Key:
    try:
        return key_of(item)
    except (KeyError, TypeError, AttributeError):
        raise outside_protocol("list Argo CD's objects", "an object has no name") from None


def _problem(watched: WatchedKind[Any], error: KubeError) -> Problem:
    hint = error.hint
    if watched.kind is APPLICATION and error.code == _NOT_INSTALLED:
        hint = "Argo CD is not installed in this cluster; install it, or take the source applications out"
    return Problem(path="", code=error.code, message=error.message, hint=hint, origin=str(watched))
