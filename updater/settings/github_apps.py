"""The settings of a GitHub App: which installation gives tokens, and by which key."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from updater.settings import fields
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
