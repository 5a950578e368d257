"""How one image is chosen for without a subscription: what `updater check IMAGE` asks of a registry."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from updater.daemon.process import process_of
from updater.daemon.watching import Asking, watched
from updater.engine.scanner import Scanner
from updater.errors import ConfigError
from updater.model.scan_key import ScanKey
from updater.registry.client import RegistryClient
from updater.registry.transport import RegistryTransport
from updater.reporting.logs import configure
from updater.settings import Settings, find_files, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.model.image import ImageName
    from updater.model.selection import Selection
    from updater.policies.choose import SelectionRequest


async def choose_from_registry(
    image: ImageName, request: SelectionRequest, config: Sequence[str], asking: Asking | None = None
) -> Selection:
    """List the tags of *image* and choose by *request*; a configuration tells how registries are reached, if there is one.

    A policy that follows one tag has that tag resolved instead, as the daemon does: an image may have too many to list.
    Raises `RegistryError` kin and `ConfigError`. Nothing is remembered.
    """
    settings = _settings(config)
    configure(level="error", form="console")
    with tempfile.TemporaryDirectory(prefix="updater-check-") as folder:
        async with (
            process_of(settings, Path(folder)) as process,
            watched(process, asking or Asking(), lambda: f"asking {image.registry} for the tags of {image}"),
        ):
            limits = settings.registry_limits
            transport = RegistryTransport(process.http, process.keychain, limits=limits.limits())
            registry = RegistryClient(transport, settings.registry_entries, facts=process.cache, caps=limits.caps())
            listed, tag = ScanKey(image, None), request.policy.followed_tag
            scans = Scanner(registry, process.cache, followed={listed: frozenset({tag})} if tag else {})
            return await scans.choose_for(listed, request)


def _settings(config: Sequence[str]) -> Settings:
    """Read the configuration that is named, or the usual one; a person who only checks needs none."""
    try:
        return load_settings(find_files([Path(path) for path in config]), os.environ)
    except ConfigError as error:
        if error.code != "no-configuration":
            raise
        return Settings()
