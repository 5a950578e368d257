"""Open everything for one pass and close it again: what `once`, `explain` and `history` share."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from updater.daemon.assembly import start_generation
from updater.daemon.loading import load_tried
from updater.daemon.process import process_for
from updater.daemon.watching import Asking, PassProgress, watched
from updater.engine.reports import landing_reports
from updater.errors import ConfigError
from updater.reporting.last_outcomes import GLOB, is_named
from updater.reporting.logs import configure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from updater.daemon.generation import Generation
    from updater.model.outcome import Outcome
    from updater.model.subscription import Subscription
    from updater.reporting.last_outcomes import SubscriptionStatus


@asynccontextmanager
async def opened(config: Sequence[str], asking: Asking | None = None) -> AsyncIterator[Generation]:
    """Load the configuration, open a process and a generation for it, and read every source; raise `UpdaterError`.

    Only errors are logged: a command says its results on standard output.
    """
    loaded = load_tried(config, os.environ)
    configure(level="error", form="console" if sys.stderr.isatty() else loaded.settings.log.format or None)
    async with process_for(loaded) as process:
        progress = PassProgress()
        async with watched(process, asking or Asking(), lambda: str(progress)):
            generation = await start_generation(loaded, process)
            generation.progress = progress
            generation.take_over()
            await generation.runner.gather()
            yield generation


async def statuses(config: Sequence[str], keys: Sequence[str], asking: Asking | None = None) -> tuple[SubscriptionStatus, ...]:
    """Return the status of what *keys* name by a dry pass over that alone; raise `UpdaterError`, for an unknown key too."""
    async with opened(config, asking) as generation:
        for key in keys:
            if not GLOB.intersection(key):
                asked_for(generation, key)
        wanted = tuple(item for item in generation.subscriptions if is_named(item.key, keys))
        now = datetime.now(UTC)
        for landing in await generation.once(wanted, is_dry=True):
            for report in landing_reports(landing, seconds=0.0, at=now):
                generation.last.hear(report)
        # since when a state lasts, one pass cannot know
        return tuple(replace(status, since=None) for status in generation.last.statuses(keys, is_public=False))


def is_asked_for(key: str, asked: str | None) -> bool:
    """Return whether *key* was asked for: all, itself, or an Application (``namespace/name``) with all its images."""
    return asked is None or key == asked or (asked.count("/") == 1 and key.startswith(f"{asked}/"))


def chosen(generation: Generation, key: str | None) -> tuple[Subscription, ...]:
    """Return the subscriptions a person asked for; raise `ConfigError` with the nearest key for an unknown one."""
    subscriptions = generation.subscriptions
    found = tuple(item for item in subscriptions if is_asked_for(item.key, key))
    if key is not None and not found:
        keys = [item.key for item in subscriptions]
        # the last part alone is what people remember of namespace/application/alias
        near = [known for known in keys if known.endswith(f"/{key}")] or get_close_matches(key, keys, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "updater explain lists the keys"
        raise ConfigError(f"there is no subscription {key!r}", hint=hint, code="unknown-key")
    return found


def asked_for(generation: Generation, key: str | None) -> tuple[tuple[Subscription, ...], tuple[Outcome, ...]]:
    """Return what a person asked for: subscriptions, and outcomes of images that are listed and not kept current.

    Raises `ConfigError` where it is neither.
    """
    refused = tuple(outcome for outcome in generation.runner.refused if is_asked_for(outcome.key, key))
    is_kept = any(is_asked_for(item.key, key) for item in generation.subscriptions)
    return (chosen(generation, key) if is_kept or not refused else ()), refused
