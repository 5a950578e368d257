"""Knows how to open everything for one pass and close it again: what `once`, `explain` and `history` share."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from updater.daemon.generation import Generation
from updater.daemon.process import process_for
from updater.errors import ConfigError
from updater.reporting.logs import configure
from updater.sources.file import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from updater.model.subscription import Subscription


@asynccontextmanager
async def opened(config: Sequence[str]) -> AsyncIterator[Generation]:
    """Load the configuration, open a process and a generation for it, and read every source; raises `UpdaterError`.

    Only errors are logged: a command says its results on standard output.
    """
    loaded = load([Path(path) for path in config], os.environ)
    configure(level="error", form="console" if sys.stderr.isatty() else loaded.settings.log.format)
    async with process_for(loaded) as process:
        generation = await Generation.start(loaded, process)
        generation.take_over()
        await generation.hearing.gather()
        yield generation


def chosen(generation: Generation, key: str | None) -> tuple[Subscription, ...]:
    """Give the subscriptions a person asked for; raises `ConfigError` with the nearest key for an unknown one."""
    subscriptions = generation.subscriptions
    if key is None:
        return subscriptions
    found = tuple(item for item in subscriptions if item.key == key)
    if not found:
        keys = [item.key for item in subscriptions]
        # the last part alone is what people remember of namespace/application/alias
        near = [known for known in keys if known.endswith(f"/{key}")] or get_close_matches(key, keys, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "updater explain lists the keys"
        raise ConfigError(f"there is no subscription {key!r}", hint=hint, code="unknown-key")
    return found
