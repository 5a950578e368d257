"""Who does the work of one loaded configuration, and puts them together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from updater.credentials.github_app import InstallationTokens
from updater.daemon.cached_descriptions import CachedDescriptions
from updater.daemon.git_access import access_for, signer_for, with_app
from updater.daemon.signers import Signers
from updater.editors import make_editors
from updater.engine.scanner import Scanner
from updater.errors import UpdaterError
from updater.registry.client import RegistryClient
from updater.registry.transport import RegistryTransport
from updater.sources.base import SourceRequests
from updater.writeback.branch_writer import CommitSettings, GitWriter
from updater.writeback.message import commit_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from updater.argocd.cluster.source import ArgocdSource
    from updater.daemon.git_access import GitRepositoryAccess, RepositoryAccess
    from updater.daemon.process import Process
    from updater.git.access import GitAccess
    from updater.model.subscription import CredentialRef, Destination, GitBranch, LiveApplication, Subscription
    from updater.model.update import Commit, WriteResult
    from updater.model.view import PastCommit, View
    from updater.registry.resolving import ConnectionResolver
    from updater.settings import Settings
    from updater.sources.base import Source
    from updater.writeback.base import Writer
    from updater.writeback.second_push import Publisher


NOT_LEADING: Final = "not-leading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Who does the work of a generation.

    *writer* is the writer of every kind of destination, or what stands before it, *git* the one of branches alone; *access*
    says how Git URLs are reached. *keep* lets go of what is remembered of every branch but those that it is given; *sweep*
    closes pull requests that left the configuration while nobody looked, and returns whether each forge answered. *carriers*
    returns the links of the pull requests that commits of a branch came by, by revision.
    """

    scans: Scanner
    git: GitWriter
    writer: Writer
    access: Callable[[str, CredentialRef | None], Awaitable[GitAccess]]
    keep: Callable[[Collection[GitBranch]], None]
    sweep: Callable[[], Awaitable[bool]]
    carriers: Callable[[GitBranch, Sequence[PastCommit]], Awaitable[Mapping[str, str]]]
    sources: tuple[Source, ...] = ()
    requests: SourceRequests = field(default_factory=SourceRequests)


@dataclass(frozen=True, slots=True)
class WriterRoutes:
    """The writer of every kind of destination: Git's for branches, the cluster's for live Applications."""

    git: Writer
    live: Callable[[], Writer]

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Read a destination; see `Writer`."""
        return await self._of(destination).look(destination, subscriptions)

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Write a destination; see `Writer`."""
        return await self._of(view.destination).write(view, commits, is_dry=is_dry)

    def _of(self, destination: Destination) -> Writer:
        return self.git if destination.method == "git" else self.live()


def require_leading(may_write: Callable[[], bool]) -> None:
    """Raise `UpdaterError` with the code `NOT_LEADING` where another replica may write now."""
    if not may_write():
        hint = "nothing is lost: the replica that leads now looks and decides by itself"
        raise UpdaterError("leading ended before this was written", hint=hint, code=NOT_LEADING)


@dataclass(frozen=True, slots=True)
class LeaderOnlyWriter:
    """Stands before a writer: what was looked at as the leader is written as the leader, however long it took to choose."""

    writer: Writer
    may_write: Callable[[], bool]

    async def look(self, destination: Destination, subscriptions: Sequence[Subscription]) -> View:
        """Look as the writer does; raise what it raises."""
        return await self.writer.look(destination, subscriptions)

    async def write(self, view: View, commits: Sequence[Commit], *, is_dry: bool) -> WriteResult:
        """Write as the writer does; raise `UpdaterError` with the code `NOT_LEADING` where another replica may write now."""
        if not is_dry:
            require_leading(self.may_write)
        return await self.writer.write(view, commits, is_dry=is_dry)


async def git_writer(
    settings: Settings,
    process: Process,
    known: Callable[[], frozenset[str]],
    publish: Callable[[GitBranch], Publisher | None] = lambda _branch: None,
) -> GitWriter:
    """Build the writer of branches; raise `ConfigError` where the key that signs cannot be had.

    *known* returns the names that markers may have: any other is told as unknown. *publish* as in `CommitSettings`.
    """
    reference = str(settings.git.signing.key) if settings.git.signing else ""
    signers = Signers(await signer_for(settings, process.keychain), process.keychain.secret, reference=reference)
    rule = " ".join(settings.text_markers)
    return GitWriter(
        mirror=process.mirror,
        editors=make_editors(settings.text_markers),
        pen=CommitSettings(
            message=commit_message,
            signer=signers,
            now=lambda: datetime.fromtimestamp(process.wall(), UTC),
            rule=rule,
            publish=publish,
        ),
        known=known,
        count=process.metrics.count,
        learned=process.default_branches.learn,
    )


def live_writer(process: Process, source: ArgocdSource | None) -> Callable[[], Writer]:
    """Return who writes live Applications: made when the first is met, since only then a cluster is needed.

    What *source* watches need not be asked for again.
    """

    def known(application: LiveApplication) -> Mapping[str, Any] | None:
        return source.application(application.namespace, application.name) if source else None

    def made() -> Writer:
        from updater.argocd.live.writer import ApplicationWriter  # noqa: PLC0415 - who writes only branches need not import it

        return ApplicationWriter(process.cluster.client, known=known, count=process.metrics.count)

    return cache(made)


def scans_of(settings: Settings, process: Process, objects: ConnectionResolver | None = None) -> Scanner:
    """Build what asks registries; *objects* resolves the credentials that objects of a cluster make."""
    limits = settings.registry_limits
    process.http.budget.resize(limits.memory)
    asking = RegistryTransport(process.http, process.keychain, limits=limits.limits(), objects=objects)
    registry = RegistryClient(asking, settings.registry_entries, facts=CachedDescriptions(process), caps=limits.caps())
    return Scanner(registry, process.cache, wall=process.wall)


def git_access(
    settings: Settings,
    process: Process,
    repositories: RepositoryAccess | None,
    objects: GitRepositoryAccess | None = None,
    tokens: InstallationTokens | None = None,
) -> Callable[[str, CredentialRef | None], Awaitable[GitAccess]]:
    """Return how Git URLs are reached by *settings*, by what a cluster's Secrets say, and by its GitRepository objects.

    *tokens* makes those of the GitHub Apps of the settings.
    """
    apps = tokens or InstallationTokens(process.http)

    async def access(url: str, credential: CredentialRef | None) -> GitAccess:
        found = await access_for(
            url, settings, process.keychain, credential=credential, repositories=repositories, objects=objects
        )
        entry = settings.repository_for(url)
        wanted = entry.github_app if entry is not None and credential is None else None
        return found if wanted is None else await with_app(found, wanted, process.keychain, apps)

    return access
