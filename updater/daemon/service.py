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
from updater.sources.file import Loaded, Watched, load
from updater.web.app import Probes, application, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

DRAIN_AT_MOST: Final = 8.0
LOOK_AT_FILES_EVERY: Final = 2.0


class Service:
    """One daemon. *config* are the files named on the command line."""

    def __init__(self, config: Sequence[str], process: Process, loaded: Loaded) -> None:
        self._config = [Path(path) for path in config]
        self._process = process
        self._loaded = loaded
        self._generation: Generation | None = None
        self._number = 0
        self._reload = asyncio.Event()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Serve and work until SIGTERM or SIGINT; SIGHUP and changed files reload."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        listen = self._loaded.settings.listen.metrics
        runner = await serve(application(self._probes()), str(listen)) if listen else None
        try:
            async with asyncio.TaskGroup() as group:
                watcher = group.create_task(self._watch_files())
                await self._run_generations()
                watcher.cancel()
        finally:
            if runner:
                await runner.cleanup()

    def _ask_stop(self) -> None:
        self._stop.set()
        self._reload.set()

    async def _run_generations(self) -> None:
        while not self._stop.is_set():
            self._reload.clear()
            generation = await self._swap()
            async with asyncio.TaskGroup() as group:
                running = group.create_task(generation.run())
                await self._next(running)
                generation.stop()
                await self._drain(running)
        self._process.log.info("stopped")

    async def _next(self, running: asyncio.Task[None]) -> None:
        """Wait for a good new configuration, a stop, or the end of the generation (a bug, raised by the group)."""
        while not self._stop.is_set():
            waiting = asyncio.create_task(self._reload.wait())
            await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if running.done() or self._stop.is_set() or self._load_again():
                return
            self._reload.clear()

    def _load_again(self) -> bool:
        """Read the files anew; an invalid one is said, and the old generation stays."""
        try:
            self._loaded = load(self._config, os.environ)
        except ConfigError as error:
            self._process.metrics.count("updater_reloads_total", "refused")
            for problem in error.problems:
                self._process.log.warning("configuration refused", detail=str(problem), hint=problem.hint, code=problem.code)
            if not error.problems:
                self._process.log.warning("configuration refused", detail=error.message, hint=error.hint, code=error.code)
            return False
        self._process.metrics.count("updater_reloads_total", "ok")
        return True

    async def _swap(self) -> Generation:
        loaded, metrics = self._loaded, self._process.metrics
        configure(level=loaded.settings.log.level, form=loaded.settings.log.format)
        generation = await Generation.start(loaded, self._process)
        self._generation = generation
        self._number += 1
        metrics.set("updater_generation", to=self._number)
        metrics.replace("updater_subscriptions", [(("file",), len(loaded.snapshot.subscriptions))])
        metrics.replace("updater_problems", _by_code(loaded))
        keys = [(subscription.key,) for subscription in loaded.snapshot.subscriptions]
        for name in ("last_success", "pending_since"):
            metrics.keep(f"updater_subscription_{name}_timestamp_seconds", keys)
        for problem in loaded.snapshot.problems:
            self._process.log.warning("problem", detail=str(problem), hint=problem.hint, code=problem.code)
        self._process.log.info("generation", number=self._number, subscriptions=len(loaded.snapshot.subscriptions))
        return generation

    async def _drain(self, running: asyncio.Task[None]) -> None:
        """Let landings that have begun finish; past the limit they are cut, and Git has either all of a push or nothing."""
        done, _ = await asyncio.wait({running}, timeout=DRAIN_AT_MOST)
        if not done:
            self._process.log.warning("landings cut", detail=f"they did not end within {DRAIN_AT_MOST:.0f} s")
            running.cancel()

    async def _watch_files(self) -> None:
        watched, loaded = Watched(self._loaded.settings.files), self._loaded
        while True:
            await asyncio.sleep(LOOK_AT_FILES_EVERY)
            if loaded is not self._loaded:
                watched, loaded = Watched(self._loaded.settings.files), self._loaded
            if await asyncio.to_thread(watched.changed):
                self._reload.set()

    def _probes(self) -> Probes:
        return Probes(
            render_metrics=self._process.metrics.render,
            content_type=CONTENT_TYPE,
            is_alive=lambda: True,
            waits_for=lambda: "" if self._generation and self._generation.is_running else "the schedule to start",
        )


async def serve_forever(config: Sequence[str]) -> None:
    """Run the daemon until it is told to stop; raises `ConfigError` for a configuration that cannot be used."""
    loaded = load([Path(path) for path in config], os.environ)
    configure(level=loaded.settings.log.level, form=loaded.settings.log.format)
    async with process_for(loaded) as process:
        await Service(config, process, loaded).run()


def _by_code(loaded: Loaded) -> list[tuple[tuple[str, str], float]]:
    counts: dict[tuple[str, str], float] = {}
    for problem in loaded.snapshot.problems:
        counts["file", problem.code] = counts.get(("file", problem.code), 0) + 1
    return list(counts.items())
