"""The settings of Git repositories: what their server is shown, and how it is reached."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from updater.settings import fields
from updater.settings.forges import ForgeSettings
from updater.settings.node import Node


class GithubAppSettings(Node):
    """A GitHub App, whose installation token is used as the credential and renewed before it expires."""

    id: Annotated[int, Field(ge=1)]
    """The number of the App."""
    installation: Annotated[int, Field(ge=1)] | None = None
    """The number of its installation."""
    owner: fields.Account | None = None
    """The organisation or user whose installation it is, instead of its number."""
    key: fields.Credentials
    """A reference to the private key of the App, as GitHub made it."""
    api: fields.ForgeApi | None = None
    """The URL of the REST API, for GitHub Enterprise https://host/api/v3."""

    @model_validator(mode="after")
    def _name_one_installation(self) -> Self:
        if (self.installation is None) == (self.owner is None):
            hint = "write the number of the installation, or the owner whose installation it is"
            raise fields.flawed(((), "github-app", "one of installation and owner names the installation of a GitHub App", hint))
        return self


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
        return self
