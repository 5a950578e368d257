"""How the status of one object is written: on the version read, only if it changed, less often where somebody writes over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from updater.controller.contention import Contention, is_mere_refresh
from updater.errors import KubeConflict, KubeError
from updater.model.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from updater.controller.objects import KeptObject
    from updater.controller.options import ControllerOptions
    from updater.kube.client import KubeClient
    from updater.kube.kinds import Kind, Object, Ref

N = TypeVar("N")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDue(Generic[N]):
    """An object whose status is looked at *now* (RFC 3339); *news* are what no status of it tells yet."""

    ref: Ref
    kept: KeptObject
    news: tuple[N, ...]
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRules(Generic[N]):
    """What is known of the statuses of one kind.

    *make* returns the status to write, None where the one that stands there says the same. *prune* makes of an object what
    is kept of it, as the source does. The fields named *volatile* are no other statement: times, and what happened in the
    past. *finalizer* is taken off an object that was deleted. *rival_hint* says what to do where another controller keeps
    writing over ours.
    """

    make: Callable[[StatusDue[N]], Mapping[str, Any] | None]
    prune: Callable[[Object], KeptObject]
    volatile: frozenset[str] = frozenset()
    finalizer: str = ""
    rival_hint: str = "stop the other controller; until then ours is written less and less often"


class StatusPatcher(Generic[N]):
    """The objects whose statuses are written, as they are after our own last writes, and writes one of them."""

    def __init__(self, client: KubeClient, options: ControllerOptions, rules: Mapping[Kind, StatusRules[N]]) -> None:
        self._client = client
        self._options = options
        self._rules = dict(rules)
        self._kept: dict[Ref, KeptObject] = {}
        self._written: dict[Ref, tuple[KeptObject, KeptObject]] = {}
        self._news: dict[Ref, list[N]] = {}
        self._contention = Contention(options.surroundings.clock)

    def __contains__(self, ref: Ref) -> bool:
        return ref in self._kept

    def know(self, kept: Mapping[Ref, KeptObject]) -> list[Ref]:
        """Take over the objects that there are; return those that somebody else changed."""
        newest = {ref: self._newest(ref, each) for ref, each in kept.items()}
        changed = [ref for ref, each in newest.items() if (old := self._kept.get(ref)) is not each and old != each]
        self._kept = newest
        self._written = {ref: pair for ref, pair in self._written.items() if newest.get(ref) is pair[1]}
        self._news = {ref: news for ref, news in self._news.items() if ref in kept}
        self._contention.keep(kept)
        return changed

    def tell(self, ref: Ref, news: N) -> None:
        """Hand *news* to the rules of an object until a status was written."""
        self._news.setdefault(ref, []).append(news)

    def drop_news(self, ref: Ref) -> None:
        """Forget what no status told: the object is gone."""
        self._news.pop(ref, None)

    async def write(self, ref: Ref) -> float:
        """Write what is due to an object; return the seconds after which to look again, 0 where it is done.

        Raises `KubeGone` where there is no such object now, and `KubeError`.
        """
        kept, rules = self._kept[ref], self._rules[ref.kind]
        if rules.finalizer and rules.finalizer in kept.finalizers:
            await self._let_go(ref, kept, rules.finalizer)
            return 0.0
        try:
            return await self._put(ref, kept)
        except KubeConflict:
            read = rules.prune(await self._client.get(ref))
            if read.generation == kept.generation:  # else the watch tells of it, and it is judged anew
                return await self._put(ref, read)
            return 0.0

    async def _let_go(self, ref: Ref, kept: KeptObject, finalizer: str) -> None:
        """Take the finalizer off an object that was deleted: the API server would keep it for ever."""
        others = [name for name in kept.finalizers if name != finalizer]
        try:
            await self._client.patch(ref, {"metadata": {"finalizers": others or None}}, version=kept.version or None)
        except KubeConflict:
            return  # the watch tells what it is now
        self._options.count("finalizer", "ok")

    def _newest(self, ref: Ref, kept: KeptObject) -> KeptObject:
        """Return what our last write made of an object where the watch still tells what was before it."""
        before, after = self._written.get(ref, (None, kept))
        return after if before is not None and kept.version == before.version else kept

    async def _put(self, ref: Ref, kept: KeptObject) -> float:
        """Write the status if it differs from that of *kept*, on its version; return the seconds for which that must wait.

        Raises `KubeConflict`.
        """
        rules, news = self._rules[ref.kind], tuple(self._news.get(ref, ()))
        now = rfc3339(self._options.surroundings.wall())
        status = rules.make(StatusDue(ref=ref, kept=kept, news=news, now=now))
        if status is None:
            return 0.0
        is_refresh = is_mere_refresh(kept.status, status, volatile=rules.volatile)
        wait = 0.0 if is_refresh else self._contention.wait(ref, status, volatile=rules.volatile)
        if wait:
            return wait
        made = await self._client.patch(ref, {"status": status}, version=kept.version or None, subresource="status")
        self._options.count("status", "ok")
        if not is_refresh and self._contention.note(ref, status, volatile=rules.volatile):
            self._options.report(f"status of {ref}", _contended(rules.rival_hint))
        after = rules.prune(made)
        if ref in self._kept and after.item == kept.item:  # else the spec changed too, and the watch tells of it
            self._written[ref] = (kept, after)
            self._kept[ref] = after
        self._news[ref] = self._news.get(ref, [])[len(news) :]
        return 0.0


def _contended(hint: str) -> KubeError:
    return KubeError("another controller keeps overwriting the status", hint=hint, code="status-contended")
