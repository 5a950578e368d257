"""When the status of an ImageUpdater is written: gathered for seconds, on the version read, and only if it changed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from updater.argocd.cluster.contention import Contention
from updater.argocd.cluster.kinds import IMAGE_UPDATER
from updater.argocd.cluster.pruning import Sharing, prune_updater
from updater.argocd.cluster.status import StatusFacts, status_of
from updater.errors import KubeConflict, KubeDenied, KubeError, KubeGone
from updater.kube.kinds import Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.argocd.cluster.feedback_index import FeedbackIndex
    from updater.argocd.cluster.feedback_options import FeedbackOptions
    from updater.argocd.cluster.kinds import Key
    from updater.argocd.cluster.moves import ImageMove
    from updater.argocd.cluster.pruning import KeptUpdater
    from updater.kube.client import KubeClient
    from updater.model.outcome import Outcome

FINALIZER: Final = "resources-finalizer.argocd-image-updater.argoproj.io"
GATHER: Final = 3.0
AGAIN: Final = 30.0
SLOWLY_AGAIN: Final = 300.0  # what only people can mend


class StatusWriter:
    """Writes the statuses of ImageUpdaters, one after the other.

    *outcomes* are the last ones by subscription key, in force while they change. An object is written at most once in some
    seconds; what failed is tried again.
    """

    def __init__(self, client: KubeClient, answers: FeedbackOptions, outcomes: Mapping[str, Outcome]) -> None:
        self._client = client
        self._answers = answers
        self._outcomes = outcomes
        self._kept: dict[Key, KeptUpdater] = {}
        self._written: dict[Key, tuple[KeptUpdater, KeptUpdater]] = {}
        self._applications: dict[Key, int] = {}
        self._index: FeedbackIndex | None = None
        self._moves: dict[Key, list[ImageMove]] = {}
        self._waiting: dict[Key, None] = {}
        self._due = asyncio.Event()
        self._retrying: set[Key] = set()
        self._contention = Contention(answers.around.clock)

    def know(self, kept: Mapping[Key, KeptUpdater], selected: Mapping[str, tuple[str, ...]], index: FeedbackIndex) -> None:
        """Take over the objects, how many Applications each decides for, and their answers."""
        is_other = index is not self._index
        newest = {key: self._newest(key, updater) for key, updater in kept.items()}
        changed = [key for key, updater in newest.items() if is_other or updater != self._kept.get(key)]
        self._kept, self._index = newest, index
        self._written = {key: pair for key, pair in self._written.items() if newest.get(key) is pair[1]}
        self._applications = {key: len(selected.get(_name(key), ())) for key in kept}
        self._moves = {key: moves for key, moves in self._moves.items() if key in kept}
        self._waiting = {key: None for key in self._waiting if key in kept}
        self._contention.keep(kept)
        self.touch(changed)

    def touch(self, keys: Iterable[Key]) -> None:
        """Let the status of some be looked at again."""
        self._waiting |= dict.fromkeys(key for key in keys if key in self._kept)
        if self._waiting:
            self._due.set()

    def moved(self, key: Key, move: ImageMove) -> None:
        """Tell a move in the status of an ImageUpdater."""
        if key in self._kept:
            self._moves.setdefault(key, []).append(move)
            self.touch([key])

    def wake(self) -> None:
        """Write what waits."""
        self._due.set()

    async def work(self, again: asyncio.TaskGroup) -> None:
        """Wait for a status to look at, gather for some seconds, and write those that differ; *again* holds what is retried."""
        await self._due.wait()
        await self._answers.around.sleep(GATHER)
        self._due.clear()
        try:
            while self._waiting and self._answers.may_write():
                key = next(iter(self._waiting))
                del self._waiting[key]
                if key in self._kept:
                    await self._try(key, again)
        finally:
            if self._waiting and self._answers.may_write():  # a bug at one object is not the end of the others
                self._due.set()

    async def finish(self) -> None:
        """Write what waits now, each once: the end of a single pass."""
        while self._waiting and self._answers.may_write():
            key = next(iter(self._waiting))
            del self._waiting[key]
            if key in self._kept:
                await self._try(key, None)

    async def _try(self, key: Key, again: asyncio.TaskGroup | None) -> None:
        """Write what is due to an object; *again* holds what is to be looked at once more, None where nothing is."""
        try:
            wait = await self._write(key)
        except KubeGone:
            self._moves.pop(key, None)
            return
        except KubeError as error:
            self._answers.count("status", error.code)
            self._answers.report(f"status of {Ref(IMAGE_UPDATER, *key)}", error)
            wait = SLOWLY_AGAIN if isinstance(error, KubeDenied) else AGAIN
        if wait and again and key not in self._retrying:  # one retry an object, however often it is touched meanwhile
            self._retrying.add(key)
            again.create_task(self._later(key, wait))

    async def _later(self, key: Key, seconds: float) -> None:
        try:
            await self._answers.around.sleep(seconds)
        finally:
            self._retrying.discard(key)
        self.touch([key])

    async def _write(self, key: Key) -> float:
        """Write what is due to an object; return the seconds after which to look again, 0 where it is done."""
        kept = self._kept[key]
        if FINALIZER in kept.holders:
            await self._let_go(key, kept)
            return 0.0
        try:
            return await self._put(key, kept)
        except KubeConflict:
            read = prune_updater(await self._client.get(Ref(IMAGE_UPDATER, *key)), Sharing())
            if read.generation == kept.generation:  # else the watch tells of it, and it is judged anew
                return await self._put(key, read)
            return 0.0

    async def _let_go(self, key: Key, kept: KeptUpdater) -> None:
        """Take the peer's finalizer off an object that was deleted: who takes its place must not leave it hanging for ever."""
        others = [name for name in kept.holders if name != FINALIZER]
        try:
            change = {"metadata": {"finalizers": others or None}}
            await self._client.patch(Ref(IMAGE_UPDATER, *key), change, version=kept.version or None)
        except KubeConflict:
            return  # the watch tells what it is now
        self._answers.count("finalizer", "ok")

    def _newest(self, key: Key, kept: KeptUpdater) -> KeptUpdater:
        """Return what our last write made of an object where the watch still tells what was before it."""
        before, after = self._written.get(key, (None, kept))
        return after if before is not None and kept.version == before.version else kept

    async def _put(self, key: Key, kept: KeptUpdater) -> float:
        """Write the status if it differs from that of *kept*, on its version; return the seconds for which that must wait.

        Raises `KubeConflict`.
        """
        index = self._index
        if index is None:
            return 0.0
        moves = tuple(self._moves.get(key, ()))
        facts = StatusFacts(
            kept=kept,
            applications=self._applications.get(key, 0),
            answers=index.by_updater.get(_name(key), ()),
            outcomes=self._outcomes,
            flaws=index.flaws.get(_name(key), ()),
            moves=moves,
        )
        now = datetime.fromtimestamp(self._answers.around.wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = status_of(facts, now)
        wait = self._contention.wait(key, status) if status else 0.0
        if status is None or wait:
            return wait
        ref = Ref(IMAGE_UPDATER, *key)
        made = await self._client.patch(ref, {"status": status}, version=kept.version or None, subresource="status")
        self._answers.count("status", "ok")
        if self._contention.note(key, status):
            self._answers.report(f"status of {ref}", _contended())
        after = prune_updater(made, Sharing())
        if key in self._kept and after.item == kept.item:  # else the spec changed too, and the watch tells of it
            self._written[key] = (kept, after)
            self._kept[key] = after
        self._moves[key] = self._moves.get(key, [])[len(moves) :]
        return 0.0


def _contended() -> KubeError:
    hint = "if another Argo CD Image Updater still runs, stop it; until then ours is written less and less often"
    return KubeError("another controller keeps overwriting the status", hint=hint, code="status-contended")


def _name(key: Key) -> str:
    return "/".join(key)
