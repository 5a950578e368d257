"""When the status of an object is written: gathered for seconds, one object after the other, and tried again where it failed."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from updater.controller.status_patch import StatusPatcher
from updater.controller.work import bugs_logged, repeat
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
GATHER_BRIEFLY: Final = 0.2
AGAIN: Final = 30.0
SLOWLY_AGAIN: Final = 300.0  # what only people can mend
AT_A_TIME: Final = 8  # one after the other, thousands of statuses take as many round trips


class _Lane:
    """Objects whose statuses are due, gathered for *seconds* from the first on."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.refs: dict[Ref, None] = {}
        self.due = asyncio.Event()

    def add(self, refs: Iterable[Ref]) -> None:
        self.refs |= dict.fromkeys(refs)
        self.wake()

    def leave(self, refs: Iterable[Ref]) -> None:
        for ref in refs:
            self.refs.pop(ref, None)

    def wake(self) -> None:
        if self.refs:
            self.due.set()


class StatusWriter(Generic[N]):
    """Writes the statuses of objects of the kinds that have *rules*.

    An object is written at most once in some seconds, one that a person waits for almost at once; what failed is tried again.
    """

    def __init__(self, client: KubeClient, options: ControllerOptions, rules: Mapping[Kind, StatusRules[N]]) -> None:
        self._options = options
        self._patcher = StatusPatcher(client, options, rules)
        self._gathered, self._urgent = _Lane(GATHER), _Lane(GATHER_BRIEFLY)
        self._writing: set[Ref] = set()
        self._touched: set[Ref] = set()
        self._retrying: set[Ref] = set()

    def know(self, kept: Mapping[Ref, KeptObject], *, all_due: bool) -> None:
        """Take over the objects that there are; those that changed are looked at, *all_due* where what they mean may have."""
        changed = self._patcher.know(kept)
        for lane in (self._gathered, self._urgent):
            lane.leave([ref for ref in lane.refs if ref not in kept])
        self.touch(kept if all_due else changed)

    def touch(self, refs: Iterable[Ref], *, at_once: bool = False) -> None:
        """Let the status of some be looked at again; *at_once* where a person waits for it."""
        known = [ref for ref in refs if ref in self._patcher and (at_once or ref not in self._urgent.refs)]
        if at_once:
            self._gathered.leave(known)
        (self._urgent if at_once else self._gathered).add(known)

    def tell(self, ref: Ref, news: N) -> None:
        """Tell *news* in the status of an object."""
        if ref in self._patcher:
            self._patcher.tell(ref, news)
            self.touch([ref])

    def wake(self) -> None:
        """Write what waits."""
        self._gathered.wake()
        self._urgent.wake()

    async def run(self) -> None:
        """Write what is due until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in (self._gathered, self._urgent):
                work = partial(self._work, lane, tasks)
                tasks.create_task(repeat(work, detail="the status of an object was not written"))

    async def finish(self) -> None:
        """Write what waits now, each once: the end of a single pass."""
        for lane in (self._urgent, self._gathered):
            await self._write_all(lane, None)

    async def _work(self, lane: _Lane, retries: asyncio.TaskGroup) -> None:
        """Wait for a status to look at, gather for some seconds, and write those that differ."""
        await lane.due.wait()
        await self._options.surroundings.sleep(lane.seconds)
        lane.due.clear()
        await self._write_all(lane, retries)

    async def _write_all(self, lane: _Lane, retries: asyncio.TaskGroup | None) -> None:
        """Write what waits while this replica may; *retries* holds what is tried again, None where nothing is."""
        async with asyncio.TaskGroup() as writers:
            for _ in range(min(AT_A_TIME, len(lane.refs))):
                writers.create_task(self._write_some(lane, retries))

    async def _write_some(self, lane: _Lane, retries: asyncio.TaskGroup | None) -> None:
        """Write one after the other; a bug at one object is not the end of the others."""
        while lane.refs and self._options.may_write():
            ref = next(iter(lane.refs))
            del lane.refs[ref]
            if ref in self._writing:  # of the other lane: what it writes may be older than what it was touched for
                self._touched.add(ref)
                continue
            wait = 0.0
            self._writing.add(ref)
            try:
                with bugs_logged("the status of an object was not written"):
                    wait = await self._try(ref) if ref in self._patcher else 0.0
            finally:
                self._writing.discard(ref)
            if ref in self._touched:
                self._touched.discard(ref)
                self.touch([ref], at_once=True)
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
