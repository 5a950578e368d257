"""Which namespaces of a cluster hold Applications that ask for image updates: what `updater init --live` asks."""

from __future__ import annotations

import tempfile
from pathlib import Path

from updater.daemon.argocd import argocd_components
from updater.daemon.process import process_of
from updater.settings import build_settings

_READS_ALL = b"sources: [{applications: {}}]\n"


async def namespaces_with_applications() -> set[str]:
    """Read Applications and ImageUpdaters of every namespace once; raise `ConfigError` and `KubeError`."""
    settings = build_settings([("updater.yaml", _READS_ALL)], {})
    with tempfile.TemporaryDirectory(prefix="updater-") as state:
        async with process_of(settings, Path(state)) as process:
            parts = await argocd_components(settings, process)
            await parts.source.once()
    translation = parts.source.translation
    answers = translation.answers if translation else ()
    return {answer.application.partition("/")[0] for answer in answers}
