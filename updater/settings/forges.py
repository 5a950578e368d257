"""The settings of forges."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import model_validator

from updater.forge.address import ForgeKind
from updater.settings import fields
from updater.settings.github_apps import GithubAppSettings  # noqa: TC001 - pydantic reads the annotation
from updater.settings.node import Node


class CommitWay(StrEnum):
    """How commits get to a repository."""

    GIT = "git"
    API = "api"


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
    github_app: GithubAppSettings | None = None
    """A GitHub App, instead of a token, where Git itself uses something else, such as an SSH key."""

    accounts: tuple[fields.Account, ...] = ()
    """Names of other accounts whose pull requests with updater's marker are updater's too, such as one that it had before.

    By default only those count that the account of the token opened, where the forge tells whose token it is.
    """

    commits: CommitWay = CommitWay.GIT
    """git pushes commits of the author; api lets GitHub make and sign those of a GitHub App, which it shows as Verified."""

    @property
    def said_kind(self) -> ForgeKind | None:
        """The kind that is written, GitHub where only that has what is; None where the URL or the host tells."""
        is_github = self.github_app is not None or self.commits is CommitWay.API
        return self.kind or (ForgeKind.GITHUB if is_github else None)

    @model_validator(mode="after")
    def _commit_where_it_can(self) -> Self:
        if self.commits is CommitWay.API and self.kind not in {None, ForgeKind.GITHUB}:
            hint = "take commits out; only GitHub signs what its API commits"
            raise fields.flawed((("commits",), "conflict", f"commits: api is not known of {self.kind}", hint))
        return self

    @model_validator(mode="after")
    def _show_one_credential(self) -> Self:
        if self.github_app is None:
            return self
        if self.token is not None:
            raise fields.flawed((("github_app",), "conflict", "token and github_app are both set", "take one of them out"))
        if self.kind not in {None, ForgeKind.GITHUB}:
            hint = "take github_app out, and write a token"
            raise fields.flawed((("github_app",), "conflict", f"a GitHub App cannot be shown to {self.kind}", hint))
        return self
