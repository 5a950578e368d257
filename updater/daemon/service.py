"""The daemon's life: serve, run a generation, reload by draining and swapping, stop in order."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from updater.daemon.assembly import start_generation
from updater.daemon.leader_election import LeaderElection, address_of
from updater.daemon.loading import check_contexts, load_tried
from updater.daemon.notifications import STOP_TOLD_WITHIN, finish_notifications, use_routes
from updater.daemon.process import Process, process_for
from updater.daemon.serving import serving
from updater.daemon.signals import Signals
from updater.daemon.tasks import Looks, process_tasks, run_beside
from updater.errors import ConfigError, KubeError, KubeUnavailable
from updater.reporting.logs import configure
from updater.sources.file import problems_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.daemon.generation import Generation
    from updater.settings import Settings
    from updater.sources.file import LoadedConfiguration

DRAIN_AT_MOST: Final = 6.0
CUT_AT_MOST: Final = 2.0
LOOK_AT_PEER_EVERY: Final = 60.0
CLUSTER_TRIED_AGAIN: Final = 5.0
AT_START: Final = ("listen", "state", "docker_config", "credential_helpers", "kubernetes")


class Service:
    """One daemon. *config* are the files named on the command line, *first* the generation of what they said at the start.

    *signals* are heard already; *peer_every* is in seconds, between two looks at what the peer is told in the cluster.
    """

    def __init__(
        self,
        config: Sequence[str],
        process: Process,
        first: Generation,
        signals: Signals,
        *,
        peer_every: float = LOOK_AT_PEER_EVERY,
    ) -> None:
        self._config = [Path(path) for path in config]
        self._process = process
        self._generation = first
        self._first = first.loaded.settings
        self._number = 0
        self._signals = signals
        self._peer_every = peer_every
        self._leading: LeaderElection | None = None
        self._has_election = asyncio.Event()
        self._was_cut = False
        self._retry: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Serve and work until a stop is asked for; changed files reload. Raise `ConfigError` for the address."""
        self._process.metrics.set("updater_leader", to=1)  # alone it leads; who takes part in an election says so itself
        looks = Looks(files=self._look_at_files, peer=self._look_at_peer, peer_every=self._peer_every)
        async with serving(self._process, lambda: self._generation):
            await run_beside(self._run_generations(), process_tasks(self._process, looks, self._take_part))
        self._process.log.info("stopped")

    async def _run_generations(self) -> None:
        """Run one generation after the other until a stop is asked for."""
        try:
            while not self._signals.stop.is_set():
                await self._run_generation()
            await finish_notifications(self._process, STOP_TOLD_WITHIN)
        finally:
            if self._leading:  # a push that was cut may still travel: then the Lease ends by itself
                self._leading.leave(gives_back=not self._was_cut)

    async def _take_part(self) -> None:
        """Take part in choosing a leader, once there is a generation that wants that."""
        await self._has_election.wait()
        assert self._leading is not None  # noqa: S101 - see `_lead`
        await self._leading.run()

    async def _run_generation(self) -> None:
        """Run the generation in force until there is a next one or a stop, and drain it."""
        generation = self._generation
        self._announce(generation)
        running = asyncio.create_task(generation.run())
        try:
            following = await self._next(running)
        finally:
            generation.stop()
            await self._drain(running)
        if running.done() and not running.cancelled():
            running.result()  # a bug of the schedule ends the daemon, with its traceback
        self._generation = following or generation

    async def _next(self, running: asyncio.Task[None]) -> Generation | None:
        """Wait for a good new configuration; None for a stop, or where the schedule ended by itself."""
        while not self._signals.stop.is_set() and not running.done():
            waiting = asyncio.create_task(self._signals.reload.wait())
            await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            self._signals.reload.clear()
            if not self._signals.stop.is_set() and not running.done() and (following := await self._load_again()):
                return following
        return None

    async def _load_again(self) -> Generation | None:
        """Read the files anew and put a generation together; an invalid one is said, and the old one works on."""
        if self._retry:
            self._retry.cancel()
        try:
            loaded = await asyncio.to_thread(load_tried, self._config, os.environ)
            _check_written(loaded, self._generation.loaded)
            await asyncio.to_thread(check_contexts, loaded, self._process.cluster)
            following = await self._signals.unless_stopped(start_generation(loaded, self._process))
        except ConfigError as error:
            self._process.metrics.count("updater_reloads_total", "refused")
            for problem in problems_of(error):
                self._process.log.warning("configuration refused", detail=str(problem), hint=problem.hint, code=problem.code)
            return None
        except KubeError as error:
            self._process.metrics.count("updater_reloads_total", "refused")
            self._process.log.warning("configuration refused", detail=error.message, hint=error.hint, code=error.code)
            # no file changes when the cluster is back
            self._retry = asyncio.get_running_loop().call_later(self._peer_every, self._signals.reload.set)
            return None
        if following is None:
            return None
        self._warn_of_restart(following.loaded.settings)
        self._process.metrics.count("updater_reloads_total", "ok")
        return following

    def _warn_of_restart(self, settings: Settings) -> None:
        """Report which changed settings a reload does not take up: what outlives a configuration is made once."""
        changed = [name for name in AT_START if getattr(settings, name) != getattr(self._first, name)]
        if changed:
            detail = f"{', '.join(changed)}: a change counts after a restart; everything else is in force"
            self._process.log.warning("restart needed", detail=detail, hint="restart the daemon", code="restart")

    def _announce(self, generation: Generation) -> None:
        settings = generation.loaded.settings
        configure(level=settings.log.level, form=settings.log.format)
        self._lead(generation)
        use_routes(settings, self._process, generation.asked)
        generation.take_over()
        self._number += 1
        self._process.metrics.set("updater_generation", to=self._number)
        for remark in settings.remarks:
            self._process.log.warning("configuration", detail=str(remark), hint=remark.hint, code=remark.code)
        files = ", ".join(settings.files)
        self._process.log.info("configuration loaded", file=files, subscriptions=len(generation.subscriptions))

    def _lead(self, generation: Generation) -> None:
        """Take part in choosing a leader from the first generation on that reads a cluster, for as long as the process lives."""
        if self._leading or not generation.components.sources or not self._process.cluster.settings.leader_election:
            return
        self._leading = self._process.leading = LeaderElection(
            self._process,
            changed=lambda: self._generation.lead(),  # noqa: PLW0108 - the one in force then
            address=address_of(self._first.listen.web),
        )
        self._has_election.set()

    async def _drain(self, running: asyncio.Task[None]) -> None:
        """Let landings that have begun finish; past the limit they are cut, and Git has either all of a push or nothing."""
        done, _ = await asyncio.wait({running}, timeout=DRAIN_AT_MOST)
        self._was_cut = not done
        if not done:
            self._process.log.warning(
                "shutdown: unfinished pushes aborted", detail=f"they did not end within {DRAIN_AT_MOST:.0f} s"
            )
            running.cancel()
            await asyncio.wait({running}, timeout=CUT_AT_MOST)  # what follows must not work beside what is being cut

    async def _look_at_files(self) -> None:
        if await asyncio.to_thread(self._generation.loaded.watched.changed):
            self._signals.reload.set()

    async def _look_at_peer(self) -> None:
        """Load again when what the peer is told in the cluster has changed."""
        peer = self._generation.peer
        if peer and await peer.has_changed():
            self._process.log.info("the peer's settings changed")
            self._signals.reload.set()


