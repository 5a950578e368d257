"""Every task that lives long in the daemon, in one list: what runs beside the work, and for how long.

| lives as long as | task |
|---|---|
| the process | work off the reports for listeners that wait; send notifications, with a task for each route that has any; look at the files, and at the peer's settings; measure the event loop; look for unreachable cycles; take part in choosing a leader, from the first generation on that reads a cluster |
| a generation | follow each source (which watches its kinds and writes its answers, in a group of its own); follow what people decided; ask again who may push; say what policies choose by themselves; close pull requests that nobody asks for any more; watch workloads and judge releases, where some are followed; the schedule, with a worker for each destination |

They live in one `asyncio.TaskGroup` of one call, so that none outlives what it works for, and a bug in one of them ends the daemon with its
traceback instead of leaving it half alive.
"""  # noqa: E501 - a table

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from updater.daemon.cycles import LOOKED_EVERY, CycleSearch
from updater.daemon.loop_watch import measure_blocks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from updater.daemon.process import Process
    from updater.daemon.source_runner import SourceRunner

_Result = TypeVar("_Result")
LOOK_AT_FILES_EVERY: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LongTask:
    """One task: what it is called in a dump of tasks, and what it does until it is cancelled."""

    name: str
    run: Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What the daemon looks at again and again: its files, and what the peer is told in a cluster, *peer_every* seconds."""

    files: Callable[[], Awaitable[None]]
    peer: Callable[[], Awaitable[None]]
    peer_every: float


def process_tasks(process: Process, looks: Looks, election: Callable[[], Coroutine[Any, Any, None]]) -> tuple[LongTask, ...]:
    """List what lives as long as the daemon."""
    return (
        LongTask(name="reports", run=process.reports.run),
        LongTask(name="notify", run=process.notifications.run),
        LongTask(name="look at files", run=partial(_again_and_again, LOOK_AT_FILES_EVERY, looks.files, process.log)),
        LongTask(name="look at the peer's settings", run=partial(_again_and_again, looks.peer_every, looks.peer, process.log)),
        LongTask(name="measure the event loop", run=partial(measure_blocks, process.metrics)),
        LongTask(name="look for cycles", run=partial(_again_and_again, LOOKED_EVERY, CycleSearch().look, process.log)),
        LongTask(name="leader election", run=election),
    )


def generation_tasks(
    runner: SourceRunner,
    reflections: Callable[[], Coroutine[Any, Any, None]],
    left: Callable[[], Coroutine[Any, Any, None]],
    releases: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> tuple[LongTask, ...]:
    """List what lives as long as one generation, beside its schedule.

    *reflections* say what policies choose by themselves, *left* closes pull requests that nobody asks for any more, *releases*
    follows what was committed into the cluster.
    """
    follow = (LongTask(name=f"follow {source.name}", run=partial(runner.follow, source)) for source in runner.sources)
    settle = LongTask(name="ask who may push", run=runner.settle)
    chosen = LongTask(name="report what policies choose", run=reflections)
    judge = (LongTask(name="follow releases", run=releases),) if releases else ()
    return (*follow, settle, chosen, LongTask(name="close what is proposed no more", run=left), *judge)


async def run_beside(work: Awaitable[_Result], tasks: Sequence[LongTask]) -> _Result:
    """Return what *work* returns, with *tasks* running for as long as it takes; raise what it raises.

    A bug in a task cancels the work, and is raised in an `ExceptionGroup`.
    """
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(task.run(), name=task.name) for task in tasks]
        ended = await asyncio.gather(work, return_exceptions=True)
        for task in beside:
            task.cancel()
    (result,) = ended
    if isinstance(result, BaseException):
        raise result
    return result


async def _again_and_again(seconds: float, look: Callable[[], Awaitable[None]], log: Any) -> None:
    """Look every *seconds*. A bug ends one look, with its traceback in the log: nobody would notice that none follows."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await look()
        except Exception:
            log.exception("bug", detail="watching for configuration changes ended")
