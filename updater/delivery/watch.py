"""The workloads that are followed, kept known, and what applies them: one watch for each kind, each by itself.

A kind that may not be read is reported once, and costs only what is of that kind; one that is not installed has no objects, which
is said once too. What is wanted may change at any time: only the watches that have to keep more are begun anew.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from updater.controller.objects import Sharing
from updater.delivery.finding import GIT_REPOSITORY
from updater.delivery.interest import EVERYWHERE, Wanted
from updater.delivery.kinds import WATCHED, prune_followed
from updater.delivery.readers import RepositoryReaders
from updater.http.client import Clock
from updater.kube.client import ListScope
from updater.kube.reflector import Reflector, WatchedKind, is_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from updater.delivery.interest import WatchPlace
    from updater.delivery.readers import ObjectKey
    from updater.errors import KubeError
    from updater.kube.client import KubeClient
    from updater.kube.kinds import Key, Object
    from updater.kube.reflector import StoreSnapshot

#: after how many seconds a kind is looked for again that is not installed; a server that starts knows some of them late
ABSENT_WAITS: Final = (60.0, 600.0)
#: every how many seconds watches are begun anew because more is wanted, after the first few times; each costs whole lists
WIDENED_EVERY: Final = 5.0
WIDENED_AT_ONCE: Final = 6
#: how often it is waited that long for the lists of those that were begun last: they must come to an end
_MOST_WAITS: Final = 12
_NOT_INSTALLED: Final = "kube-not-found"
_NOTHING: Final[Mapping[Any, Any]] = {}


class _Absent(Exception):  # noqa: N818 - it ends a watch, and nobody sees it
    """A kind is not installed."""


@dataclass(slots=True)
class _Watch:
    """One watch at work: *objects* are what another watch of the kind had kept, until it was listed itself.

    *covered* is what those objects answer for. *is_refused* is that only people can mend why it is lost.
    """

    wanted: Wanted
    kind: WatchedKind[Any] | None = None
    task: asyncio.Task[None] | None = None
    objects: Mapping[Key, Object] = field(default_factory=dict)
    covered: Wanted = field(default_factory=Wanted)
    is_listed: bool = False
    is_lost: bool = False
    is_refused: bool = False

    @property
    def held(self) -> Wanted:
        """What is known."""
        return self.wanted if self.is_listed else self.covered


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchHooks:
    """Who is told: *changed* which objects are others, None where that may be any; *report* a watch that is lost, and is back.

    *absent* is told the resource of a kind that is not installed, once; *ended* a watch that is lost and not at work any more.
    """

    changed: Callable[[frozenset[ObjectKey] | None], None]
    report: Callable[[WatchedKind[Any], KubeError | None], None]
    absent: Callable[[str], None] = field(default=lambda _resource: None)
    ended: Callable[[WatchedKind[Any]], None] = field(default=lambda _watched: None)


class WorkloadWatch:
    """What is known of the objects that are wanted."""

    def __init__(self, client: KubeClient, hooks: WatchHooks, *, surroundings: Clock | None = None) -> None:
        self._client = client
        self._hooks = hooks
        self._surroundings = surroundings or Clock()
        self._sharing = Sharing()
        self._wanted: Mapping[WatchPlace, Wanted] = {}
        self._places: Mapping[str, list[WatchPlace]] = {}
        self._watches: dict[WatchPlace, _Watch] = {}
        self._readers = RepositoryReaders(lambda namespace, name: self.get(GIT_REPOSITORY, namespace, name))
        self._absent: set[str] = set()
        self._moved = asyncio.Event()

    def want(self, wanted: Mapping[WatchPlace, Wanted]) -> None:
        """Watch these places from now on."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._places = _by_kind(wanted)
            self._moved.set()

    @property
    def is_listed(self) -> bool:
        """Whether everything that is wanted was listed, or cannot be."""
        return not any(self.is_awaited(*place) for place in self._wanted)

    def is_known(self, kind: str, namespace: str) -> bool:
        """Return whether a kind was listed, and is watched at the moment."""
        watch = self._of(kind, namespace)
        return watch is not None and watch.is_listed and not watch.is_lost

    def is_awaited(self, kind: str, namespace: str, need: Wanted | None = None) -> bool:
        """Return whether *need* of a kind is about to be listed for the first time, None for all that is wanted of it.

        A failure that may end by itself does not end that. In all namespaces it is awaited as long as in one of those watched.
        """
        place = (kind, EVERYWHERE) if (kind, EVERYWHERE) in self._wanted else (kind, namespace)
        if namespace == EVERYWHERE and place not in self._wanted:
            return any(self.is_awaited(*each, need) for each in self._places.get(kind, ()))
        if place not in self._wanted:
            return False
        watch, wanted = self._watches.get(place), self._wanted[place]
        if need is not None and place[1] != namespace:
            need = need.within(namespace)
        if need is None or not wanted.covers(need):
            need = wanted
        held = watch.held if watch else _held_of(place, self._watches)
        return not (held.covers(need) or (watch is not None and watch.is_refused))

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return what is kept of an object, None where there is none, or none is known yet."""
        watch = self._of(kind, namespace)
        return watch.objects.get((namespace, name)) if watch else None

    def readers_of(self, kind: str, place: tuple[str, str]) -> Iterable[Key]:
        """Return namespace and name of the agents of one kind that read the Git repository at *place*."""
        return self._readers.of(kind, place)

    async def run(self) -> None:
        """Watch until cancelled."""
        due, clock = 0.0, self._surroundings.clock
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._moved.clear()
                if self._adjust(tasks):
                    due = max(due, clock()) + WIDENED_EVERY
                await self._moved.wait()
                if (wait := due - (WIDENED_AT_ONCE - 1) * WIDENED_EVERY - clock()) > 0:
                    await self._let_list(wait)

    async def _let_list(self, wait: float) -> None:
        """Let the watches that were begun last be listed: whoever keeps asking for more must not keep everybody from knowing."""
        await self._surroundings.sleep(wait)
        for _ in range(_MOST_WAITS):
            if all(watch.is_listed or watch.is_lost for watch in self._watches.values()):
                return
            await self._surroundings.sleep(WIDENED_EVERY)

    def _of(self, kind: str, namespace: str) -> _Watch | None:
        return self._watches.get((kind, EVERYWHERE)) or self._watches.get((kind, namespace))

    def _adjust(self, tasks: asyncio.TaskGroup) -> bool:
        """Begin what is wanted and not watched, or not as widely, and end what is not; return whether any ended."""
        before, wanted = self._watches, self._wanted
        stays = {place: watch for place, watch in before.items() if place in wanted and watch.wanted.covers(wanted[place])}
        ended = {place: watch for place, watch in before.items() if place not in stays}
        self._watches = stays
        for place, watch in ended.items():
            if watch.task is not None:
                watch.task.cancel()
            if watch.kind is not None and watch.is_lost:
                self._hooks.ended(watch.kind)
            self._readers.moved(place[0], watch.objects, _NOTHING)
        for place in [place for place in wanted if place not in stays]:
            self._watches[place] = begun = _Watch(
                wanted[place],
                objects=_kept_for(place, ended),
                covered=_held_of(place, ended),
                is_refused=place in ended and ended[place].is_refused,
            )
            self._readers.moved(place[0], _NOTHING, begun.objects)
            begun.task = tasks.create_task(self._follow(place, begun), name=f"watch {place[0]} in {place[1] or 'all namespaces'}")
        if ended:  # not before all that is awaited from now on is known to be
            self._hooks.changed(None)
        return bool(ended)

    async def _follow(self, place: WatchPlace, watch: _Watch) -> None:
        followed = WATCHED[place[0]]

        def prune(item: Object) -> Object | None:
            kept = prune_followed(item, followed, self._sharing)
            return kept if watch.wanted.keeps(place[0], kept) else None

        def told(watched: WatchedKind[Any], error: KubeError | None) -> None:
            self._told(watch, watched, error)

        watch.kind = kind = WatchedKind(kind=followed.kind, prune=prune, scope=ListScope(namespace=place[1] or None))
        waits = iter(ABSENT_WAITS)
        while True:
            reflector = Reflector(self._client, [kind], report=told, surroundings=self._surroundings)
            try:
                await reflector.run(partial(self._note, place, watch, kind))
            except _Absent:
                await self._surroundings.sleep(next(waits, ABSENT_WAITS[-1]))

    def _told(self, watch: _Watch, watched: WatchedKind[Any], error: KubeError | None) -> None:
        """Note that a watch is lost, or is back; what is not installed has no objects until it is."""
        is_absent = error is not None and error.code == _NOT_INSTALLED and not watch.wanted.is_named
        if is_absent and not (watch.is_listed and watch.objects):
            self._readers.moved(watched.kind.name, watch.objects, _NOTHING)
            watch.objects, watch.is_listed = {}, True
            if watched.kind.resource not in self._absent:
                self._absent.add(watched.kind.resource)
                self._hooks.absent(watched.kind.resource)
            self._hooks.changed(None)
            raise _Absent
        watch.is_refused = error is not None and is_refusal(error)
        if error is not None or watch.is_lost:
            watch.is_lost = error is not None
            self._hooks.report(watched, error)
        self._hooks.changed(None)

    async def _note(self, place: WatchPlace, watch: _Watch, watched: WatchedKind[Object | None], stores: StoreSnapshot) -> None:
        before, is_first = watch.objects, not watch.is_listed
        now = {key: item for key, item in stores.of(watched).items() if item is not None}
        watch.objects, watch.is_listed = now, True
        if is_first:
            watch.is_refused = False
        moved = self._readers.moved(place[0], before, now)
        self._hooks.changed(None if is_first else moved)


def _by_kind(places: Iterable[WatchPlace]) -> dict[str, list[WatchPlace]]:
    found: dict[str, list[WatchPlace]] = {}
    for place in places:
        found.setdefault(place[0], []).append(place)
    return found


def _held_of(place: WatchPlace, watches: Mapping[WatchPlace, _Watch]) -> Wanted:
    """Return what *watches* have of what one at *place* keeps."""
    held = Wanted()
    for (kind, namespace), watch in watches.items():
        if kind == place[0]:
            held |= watch.held.seen_from(namespace, place[1])
    return held


def _kept_for(place: WatchPlace, ended: Mapping[WatchPlace, _Watch]) -> dict[Key, Object]:
    """Return what watches that *ended* had kept of what a new one at *place* is to keep."""
    kind, namespace = place
    kept = [watch.objects for (other, _), watch in ended.items() if other == kind]
    return {key: item for objects in kept for key, item in objects.items() if namespace in {EVERYWHERE, key[0]}}
