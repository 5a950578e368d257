"""Keep a set of objects known: list, watch, list again; hand on snapshots only when they are complete.

A snapshot is withheld until every kind was listed once. A kind that is lost keeps its last objects, and a list that breaks off
changes nothing: a partial list must never look like a deletion.
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import operator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from updater.errors import KubeDenied, KubeError, KubeGone
from updater.http.client import Clock
from updater.kube.client import EVERYWHERE, ListScope
from updater.kube.faults import outside_protocol
from updater.kube.kinds import Object, key_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from updater.kube.client import KubeClient
    from updater.kube.kinds import Key, Kind

T = TypeVar("T")

DEBOUNCE: Final = 0.5
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 15.0
SLOW_WAIT: Final = 60.0  # what only people can mend: rights, or a definition that is not installed
WATCH_SECONDS: Final = 300.0
IDLE: Final = 150.0  # silence ends a watch; opening it again tells a quiet kind from a dead connection
_SETTLED: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedKind(Generic[T]):
    """One kind to watch. *prune* returns the part of an object to keep; equal parts are not a change.

    *is_optional*: where its definition is not installed it counts as listed and empty, and is looked for again.
    *is_news* returns whether a part that differs from the one before asks for something else, which is worth waiting for.
    """

    kind: Kind
    prune: Callable[[Object], T]
    scope: ListScope = EVERYWHERE
    is_optional: bool = False
    is_news: Callable[[T, T], bool] = operator.ne

    def __str__(self) -> str:
        return f"{self.kind.resource} in {self.scope.namespace or 'all namespaces'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSnapshot:
    """The known objects of all watched kinds: pruned objects by (namespace, name), and why a kind may be outdated.

    A value that did not change is the same object as in the snapshot before. *news* counts what was news until then.
    """

    objects: Mapping[WatchedKind[Any], Mapping[Key, Any]]
    lost: Mapping[WatchedKind[Any], KubeError]
    news: int = 0

    def of(self, watched: WatchedKind[T]) -> Mapping[Key, T]:
        """Return the objects of one of the watched."""
        return self.objects[watched]


@dataclass(slots=True)
class _Store:
    """What is known of one kind. *version* is None when it must be listed (again)."""

    watched: WatchedKind[Any]
    kept: dict[Key, Any] = field(default_factory=dict)
    version: str | None = None
    is_listed: bool = False
    failures: int = 0


class Reflector:
    """Keep the objects of *watched* known. *report* is called when a watch is lost, and with None when it is back.

    *surroundings* are time and chance, *debounce* the seconds for which changes are gathered, unless *hurry* is set. `news`
    counts what was news so far.
    """

    def __init__(
        self,
        client: KubeClient,
        watched: Sequence[WatchedKind[Any]],
        *,
        report: Callable[[WatchedKind[Any], KubeError | None], None] = lambda _watched, _error: None,
        debounce: float = DEBOUNCE,
        hurry: asyncio.Event | None = None,
        surroundings: Clock | None = None,
    ) -> None:
        self.news = 0
        self._client = client
        self._hurry = hurry or asyncio.Event()
        self._shelves = [_Store(each) for each in watched]
        self._report = report
        self._debounce = debounce
        self._around = surroundings or Clock()
        self._lost: dict[WatchedKind[Any], KubeError] = {}
        self._changed = asyncio.Event()

    async def run(self, deliver: Callable[[StoreSnapshot], Awaitable[None]]) -> None:
        """Hand whole snapshots to *deliver* until cancelled: the first when all was listed, then after changes.

        What *deliver* raises ends it.
        """
        self._changed.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                for shelf in self._shelves:
                    tasks.create_task(self._follow(shelf), name=f"watch {shelf.watched}")
                await self._hand_on(deliver)
        except ExceptionGroup as group:  # of one call, not of many tasks: that there are tasks is nobody's business
            raise group.exceptions[0] from group

    async def _hand_on(self, deliver: Callable[[StoreSnapshot], Awaitable[None]]) -> None:
        while True:
            await self._changed.wait()
            if all(shelf.is_listed for shelf in self._shelves):
                await sleep_unless(self._hurry, self._debounce, self._around)
                self._changed.clear()
                await deliver(self._known())
            else:
                self._changed.clear()

    def _known(self) -> StoreSnapshot:
        objects = {shelf.watched: MappingProxyType(dict(shelf.kept)) for shelf in self._shelves}
        return StoreSnapshot(objects=MappingProxyType(objects), lost=MappingProxyType(dict(self._lost)), news=self.news)

    async def _follow(self, shelf: _Store) -> None:
        """Keep one kind known, whatever the server does."""
        while True:
            began = self._around.clock()
            try:
                if shelf.version is None:
                    await self._list(shelf)
                await self._stream(shelf)
            except KubeError as error:
                if isinstance(error, KubeGone) or error.code == "kube-protocol":
                    shelf.version = None
                if self._around.clock() - began >= _SETTLED:  # an event alone is no sign of health: it may fail after each
                    shelf.failures = 0
                self._note(shelf, error)
                await self._around.sleep(self._wait(shelf, error))
            else:
                if self._around.clock() - began < _SETTLED:  # it ends at once, again and again
                    shelf.failures += 1
                    await self._around.sleep(self._delay(shelf.failures))
                else:
                    shelf.failures = 0

    async def _list(self, shelf: _Store) -> None:
        """Replace what is known, once the last page is here."""
        watched, found, version = shelf.watched, {}, ""
        async for page in self._client.pages(watched.kind, watched.scope):
            for item in page.items:
                key, value = _pruned(watched, item)
                old = shelf.kept.get(key)
                found[key] = old if old == value else value
            version = page.version
        is_first, shelf.is_listed = not shelf.is_listed, True
        has_changed = is_first or found != shelf.kept
        self.news += has_changed
        shelf.kept, shelf.version = found, version
        self._back(shelf)
        if has_changed:
            self._changed.set()

    async def _stream(self, shelf: _Store) -> None:
        watched, version = shelf.watched, shelf.version or ""
        seconds = WATCH_SECONDS * (1.0 + 0.2 * self._around.random())  # not all of them anew at one time
        opened = self._client.watching(watched.kind, watched.scope, version=version, seconds=seconds, idle=IDLE)
        async with opened as events:
            self._back(shelf)
            async for event in events:
                self._take(shelf, event.get("type", ""), event["object"])

    def _take(self, shelf: _Store, what: object, item: Object) -> None:
        """Note one event; the version moves on only with an event that was understood."""
        metadata = item.get("metadata")
        version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
        if not isinstance(version, str) or what not in {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}:
            raise outside_protocol(f"watch {shelf.watched.kind.resource}", f"the event {str(what)[:40]!r} has no meaning")
        if what != "BOOKMARK":
            key, value = _pruned(shelf.watched, item)
            if what == "DELETED":
                if shelf.kept.pop(key, None) is not None:
                    self.news += 1
                    self._changed.set()
            elif key not in shelf.kept or shelf.kept[key] != value:
                self.news += key not in shelf.kept or shelf.watched.is_news(shelf.kept[key], value)
                shelf.kept[key] = value
                self._changed.set()
        shelf.version = version

    def _note(self, shelf: _Store, error: KubeError) -> None:
        """Report that a kind is behind; one that is not installed and need not be counts as listed."""
        before = self._lost.get(shelf.watched)
        # the first refusal after an outage is that of a server that starts: it does not count with the failures before
        shelf.failures = 1 if is_refusal(error) and before and before.code != error.code else shelf.failures + 1
        if error.code == "kube-not-found" and shelf.watched.is_optional and not shelf.kept:
            if not shelf.is_listed:
                shelf.is_listed = True
                self._changed.set()
            return
        if error.code == "kube-gone":  # an old version is part of the protocol; the list that follows says more
            return
        self._lost[shelf.watched] = error
        if before is None or before.code != error.code:
            self._report(shelf.watched, error)
            self._changed.set()

    def _back(self, shelf: _Store) -> None:
        if self._lost.pop(shelf.watched, None) is not None:
            self._report(shelf.watched, None)
            self._changed.set()

    def _wait(self, shelf: _Store, error: KubeError) -> float:
        if is_refusal(error):
            # a server that starts knows neither rights nor definitions for a moment
            slowly = min(SLOW_WAIT, 4.0 * FIRST_WAIT * 2.0 ** min(shelf.failures - 1, 10))
            return slowly * (0.5 + 0.5 * self._around.random())
        return max(self._delay(shelf.failures), min(getattr(error, "retry_after", None) or 0.0, SLOW_WAIT))

    def _delay(self, failures: int) -> float:
        whole: float = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 10))
        return whole * (0.5 + 0.5 * self._around.random())


async def sleep_unless(hurry: asyncio.Event, seconds: float, around: Clock) -> None:
    """Sleep, not longer than until *hurry* is set."""
    if hurry.is_set():
        return
    ends = [asyncio.ensure_future(around.sleep(seconds)), asyncio.ensure_future(hurry.wait())]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)


def is_refusal(error: KubeError) -> bool:
    """Return whether only people can mend it: rights, or a definition that is not installed."""
    return isinstance(error, KubeDenied) or error.code == "kube-not-found"


def _pruned(watched: WatchedKind[T], item: object) -> tuple[Key, T]:
    try:
        key = key_of(item)  # type: ignore[arg-type] # what is no object is answered here
    except (KeyError, TypeError, AttributeError):
        raise outside_protocol(f"watch {watched.kind.resource}", "an object has no name") from None
    return key, watched.prune(item)  # type: ignore[arg-type]
