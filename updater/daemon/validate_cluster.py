"""How the objects of a cluster are looked at without writing anything: what `updater validate --live` asks."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from updater.daemon.argocd import argocd_components
from updater.daemon.loading import load_tried
from updater.daemon.process import process_for
from updater.errors import ConfigError, KubeUnavailable
from updater.reporting.logs import configure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.argocd.request import ImageTranslation
    from updater.model.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReport:
    """What the objects of a cluster say: what is wrong, and an answer for each image that is listed; *objects* counts them."""

    problems: tuple[Problem, ...]
    answers: tuple[ImageTranslation, ...]
    objects: int


async def look_at_cluster(config: Sequence[str], *, patience: float | None = None) -> ClusterReport:
    """Read Applications and ImageUpdaters once, as the configuration says; raise `ConfigError` and `KubeError`.

    A cluster that takes longer than *patience* seconds is given up.

    A problem has the object as its path.
    """
    loaded = load_tried(config, os.environ)
    configure(level="error", form="console")
    if loaded.settings.applications is None:
        hint = "write sources: [{applications: {}}] into the configuration"
        raise ConfigError("the configuration reads no cluster", hint=hint, code="source")
    async with process_for(loaded) as process:
        try:
            async with asyncio.timeout(patience):
                parts = await argocd_components(loaded.settings, process)
                snapshot = await parts.source.once()
        except TimeoutError:
            hint = "check the API server and the network; --timeout gives it more time"
            raise KubeUnavailable(f"the cluster did not answer within {patience:g} s", hint=hint) from None
    translation = parts.source.translation
    problems = tuple(replace(problem, path=problem.path or problem.origin) for problem in (*parts.problems, *snapshot.problems))
    answers = translation.answers if translation else ()
    return ClusterReport(problems=problems, answers=answers, objects=parts.source.count)
