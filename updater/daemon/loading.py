"""How the configuration of a process is loaded: read, and tried as far as that needs no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from updater.daemon.notifications import check_routes
from updater.errors import ConfigError, TemplateError
from updater.sources.file import load
from updater.writeback.message_trial import try_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from updater.sources.file import LoadedConfiguration


def load_tried(config: Iterable[str | Path], environ: Mapping[str, str]) -> LoadedConfiguration:
    """Load *config*, and render its templates once: a field that is not there would fail at the first commit or message.

    Raises `ConfigError`.
    """
    loaded = load([Path(path) for path in config], environ)
    message = loaded.settings.git.message
    try:
        if message is not None:
            try_message(message)
    except TemplateError as error:
        raise ConfigError(f"git.message: {error.message}", hint=error.hint, code=error.code) from error
    if loaded.settings.notifications:
        check_routes(loaded.settings.notifications)
    return loaded
