"""What outlives a configuration: metrics, HTTP connections, the cache, the mirrors of Git repositories."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import threading
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self

import structlog

from updater.cache.cache import Cache
from updater.credentials.keychain import Keychain
from updater.credentials.program import Programs
from updater.daemon.cluster_connection import ClusterConnection
from updater.daemon.left_proposals import LeftProposals
from updater.delivery.memory import ReleaseMemory
from updater.engine.gating import WaitingMemory
from updater.errors import ConfigError
from updater.forge.budget import ForgeBudget
from updater.git.limits import Bounds
from updater.git.mirror import Mirror, Shared
from updater.http.client import HttpClient
from updater.http.limits import Patience
from updater.inventory.default_branches import DefaultBranches
from updater.inventory.precedence import Precedence
from updater.reporting.counted import CountedReports
from updater.reporting.last_outcomes import LastOutcomes
from updater.reporting.logged import LoggedReports
from updater.reporting.metrics import Metrics
from updater.reporting.notifications.desk import NotificationDesk
from updater.reporting.notifications.queue import QueueSurroundings
from updater.reporting.remembered import RememberedOutcomes
from updater.reporting.stream import ReportStream
from updater.settings.cluster import KubernetesSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from updater.git.access import GitAccess
    from updater.http.waiting import ServerWatch
    from updater.model.subscription import CredentialRef, GitBranch
    from updater.settings import Settings
    from updater.sources.file import LoadedConfiguration
    from updater.sources.holds import HoldsReading


REPORTS_AT_MOST: Final = 2.0


class LeaderStatus(Protocol):
    """Who knows whether this replica leads; see `updater.daemon.leader_election.Leading`."""

    @property
    def is_leader(self) -> bool:
        """Whether it does."""

    @property
    def leader_address(self) -> str:
        """Where the replica that leads is reached, "" where that is not known."""


class Process:
    """What one run of the program holds open. *state* is the folder of mirrors and cache; all of it may be deleted.

    `access_for` is set by the generation in force: what a Git URL is reached with by the credential that a destination
    names ("": none). `ours` are the addresses under which we commit, of every generation so far: by them our own commits
    are known again. `leading` says whether this replica is the one that writes; None where there is no other.
    `releases` is what is remembered of releases, `holds_said` what each file of decisions said last.
    *wall* gives seconds since 1970. `watch` is set by commands that a person waits for, before a mirror is asked for.
    """

    def __init__(
        self,
        state: Path,
        *,
        docker_config: str | None = None,
        helpers_allowed: bool = False,
        kubernetes: KubernetesSettings | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.state = state
        self.log = structlog.get_logger()
        self.metrics = Metrics()
        self.http = HttpClient(observe=self.metrics.request)
        self.receivers = HttpClient(patience=Patience(attempts=1))  # a queue tries again, and none of them is a registry
        self.forge_budget = ForgeBudget(
            observe=lambda host, left: self.metrics.set("updater_forge_rate_limit_remaining", host, to=left)
        )
        self.cluster = ClusterConnection(kubernetes or KubernetesSettings(), count=self._count_kubernetes)
        self.leading: LeaderStatus | None = None
        self.watch: ServerWatch | None = None
        self.keychain = Keychain(
            read_secret=self.cluster.read_secret,
            docker_configs=Path(docker_config) if docker_config else None,
            programs=Programs(os.environ, helpers_allowed=helpers_allowed, say=self._helper_left_out),
        )
        self.wall = wall
        self.cache = Cache(state / "cache.db", say=self._cache_failed, wall=wall)
        self.access_for: Callable[[str, CredentialRef | None], Awaitable[GitAccess]] = _nobody
        self.ours: set[str] = set()
        self.bounds = Bounds()
        self.last_outcomes = LastOutcomes()
        self.releases = ReleaseMemory()
        around = QueueSurroundings(metrics=self.metrics, log=self.log)
        self.notifications = NotificationDesk(around, self.cache.notified, may_tell=self.may_write)
        self.reports = self._stream()
        self.default_branches = DefaultBranches()
        self.precedence = Precedence()
        self.waiting = WaitingMemory()
        self.left_proposals = LeftProposals()
        self.holds_said: dict[Path, HoldsReading] = {}
        self._shared = Shared(
            ours=self.ours,
            count=self._count_git,
            say=self._mirror_mended,
            warn=lambda sentence: _server_lacks(self.log, sentence),
            bounds=self.bounds,
        )
        self._mirrors: dict[tuple[str, CredentialRef | None], Mirror] = {}
        self._stack = AsyncExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await self._stack.enter_async_context(self.cache)
        self._stack.push_async_callback(self._finish_reports)
        await self._stack.enter_async_context(self.http)
        await self._stack.enter_async_context(self.receivers)
        self._stack.push_async_callback(self.cluster.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await asyncio.gather(*(mirror.close() for mirror in self._mirrors.values()))  # each waits, none for the others
        finally:
            await self._stack.aclose()

    def may_write(self) -> bool:
        """Return whether this replica is the one that writes, at this moment."""
        return self.leading is None or self.leading.is_leader

    def mirror(self, branch: GitBranch) -> Mirror:
        """Return the mirror of a Git URL by a credential; one object and one folder each, for as long as the process lives.

        Two credentials never share a folder: what one may read, another may not.
        """
        url, credential = key = branch.url, branch.credential
        if key not in self._mirrors:
            # the name of the folder says nothing of the URL, which may hold a user name
            name = f"{url}\n{credential}" if credential else url
            folder = self.state / "mirrors" / hashlib.sha256(name.encode()).hexdigest()[:24]
            self._mirrors[key] = Mirror(url, folder, lambda: self.access_for(url, credential), self._shared)
            self._mirrors[key].watch = self.watch
        return self._mirrors[key]

    async def keep_mirrors(self, branches: Iterable[GitBranch]) -> None:
        """Let go of every mirror that no one of *branches* needs, and of its folder: whoever writes Applications may name many.

        One that is needed again is fetched again.
        """
        ways = {(branch.url, branch.credential) for branch in branches}
        gone = {way: mirror for way, mirror in self._mirrors.items() if way not in ways}
        for way in gone:
            del self._mirrors[way]
        await asyncio.gather(*(mirror.close() for mirror in gone.values()))
        for mirror in gone.values():
            await asyncio.to_thread(shutil.rmtree, mirror.folder, ignore_errors=True)

    def render_metrics(self) -> bytes:
        """Return the text of all metrics, with what this process holds at the moment; may be called from any thread."""
        mirrors = list(self._mirrors.values())
        held = {
            "updater_mirrors": len(mirrors),
            "updater_mirror_packs": sum(mirror.packs for mirror in mirrors),
            "updater_threads": threading.active_count(),
            "updater_tasks": len(asyncio.all_tasks(self._loop)) if self._loop else 0,
        }
        for name, number in held.items():
            self.metrics.set(name, to=number)
        return self.metrics.render()

    def _stream(self) -> ReportStream:
        """Build the stream of reports with every listener that lives as long as the process."""
        stream = ReportStream(self.metrics, self.log)
        for listener in (CountedReports(self.metrics), LoggedReports(self.log), self.last_outcomes):
            stream.join(listener)
        stream.join_queued(RememberedOutcomes(self.cache))
        stream.join_queued(self.notifications)
        return stream

    async def _finish_reports(self) -> None:
        """Let those who may wait take what was reported, for a while: what they lose is nice to have."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REPORTS_AT_MOST):
                await self.reports.drain()

    def _count_kubernetes(self, verb: str, status: int) -> None:
        self.metrics.count("updater_kubernetes_requests_total", verb, str(status))

    def _count_git(self, kind: str) -> None:
        self.metrics.count("updater_git_requests_total", kind)

    def _mirror_mended(self, sentence: str) -> None:
        self.metrics.count("updater_mirrors_mended_total")
        self.log.warning("mirror", detail=sentence, hint="nothing is lost; if it comes again, check the disk of `state`")

    def _helper_left_out(self, sentence: str) -> None:
        self.log.warning("credential helper", detail=sentence, hint="credential_helpers: true lets it run")

    def _cache_failed(self, sentence: str) -> None:
        self.metrics.count("updater_cache_problems_total")
        self.log.warning("cache", detail=sentence, hint="work continues without it; its contents are requested again")


def process_for(loaded: LoadedConfiguration) -> Process:
    """Build the process that a configuration asks for; raise `ConfigError` where its `state` can never be a folder."""
    state = Path(loaded.settings.state).expanduser()
    existing = next((place for place in (state, *state.absolute().parents) if os.path.lexists(place)), state)
    if os.path.lexists(existing) and not existing.is_dir():
        hint = "name a folder, which is created if it does not exist, or remove the file"
        raise ConfigError(f"state: {existing} is not a folder", hint=hint, code="state", path="state")
    return process_of(loaded.settings, state)


def process_of(settings: Settings, state: Path) -> Process:
    """Build the process that *settings* ask for, but with its mirrors and cache in *state*."""
    return Process(
        state,
        docker_config=settings.docker_config,
        helpers_allowed=settings.credential_helpers,
        kubernetes=settings.kubernetes,
    )


async def _nobody(url: str, _credential: CredentialRef | None) -> GitAccess:
    raise AssertionError(f"no generation says how {url} is reached")


def _server_lacks(log: structlog.stdlib.BoundLogger, sentence: str) -> None:
    log.warning("git server", detail=sentence, hint="nothing is lost; the first fetch of a large repository takes longer")
