"""When the status of an object is written: gathered for seconds, one object after the other, and tried again where it failed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from updater.controller.status_patch import StatusPatcher
from updater.controller.work import repeat
from updater.errors import KubeDenied, KubeError, KubeGone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.controller.objects import KeptObject
    from updater.controller.options import ControllerOptions
    from updater.controller.status_patch import StatusRules
    from updater.kube.client import KubeClient
    from updater.kube.kinds import Kind, Ref

N = TypeVar("N")

GATHER: Final = 3.0
AGAIN: Final = 30.0
SLOWLY_AGAIN: Final = 300.0  # what only people can mend


class StatusWriter(Generic[N]):
    """Writes the statuses of objects of the kinds that have *rules*.

    An object is written at most once in some seconds; what failed is tried again.
    """

    def __init__(self, client: KubeClient, options: ControllerOptions, rules: Mapping[Kind, StatusRules[N]]) -> None:
        self._options = options
        self._patcher = StatusPatcher(client, options, rules)
        self._waiting: dict[Ref, None] = {}
        self._due = asyncio.Event()
        self._retrying: set[Ref] = set()

    def know(self, kept: Mapping[Ref, KeptObject], *, all_due: bool) -> None:
        """Take over the objects that there are; those that changed are looked at, *all_due* where what they mean may have."""
        changed = self._patcher.know(kept)
        self._waiting = {ref: None for ref in self._waiting if ref in kept}
        self.touch(kept if all_due else changed)

    def touch(self, refs: Iterable[Ref]) -> None:
        """Let the status of some be looked at again."""
        self._waiting |= dict.fromkeys(ref for ref in refs if ref in self._patcher)
        if self._waiting:
            self._due.set()

    def tell(self, ref: Ref, news: N) -> None:
        """Tell *news* in the status of an object."""
        if ref in self._patcher:
            self._patcher.tell(ref, news)
            self.touch([ref])

    def wake(self) -> None:
        """Write what waits."""
        self._due.set()

    async def run(self) -> None:
        """Write what is due until cancelled."""
        async with asyncio.TaskGroup() as retries:
            await repeat(lambda: self._work(retries), detail="the status of an object was not written")

    async def finish(self) -> None:
        """Write what waits now, each once: the end of a single pass."""
        await self._write_waiting(None)

    async def _work(self, retries: asyncio.TaskGroup) -> None:
        """Wait for a status to look at, gather for some seconds, and write those that differ."""
        await self._due.wait()
        await self._options.surroundings.sleep(GATHER)
        self._due.clear()
        try:
            await self._write_waiting(retries)
        finally:
            if self._waiting and self._options.may_write():  # a bug at one object is not the end of the others
                self._due.set()

    async def _write_waiting(self, retries: asyncio.TaskGroup | None) -> None:
        """Write what waits while this replica may; *retries* holds what is tried again, None where nothing is."""
        while self._waiting and self._options.may_write():
            ref = next(iter(self._waiting))
            del self._waiting[ref]
            if ref in self._patcher:
                wait = await self._try(ref)
                if wait and retries and ref not in self._retrying:  # one retry an object, however often it is touched meanwhile
                    self._retrying.add(ref)
                    retries.create_task(self._later(ref, wait))

    async def _later(self, ref: Ref, seconds: float) -> None:
        try:
            await self._options.surroundings.sleep(seconds)
        finally:
            self._retrying.discard(ref)
        self.touch([ref])

    async def _try(self, ref: Ref) -> float:
        """Write what is due to an object; return the seconds after which to look again, 0 where it is done."""
        try:
            return await self._patcher.write(ref)
        except KubeGone:
            self._patcher.drop_news(ref)
            return 0.0
        except KubeError as error:
            self._options.count("status", error.code)
            self._options.report(f"status of {ref}", error)
            return SLOWLY_AGAIN if isinstance(error, KubeDenied) else AGAIN