async def serve_forever(config: Sequence[str]) -> None:
    """Run the daemon until it is told to stop; raise `ConfigError` for a configuration that cannot be used."""
    loaded = load_tried(config, os.environ)
    configure(level=loaded.settings.log.level, form=loaded.settings.log.format)
    signals = Signals()
    signals.listen()
    async with process_for(loaded) as process:
        check_contexts(loaded, process.cluster)
        first = await signals.unless_stopped(first_generation(loaded, process))
        if first:
            await Service(config, process, first, signals).run()


def _check_written(loaded: LoadedConfiguration, before: LoadedConfiguration) -> None:
    """Refuse a file that is empty now, as it is for a moment while a shell or editor writes it in place; raise `ConfigError`."""
    emptied = loaded.watched.emptied_since(before.watched)
    if emptied:
        hint = "what was in force stays until the file is written; write {} if nothing shall be kept current"
        raise ConfigError(f"{emptied[0]}: there is nothing in the file", hint=hint, code="empty")


async def first_generation(loaded: LoadedConfiguration, process: Process, *, pause: float = CLUSTER_TRIED_AGAIN) -> Generation:
    """Put the first generation together, and wait for a cluster that does not answer yet: ending would not make it come back.

    Raises `ConfigError`, and `KubeError` for what waiting does not mend.
    """
    told = ""
    while True:
        try:
            return await start_generation(loaded, process)
        except KubeUnavailable as error:
            if error.message != told:
                process.log.warning("waiting for the cluster", detail=error.message, hint=error.hint, code=error.code)
            told = error.message
            await asyncio.sleep(pause)
