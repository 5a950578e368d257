"""The settings of forges."""

from __future__ import annotations

from updater.forge.address import ForgeKind  # noqa: TC001 - pydantic reads the annotation
from updater.settings import fields  # noqa: TC001 - as above
from updater.settings.node import Node


class ForgeSettings(Node):
    """The forge of these repositories, which is asked for pull requests."""

    kind: ForgeKind | None = None
    """github or gitea (Forgejo is gitea); the default is known for github.com, gitea.com and codeberg.org."""
    api: fields.ForgeApi | None = None
    """The URL of the REST API; the default is https://api.github.com, https://host/api/v3 or https://host/api/v1."""
    token: fields.Credentials | None = None
    """A reference to the token; the default is the password or token of the credentials of the repository, for http and https."""
