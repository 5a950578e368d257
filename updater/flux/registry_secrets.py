"""What the Secrets of an ImageRepository say: the credentials, certificates and proxy of its registry. Nothing is asked here.

Source: Flux's documentation of ImageRepository, `secretRef`, `certSecretRef` and `proxySecretRef`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from updater.credentials.docker_config import DockerConfig, parse_docker_config
from updater.flux.connection_secrets import NO_CERTIFICATES, ServerCertificates, certificates_in, proxy_in
from updater.http.exchange import Connection, HttpFailure
from updater.http.tls import private_context

if TYPE_CHECKING:
    from updater.flux.secret_reader import SecretContent
    from updater.registry.endpoints import RegistryEntry

PULL_SECRET: Final = "kubernetes.io/dockerconfigjson"  # noqa: S105 - a type
CERTIFICATE_TYPES: Final = frozenset({"", "Opaque", "kubernetes.io/tls"})
_PROXIES: Final = ("http", "https")


def read_pull_secret(secret: SecretContent) -> DockerConfig:
    """Read the entries of a Secret of type `PULL_SECRET`, or of the older ``.dockercfg``; raise `ConfigError`."""
    text = secret.text(".dockerconfigjson", ".dockercfg")
    if not text:
        raise secret.flawed("it has no key .dockerconfigjson", hint=_pull_hint(secret))
    config = parse_docker_config(text, place=f"the Secret {secret.place}")
    return replace(config, helpers={}, store="")  # a program that an object names is never run


def read_certificates(secret: SecretContent) -> ServerCertificates:
    """Read certificates from a Secret of one of `CERTIFICATE_TYPES`, and try them; raise `ConfigError`."""
    if secret.form not in CERTIFICATE_TYPES:
        hint = "certificates are in a Secret of type Opaque or kubernetes.io/tls"
        raise secret.flawed(f"its type is {secret.form}", hint=hint)
    found = certificates_in(secret)
    if found == NO_CERTIFICATES:
        raise secret.flawed("it has neither ca.crt nor tls.crt and tls.key")
    if found.ca:
        _try(secret, "ca.crt", Connection(authority=found.ca))
    if found.client:
        _try(secret, "tls.crt with tls.key", Connection(client_pem=found.client))
    return found


def read_proxy(secret: SecretContent) -> str:
    """Return the URL of an HTTP proxy; raise `ConfigError`."""
    return proxy_in(secret, schemes=_PROXIES)


def laid_over(
    entry: RegistryEntry, *, certificates: ServerCertificates = NO_CERTIFICATES, proxy: str = "", is_insecure: bool = False
) -> RegistryEntry:
    """Return *entry*, the settings of the registry, with an object's own way to it.

    Rate, URL and private hosts stay. Certificates that the object gives mean that they are verified. What the settings show as
    client certificate is shown by the way of the settings alone.
    """
    has_certificates = certificates != NO_CERTIFICATES
    if not has_certificates and not proxy and not is_insecure:
        return entry
    return replace(
        entry,
        ca=certificates.ca or entry.ca,
        client_certificate=None,
        client_pem=certificates.client or None,
        proxy=proxy or entry.proxy,
        insecure=entry.insecure and not has_certificates,
        is_plain=is_insecure,
    )


def _pull_hint(secret: SecretContent) -> str:
    keys = ", ".join(sorted(secret.data)) or "none"
    return f"registry credentials are in a Secret of type {PULL_SECRET}; its type is {secret.form or 'Opaque'}, its keys: {keys}"


def _try(secret: SecretContent, keys: str, connection: Connection) -> None:
    """Find out now whether TLS takes the texts: an error of the connection would not name the Secret."""
    try:
        private_context(connection)
    except HttpFailure as failure:
        raise secret.flawed(f"{keys} cannot be used: {failure.message}", hint=failure.hint) from None
