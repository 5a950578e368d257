"""How objects of several kinds become snapshots: listed, watched, translated whole, and handed on only where that differs.

What is known is whole or not at all: until every kind was listed once there are no subscriptions, and a kind that is lost
keeps its last objects.
"""

from __future__ import annotations

import asyncio
import operator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from updater.controller.namespaces import NamespaceSelection
from updater.errors import KubeError
from updater.http.client import Clock
from updater.kube.faults import outside_protocol
from updater.kube.kinds import key_of
from updater.kube.reflector import Reflector, StoreSnapshot, WatchedKind, sleep_unless
from updater.model.problem import Problem
from updater.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from updater.kube.client import KubeClient
    from updater.kube.kinds import Key, Kind, Object

T = TypeVar("T")

_NOT_INSTALLED: Final = "kube-not-found"
_EVERY_NAMESPACE: Final = NamespaceSelection()
QUICK: Final = 0.05
BREATH: Final = 4.0  # as often as a snapshot took: thousands of our own statuses come back one by one
LONGEST_BREATH: Final = 2.0
CATCH_UP: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind(Generic[T]):
    """One kind that a source reads. *prune* makes of an object what is kept of it; two that are equal are no change.

    *is_optional*: where its definition is not installed there are no objects of it. Where it has to be installed,
    *missing_hint* says what to do. Where there are *labels*, a selector as kubectl has it, only objects that match are read.
    *is_news* tells a change of what is asked for from others; see `WatchedKind`.
    """

    kind: Kind
    prune: Callable[[Object], T]
    is_optional: bool = False
    missing_hint: str = ""
    labels: str = ""
    is_news: Callable[[T, T], bool] = operator.ne


@dataclass(frozen=True, slots=True)
class KnownObjects:
    """What is kept of the objects of every kind at one moment, of all namespaces that are watched."""

    by_kind: Mapping[SourceKind[Any], Mapping[Key, Any]] = field(default_factory=dict)

    def of(self, kind: SourceKind[T]) -> Mapping[Key, T]:
        """Return the objects of one kind."""
        return self.by_kind.get(kind, {})

    @property
    def count(self) -> int:
        """How many objects are known."""
        return sum(map(len, self.by_kind.values()))


@dataclass(slots=True)
class _Pending:
    """What was handed on last, and what is due: an error before the first whole snapshot has nowhere else to go."""

    snapshot: Snapshot | None = None
    stores: StoreSnapshot | None = None
    lost: dict[WatchedKind[Any], KubeError] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    handed_on: int = 0  # how much of what the watch called news


