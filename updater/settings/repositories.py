"""The settings of Git repositories: what their server is shown, and how it is reached."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from updater.settings import fields
from updater.settings.forges import CommitWay, ForgeSettings
from updater.settings.github_apps import GithubAppSettings  # noqa: TC001 - pydantic reads the annotation
from updater.settings.node import Node


class RepositorySettings(Node):
    """Settings of the Git repositories below one prefix; the longest prefix wins."""

    prefix: fields.GitPrefix
    """The start of the URL, up to a / or its end."""
    credentials: fields.Credentials | None = None
    """A reference to user name and password, a token or an SSH key; without it the netrc file or SSH agent of the user counts."""
    passphrase: fields.Credentials | None = None
    """A reference to the passphrase of the SSH key."""
    github_app: GithubAppSettings | None = None
    """A GitHub App, instead of credentials; for https."""
    ca: fields.Text | None = None
    """A PEM file with certificate authorities to trust for the server, in addition to those of the system."""
    client_certificate: fields.Text | None = None
    """A PEM file with a client certificate and its key for the server."""
    known_hosts: fields.Text | None = None
    """A known_hosts file with the host keys to trust."""
    proxy: fields.Proxy | None = None
    """The proxy to use, instead of the one in the environment."""
    insecure_skip_verify: bool = False
    """Do not verify certificates and host keys; for tests only."""
    push_options: tuple[fields.PushOption, ...] = ()
    """Options that the server is sent with each push, as of git push -o, such as ci.skip."""
    forge: ForgeSettings = ForgeSettings()
    """The forge of these repositories, which is asked for pull requests."""

    @model_validator(mode="after")
    def _show_one_credential(self) -> Self:
        if self.credentials is not None and self.github_app is not None:
            hint = "take one of them out"
            raise fields.flawed((("github_app",), "conflict", "credentials and github_app are both set", hint))
        if self.forge.commits is CommitWay.API and self.push_options:
            hint = "take push_options out, or write forge: {commits: git}"
            raise fields.flawed((("push_options",), "conflict", "push_options and forge.commits: api are both set", hint))
        return self
