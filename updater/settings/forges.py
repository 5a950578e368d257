"""The settings of forges and of pull requests."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator

from updater.forge.address import ForgeKind  # noqa: TC001 - pydantic reads the annotation
from updater.settings import fields
from updater.settings.node import Node

_HINT: Final = "take it out: all changes of one branch are one pull request"


def _only_destination(value: str) -> str:
    if value != "destination":
        raise fields.flawed(((), fields.NOT_YET, f"a pull request for each {value} is not in this version", _HINT))
    return value


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


class ProposalSettings(Node):
    """Changes are proposed by a pull request instead of being pushed to the branch."""

    per: Annotated[Literal["destination", "subscription", "group"], AfterValidator(_only_destination)] = "destination"
    """What has a pull request of its own. Only destination is supported in this version: one for each branch that is read."""
    branch: Annotated[Any, fields.not_yet("names of branches of pull requests by template are")] = None
    """Not supported in this version: the branch is updater/ and the name of the branch that is read."""
    title: Annotated[Any, fields.not_yet("titles of pull requests by template are")] = None
    """Not supported in this version: the title is the subject of the commit."""
    labels: Annotated[Any, fields.not_yet("labels of pull requests are")] = None
    """Not supported in this version."""
    reviewers: Annotated[Any, fields.not_yet("reviewers of pull requests are")] = None
    """Not supported in this version: use a CODEOWNERS file or the rules of the branch."""
    assignees: Annotated[Any, fields.not_yet("assignees of pull requests are")] = None
    """Not supported in this version."""
    draft: Annotated[Any, fields.not_yet("drafts of pull requests are")] = None
    """Not supported in this version."""
    auto_merge: Annotated[Any, fields.not_yet("merging of pull requests is")] = None
    """Not supported in this version: people merge, or a rule of the forge does."""
    limit: Annotated[Any, fields.not_yet("limits on open pull requests are")] = None
    """Not supported in this version: there is at most one for each branch that is read."""