class WatchedSource:
    """Objects of *kinds*, kept known; *translate* makes the snapshot of them.

    *translate* returns the very same snapshot where nothing changed that anybody reads, and leaves the event loop to others
    while it works: probes and the Lease must not wait for thousands of objects. *report* is told when a kind cannot be
    watched, and with None when it can again.
    """

    def __init__(
        self,
        client: KubeClient,
        kinds: Sequence[SourceKind[Any]],
        translate: Callable[[KnownObjects], Awaitable[Snapshot]],
        *,
        namespaces: NamespaceSelection = _EVERY_NAMESPACE,
        report: Callable[[WatchedKind[Any], KubeError | None], None] = lambda _watched, _error: None,
        surroundings: Clock | None = None,
    ) -> None:
        self._client = client
        self._translate = translate
        self._report = report
        self._surroundings = surroundings or Clock()
        self._watched = {kind: _watched(kind, namespaces) for kind in kinds}
        self._kinds = {watched: kind for kind, each in self._watched.items() for watched in each}
        self._pending: _Pending | None = None
        self._stores: StoreSnapshot | None = None
        self._problems: dict[tuple[WatchedKind[Any], str], Problem] = {}
        self._reflector: Reflector | None = None
        self._hurry = asyncio.Event()
        self._moved = asyncio.Condition()
        self._last: tuple[Snapshot, tuple[Problem, ...], Snapshot] | None = None

    async def once(self) -> Snapshot:
        """List everything, and return the snapshot; where a kind cannot be listed it is not complete, and has no subscription.

        Raise `ConfigError` where the way to the cluster is wrong.
        """
        objects: dict[WatchedKind[Any], Mapping[Key, Any]] = {}
        lost: dict[WatchedKind[Any], KubeError] = {}
        for watched in self._kinds:
            try:
                listed = await self._client.list(watched.kind, watched.scope)
                objects[watched] = {_key(watched, item): watched.prune(item) for item in listed}
            except KubeError as error:
                objects[watched] = {}
                if not (watched.is_optional and error.code == _NOT_INSTALLED):
                    lost[watched] = error
                    self._report(watched, error)
        if lost:
            return self._incomplete(lost)
        return await self._snapshot(StoreSnapshot(objects=objects, lost={}))

    async def run(
        self,
        deliver: Callable[[Snapshot], Awaitable[None]],
        *,
        beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    ) -> None:
        """Watch until cancelled, and hand each snapshot that differs to *deliver*; while it works, changes gather.

        Before the first whole snapshot there may come some that are not complete: they have no subscription, and say which
        kind cannot be listed. What is *beside* runs as long. Raise `ConfigError` where the way to the cluster is wrong, and
        what *deliver* raises.
        """
        pending = self._pending = _Pending()

        def report(watched: WatchedKind[Any], error: KubeError | None) -> None:
            pending.lost.pop(watched, None)
            if error:
                pending.lost[watched] = error
            pending.news.set()
            self._report(watched, error)

        async def note(stores: StoreSnapshot) -> None:
            pending.stores = stores
            pending.news.set()

        self._reflector = reflector = Reflector(
            self._client, tuple(self._kinds), report=report, hurry=self._hurry, surroundings=self._surroundings
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(reflector.run(note), name="watch objects")
                for work in beside:
                    tasks.create_task(work(), name="write to objects")
                await self._hand_on(pending, deliver)
        except ExceptionGroup as group:  # that there are tasks is nobody's business
            raise group.exceptions[0] from group

    async def again(self) -> Snapshot:
        """Return the snapshot of what is known, with what translation learned since; not complete before the first whole one."""
        return await self._snapshot(self._stores) if self._stores else Snapshot(complete=False)

    async def caught_up(self, seconds: float = CATCH_UP) -> None:
        """Wait until what the watch has heard so far is handed on, at most some *seconds*; nothing is gathered meanwhile.

        Before the first whole snapshot there is nothing to wait for.
        """
        pending, reflector = self._pending, self._reflector
        if pending is None or reflector is None or pending.stores is None:
            return
        heard = reflector.news
        if pending.handed_on >= heard:
            return
        self._hurry.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._moved:
                await self._moved.wait_for(lambda: pending.handed_on >= heard)

    def look_again(self) -> None:
        """Translate what is known once more: translation learned something."""
        if self._pending:
            self._pending.news.set()

    async def _hand_on(self, pending: _Pending, deliver: Callable[[Snapshot], Awaitable[None]]) -> None:
        seconds = 0.0  # that the last one took: where there are thousands of objects more has to gather
        while True:
            await pending.news.wait()
            if seconds > QUICK:
                await sleep_unless(self._hurry, min(seconds * BREATH, LONGEST_BREATH), self._surroundings)
            pending.news.clear()
            stores = pending.stores
            began = self._surroundings.clock()
            if stores is not None:
                snapshot = await self._snapshot(stores)
                seconds = self._surroundings.clock() - began
            elif pending.lost:
                snapshot = self._incomplete(pending.lost)
            else:
                continue
            if snapshot is not pending.snapshot and (snapshot.complete or snapshot != pending.snapshot):
                pending.snapshot = snapshot
                await deliver(snapshot)
            if stores is not None and stores.news > pending.handed_on:
                await self._note_handed_on(pending, stores.news)

    async def _note_handed_on(self, pending: _Pending, news: int) -> None:
        pending.handed_on = news
        if self._reflector is None or news >= self._reflector.news:
            self._hurry.clear()
        async with self._moved:
            self._moved.notify_all()

    async def _snapshot(self, stores: StoreSnapshot) -> Snapshot:
        """Return the snapshot of what is known; the very same one where nothing changed that anybody reads."""
        self._stores = stores
        translated = await self._translate(self._joined(stores))
        problems = self._lost_problems(stores.lost)
        last = self._last
        if last is None or last[0] is not translated or last[1] != problems:
            whole = replace(translated, problems=(*translated.problems, *problems)) if problems else translated
            self._last = last = (translated, problems, whole)
        return last[2]

    def _joined(self, stores: StoreSnapshot) -> KnownObjects:
        """Join the namespaces that were watched one by one, without what is elsewhere."""
        return KnownObjects(
            {
                kind: {key: kept for each in watched for key, kept in stores.objects.get(each, {}).items() if kept is not None}
                for kind, watched in self._watched.items()
            }
        )

    def _incomplete(self, lost: Mapping[WatchedKind[Any], KubeError]) -> Snapshot:
        return Snapshot(problems=self._lost_problems(lost), complete=False)

    def _lost_problems(self, lost: Mapping[WatchedKind[Any], KubeError]) -> tuple[Problem, ...]:
        """Return each kind that is lost; the same problem while the code is the same, since messages hold times and addresses."""
        known = self._problems
        self._problems = {
            (watched, error.code): known.get((watched, error.code)) or self._problem(watched, error)
            for watched, error in lost.items()
        }
        return tuple(self._problems.values())

    def _problem(self, watched: WatchedKind[Any], error: KubeError) -> Problem:
        missing_hint = self._kinds[watched].missing_hint if error.code == _NOT_INSTALLED else ""
        return Problem(path="", code=error.code, message=error.message, hint=missing_hint or error.hint, origin=str(watched))


def _watched(kind: SourceKind[Any], namespaces: NamespaceSelection) -> tuple[WatchedKind[Any], ...]:
    """Return what is watched for one kind: all namespaces at once, or one after the other."""
    prune = partial(_pruned, kind, namespaces)
    return tuple(
        WatchedKind(
            kind=kind.kind,
            prune=prune,
            scope=replace(scope, labels=kind.labels),
            is_optional=kind.is_optional,
            is_news=partial(_is_news, kind),
        )
        for scope in namespaces.scopes
    )


def _pruned(kind: SourceKind[T], namespaces: NamespaceSelection, item: Object) -> T | None:
    return kind.prune(item) if namespaces.covers(item["metadata"].get("namespace", "")) else None


def _is_news(kind: SourceKind[T], before: T | None, now: T | None) -> bool:
    """Return whether an object that changed asks for something else; None is one of a namespace that is not watched."""
    return kind.is_news(before, now) if before is not None and now is not None else before is not now


def _key(watched: WatchedKind[Any], item: Object) -> Key:
    try:
        return key_of(item)
    except (KeyError, TypeError, AttributeError):
        raise outside_protocol(f"list {watched.kind.resource}", "an object has no name") from None
