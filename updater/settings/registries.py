"""The settings of one entry of `registries`: where images below a prefix are asked for, and by which access."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from updater.errors import UpdaterError
from updater.registry.endpoints import RegistryEntry, RegistryTable
from updater.settings import fields
from updater.settings.node import Node


class RegistrySettings(Node):
    """Settings of the images below one prefix; the longest prefix wins."""

    prefix: fields.Text
    """The registry's host, or the host and the first segments of the path."""
    url: fields.RegistryUrl | None = None
    """The URL of the registry; the default is https:// and the host of the image."""
    insecure: bool = False
    """Permit plain HTTP, and do not verify certificates."""
    rate: fields.Rate | None = None
    """The maximum rate of requests, such as 50/s or 100/m; by default only the registry's own limits apply."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 16
    """The maximum number of simultaneous requests."""
    ca: fields.Text | None = None
    """A PEM file with certificate authorities to trust for the registry, in addition to those of the system."""
    client_certificate: fields.Text | None = None
    """A PEM file with a client certificate and its key for the registry."""
    credentials: fields.Credentials | None = None
    """A reference to the user name and password, or the token; never the secret itself."""
    default_namespace: fields.Text | None = None
    """The namespace that a mirror of Docker Hub requires before names of one segment, such as library; also found without it."""
    private_hosts: tuple[fields.Text, ...] = ()
    """Other private hosts that the registry may refer to, such as a token server: auth.corp, *.corp or 10.0.0.0/8."""

    @model_validator(mode="after")
    def _check_entry(self) -> Self:
        try:
            RegistryTable((self.entry(),))
        except UpdaterError as error:
            raise fields.flawed(fields.flaw_of(error)) from None
        return self

    def entry(self) -> RegistryEntry:
        """Return this entry in the form of the registry client."""
        return RegistryEntry(
            prefix=self.prefix,
            url=self.url,
            insecure=self.insecure,
            rate=self.rate,
            concurrency=self.concurrency,
            ca=self.ca,
            client_certificate=self.client_certificate,
            credentials=self.credentials,
            default_namespace=self.default_namespace,
            private_hosts=self.private_hosts,
        )
