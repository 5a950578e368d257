"""Who runs a command, as Git would name the author of a commit: by the environment and the configuration of Git."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dulwich.config import StackedConfig
from dulwich.errors import NotGitRepository
from dulwich.repo import Repo

from updater.checkout.config import find_identities
from updater.git.object_builder import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping


def person(environment: Mapping[str, str]) -> Identity:
    """Return name and address, each "" where nobody said it; a configuration that cannot be read says nothing."""
    config: StackedConfig | None = None
    try:
        repository = Repo.discover()
        config = repository.get_config_stack()
        repository.close()
    except (NotGitRepository, OSError, ValueError):
        try:
            config = StackedConfig.default()
        except (OSError, ValueError):
            config = StackedConfig([])
    author, _ = find_identities(config, environment, Identity(name="", email=""))
    return author
