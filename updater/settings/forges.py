"""The settings of forges."""

from __future__ import annotations

from updater.forge.address import ForgeKind  # noqa: TC001 - pydantic reads the annotation
from updater.settings import fields  # noqa: TC001 - as above
from updater.settings.node import Node


class ForgeSettings(Node):
    """The forge of these repositories, which is asked for pull requests."""

    kind: ForgeKind | None = None
    """github, gitlab, gitea (Forgejo is gitea), bitbucket (Cloud), bitbucket-server (Data Center) or azure.

    The default is known for the hosts of these services; any other host is asked once which forge it is.
    """
    api: fields.ForgeApi | None = None
    """The URL of the REST API; the default follows from the kind and the URL of the repository."""
    token: fields.Credentials | None = None
    """A reference to the token, user:token or Bearer token.

    The default is what the credentials of the repository hold, for http and https.
    """
