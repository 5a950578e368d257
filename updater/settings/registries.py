"""The settings of one entry of `registries`: where images below a prefix are asked for, and by which access."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from updater.errors import UpdaterError
from updater.registry.endpoints import RegistryEntry, RegistryTable
from updater.settings import fields
from updater.settings.node import Node


class RegistrySettings(Node):
    """What holds for the images below one prefix; the longest prefix wins."""

    prefix: fields.Text
    """The registry's host, or the host and the first parts of the path."""
    url: fields.RegistryUrl | None = None
    """Where the registry is asked; without it https:// and the host of the image."""
    insecure: bool = False
    """Plain HTTP is fine, and certificates are not verified."""
    rate: fields.Rate | None = None
    """The most requests in a time, such as 50/s or 100/m; without it only the registry's own limits hold."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 16
    """The most requests at one time."""
    ca: fields.Text | None = None
    """A PEM file with the certificate authorities that may vouch for the registry, besides those of the system."""
    client_certificate: fields.Text | None = None
    """A PEM file with a certificate and its key, shown to the registry."""
    credentials: fields.Credentials | None = None
    """Where the user name and password, or the token, are found; never the secret itself."""
    default_namespace: fields.Text | None = None
    """What a mirror of Docker Hub wants before names of one part below the prefix, such as library; tried without it too."""
    private_hosts: tuple[fields.Text, ...] = ()
    """Other private hosts that the registry may name, such as a token server: auth.corp, *.corp or 10.0.0.0/8."""

    @model_validator(mode="after")
    def _check_entry(self) -> Self:
        try:
            RegistryTable((self.entry(),))
        except UpdaterError as error:
            raise fields.flawed(fields.flaw_of(error)) from None
        return self

    def entry(self) -> RegistryEntry:
        """Return this entry as the registry room takes it."""
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
