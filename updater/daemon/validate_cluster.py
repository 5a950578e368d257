"""How the objects of a cluster are looked at without writing anything: what `updater validate --live` asks."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from updater.daemon.argocd import argocd_components
from updater.daemon.flux import flux_components
from updater.daemon.loading import load_tried
from updater.daemon.process import process_for
from updater.errors import ConfigError, KubeUnavailable
from updater.flux.request.requests import FluxTranslation
from updater.reporting.logs import configure
from updater.sources.base import SourceRequests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.argocd.request import ImageTranslation
    from updater.daemon.process import Process
    from updater.model.problem import Problem
    from updater.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReport:
    """What the objects of a cluster say: what is wrong, and an answer for each image that is listed; *objects* counts them.

    *flux* is what Flux's objects come to.
    """

    problems: tuple[Problem, ...]
    answers: tuple[ImageTranslation, ...]
    objects: int
    flux: FluxTranslation


async def look_at_cluster(config: Sequence[str], *, patience: float | None = None) -> ClusterReport:
    """Read the objects of every source in the cluster once, as the configuration says; raise `ConfigError` and `KubeError`.

    A cluster that takes longer than *patience* seconds is given up. A problem has the object as its path.
    """
    loaded = load_tried(config, os.environ)
    configure(level="error", form="console")
    if loaded.settings.applications is None and loaded.settings.flux is None:
        hint = "write sources: [{applications: {}}] or [{flux: {}}] into the configuration"
        raise ConfigError("the configuration reads no cluster", hint=hint, code="source")
    async with process_for(loaded) as process:
        try:
            async with asyncio.timeout(patience):
                return await _look(loaded.settings, process)
        except TimeoutError:
            hint = "check the API server and the network; --timeout gives it more time"
            raise KubeUnavailable(f"the cluster did not answer within {patience:g} s", hint=hint) from None


async def _look(settings: Settings, process: Process) -> ClusterReport:
    problems: list[Problem] = []
    answers: tuple[ImageTranslation, ...] = ()
    flux, objects = FluxTranslation(), 0
    if settings.applications is not None:
        parts = await argocd_components(settings, process)
        snapshot = await parts.source.once()
        problems += [*parts.problems, *snapshot.problems]
        answers = parts.source.translation.answers if parts.source.translation else ()
        objects += parts.source.count
    if settings.flux is not None:
        source = flux_components(settings, process, SourceRequests(), lambda _watched, _error: None).source
        snapshot = await source.once()
        # while Flux's own controllers run the snapshot is empty: what would be written after the switch is asked for here
        problems += [*source.translation.snapshot.problems, *(item for item in snapshot.problems if not snapshot.complete)]
        flux = source.translation
        objects += source.count
    placed = tuple(replace(problem, path=problem.path or problem.origin) for problem in problems)
    return ClusterReport(problems=placed, answers=answers, objects=objects, flux=flux)
