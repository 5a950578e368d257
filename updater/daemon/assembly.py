"""How a generation is put together: its sources, the way to Git and to forges, who writes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from updater.credentials.github_app import InstallationTokens
from updater.daemon.api_commits import ApiCommits
from updater.daemon.components import Components, LeaderOnlyWriter, WriterRoutes, git_access, git_writer, live_writer, scans_of
from updater.daemon.forges import Forges
from updater.daemon.generation import Generation
from updater.daemon.git_access import RenewingWriter
from updater.daemon.proposals import Asked, Proposals
from updater.daemon.watch_reports import watch_reporter
from updater.inventory.destinations import marker_names
from updater.sources.base import SourceRequests
from updater.sources.file import require_author

if TYPE_CHECKING:
    from collections.abc import Callable

    from updater.daemon.argocd import ArgocdComponents
    from updater.daemon.flux import FluxComponents
    from updater.daemon.process import Process
    from updater.inventory.inventory import Inventory
    from updater.settings import Settings
    from updater.sources.file import LoadedConfiguration
    from updater.writeback.base import Writer


async def start_generation(
    loaded: LoadedConfiguration, process: Process, *, wrap: Callable[[Writer], Writer] = lambda writer: writer
) -> Generation:
    """Put a generation together; *wrap* may stand between a landing and its writer.

    Raises `ConfigError`, and `KubeError` where what lies below it in a cluster cannot be read.
    """
    generation: Generation

    requests = SourceRequests()
    argocd = await _argocd(loaded, process)
    settings = argocd.settings if argocd else loaded.settings
    flux = _flux(settings, process, requests)
    require_author(settings, loaded.snapshot.subscriptions)

    def known() -> frozenset[str]:
        names = marker_names(generation.asked.snapshot.subscriptions)
        return names | flux.source.translation.marker_names if flux else names

    live = live_writer(process, argocd.source if argocd else None)
    repositories, objects = argocd.repositories if argocd else None, flux.repositories if flux else None
    tokens = InstallationTokens(process.http)
    access = git_access(settings, process, repositories, objects, tokens)
    scans = scans_of(settings, process, flux.registries if flux else None)
    forges = Forges(settings, process, access, tokens)
    made = ApiCommits(settings, process, forges)
    git = await git_writer(settings, process, known, made.publisher)
    asked = _asked(settings, lambda: generation.asked)
    proposals = Proposals(git, forges, process, scans, asked)
    routes = WriterRoutes(RenewingWriter(proposals.writer, repositories, objects, tokens), live)
    components = Components(
        scans=scans,
        git=git,
        writer=wrap(LeaderOnlyWriter(routes, process.may_write)),
        access=made.known_by(access),
        keep=proposals.keep,
        sweep=proposals.sweep,
        carriers=proposals.carriers,
        sources=tuple(parts.source for parts in (argocd, flux) if parts),
        requests=requests,
    )
    if argocd:
        problems = (*loaded.snapshot.problems, *argocd.problems)
        loaded = replace(loaded, settings=settings, snapshot=replace(loaded.snapshot, problems=problems))
    generation = Generation(loaded, process, components, argocd.peer if argocd else None)
    decided = await generation.holds.read()
    generation.asked.decide(decided.decisions, decided.problems)
    components.scans.follow(generation.asked.by_image, generation.asked.by_image, listed_anyway=generation.asked.scans)
    return generation


def _asked(settings: Settings, inventory: Callable[[], Inventory]) -> Asked:
    """Return what proposals ask of what all sources ask for, which is known only once the generation is there."""
    return Asked(
        by_destination=lambda: inventory().by_destination,
        is_whole=lambda: inventory().is_complete,
        owner=settings.git.proposal.owner,
        files=settings.files,
    )


async def _argocd(loaded: LoadedConfiguration, process: Process) -> ArgocdComponents | None:
    """Put the parts for Argo CD together where they are wanted: who has no cluster need not import them."""
    if loaded.settings.applications is None:
        return None
    from updater.daemon.argocd import argocd_components  # noqa: PLC0415 - see above

    return await argocd_components(loaded.settings, process)


def _flux(settings: Settings, process: Process, requests: SourceRequests) -> FluxComponents | None:
    """Put the parts for Flux together where they are wanted."""
    if settings.flux is None:
        return None
    from updater.daemon.flux import flux_components  # noqa: PLC0415 - who has no cluster need not import them

    return flux_components(settings, process, requests, watch_reporter(process))
