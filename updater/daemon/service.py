"""Knows the daemon's life: serve, run a generation, reload by draining and swapping, stop in order."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from updater.daemon.generation import Generation
from updater.daemon.process import Process, process_for
from updater.errors import ConfigError
from updater.reporting.logs import configure
from updater.reporting.metrics import CONTENT_TYPE
from updater.sources.file import Loaded, Watched, load, problems_of
from updater.web.app import Probes, application, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

DRAIN_AT_MOST: Final = 6.0
LOOK_AT_FILES_EVERY: Final = 2.0


class Service:
    """One daemon. *config* are the files named on the command line, *first* the generation of what they said at the start."""

    def __init__(self, config: Sequence[str], process: Process, first: Generation) -> None:
        self._config = [Path(path) for path in config]
        self._process = process
        self._generation = first
        self._number = 0
        self._reload = asyncio.Event()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Serve and work until SIGTERM or SIGINT; SIGHUP and changed files reload. Raises `ConfigError` for the address."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        listen = self._generation.loaded.settings.listen.metrics
        runner = await serve(application(self._probes()), str(listen)) if listen else None
        if runner:
            self._process.log.info("listening", address=str(listen), paths="/metrics /healthz /readyz")
        watcher = asyncio.create_task(self._watch_files())
        try:
            while not self._stop.is_set():
                await self._run_generation()
        finally:
            watcher.cancel()
            if runner:
                await runner.cleanup()
        self._process.log.info("stopped")

    def _ask_stop(self) -> None:
        self._stop.set()
        self._reload.set()

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
        while not self._stop.is_set() and not running.done():
            waiting = asyncio.create_task(self._reload.wait())
            await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            self._reload.clear()
            if not self._stop.is_set() and not running.done() and (following := await self._load_again()):
                return following
        return None

    async def _load_again(self) -> Generation | None:
        """Read the files anew and put a generation together; an invalid one is said, and the old one works on."""
        try:
            loaded = await asyncio.to_thread(load, self._config, os.environ)
            following = await Generation.start(loaded, self._process)
        except ConfigError as error:
            self._process.metrics.count("updater_reloads_total", "refused")
            for problem in problems_of(error):
                self._process.log.warning("configuration refused", detail=str(problem), hint=problem.hint, code=problem.code)
            return None
        self._process.metrics.count("updater_reloads_total", "ok")
        return following

    def _announce(self, generation: Generation) -> None:
        loaded, metrics, log = generation.loaded, self._process.metrics, self._process.log
        configure(level=loaded.settings.log.level, form=loaded.settings.log.format)
        generation.take_over()
        self._number += 1
        metrics.set("updater_generation", to=self._number)
        metrics.replace("updater_subscriptions", [(("file",), len(loaded.snapshot.subscriptions))])
        metrics.replace("updater_problems", _by_code(loaded))
        keys = [(subscription.key,) for subscription in loaded.snapshot.subscriptions]
        for name in ("last_success", "pending_since"):
            metrics.keep(f"updater_subscription_{name}_timestamp_seconds", keys)
        for problem in loaded.snapshot.problems:
            log.warning("problem", detail=str(problem), hint=problem.hint, code=problem.code)
        log.info("generation", number=self._number, subscriptions=len(loaded.snapshot.subscriptions))

    async def _drain(self, running: asyncio.Task[None]) -> None:
        """Let landings that have begun finish; past the limit they are cut, and Git has either all of a push or nothing."""
        done, _ = await asyncio.wait({running}, timeout=DRAIN_AT_MOST)
        if not done:
            self._process.log.warning("landings cut", detail=f"they did not end within {DRAIN_AT_MOST:.0f} s")
            running.cancel()

    async def _watch_files(self) -> None:
        watched, generation = Watched(self._generation.loaded.settings.files), self._generation
        while True:
            await asyncio.sleep(LOOK_AT_FILES_EVERY)
            if generation is not self._generation:
                watched, generation = Watched(self._generation.loaded.settings.files), self._generation
            if await asyncio.to_thread(watched.changed):
                self._reload.set()

    def _probes(self) -> Probes:
        return Probes(
            render_metrics=self._process.metrics.render,
            content_type=CONTENT_TYPE,
            waits_for=lambda: "" if self._generation.is_running else "the schedule to start",
        )


async def serve_forever(config: Sequence[str]) -> None:
    """Run the daemon until it is told to stop; raises `ConfigError` for a configuration that cannot be used."""
    loaded = load([Path(path) for path in config], os.environ)
    configure(level=loaded.settings.log.level, form=loaded.settings.log.format)
    async with process_for(loaded) as process:
        await Service(config, process, await Generation.start(loaded, process)).run()


def _by_code(loaded: Loaded) -> list[tuple[tuple[str, str], float]]:
    counts: dict[tuple[str, str], float] = {}
    for problem in loaded.snapshot.problems:
        counts["file", problem.code] = counts.get(("file", problem.code), 0) + 1
    return list(counts.items())
