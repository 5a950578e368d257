"""What the Secrets of an ImageRepository say: the credentials, certificates and proxy of its registry. Nothing is asked here.

Source: Flux's documentation of ImageRepository, `secretRef`, `certSecretRef` and `proxySecretRef`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from updater.credentials.docker_config import DockerConfig, parse_docker_config
from updater.errors import ConfigError
from updater.http.exchange import Connection, HttpFailure
from updater.http.tls import is_pem, private_context

if TYPE_CHECKING:
    from updater.flux.secret_reader import SecretContent
    from updater.registry.endpoints import RegistryEntry

PULL_SECRET: Final = "kubernetes.io/dockerconfigjson"  # noqa: S105 - a type
CERTIFICATE_TYPES: Final = frozenset({"", "Opaque", "kubernetes.io/tls"})
_HTTP: Final = frozenset({"http", "https"})
_SOCKS: Final = frozenset({"socks4", "socks4a", "socks5", "socks5h"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificates:
    """PEM texts: the authorities that are trusted besides the system's, and a client certificate with its key."""

    ca: str = ""
    client: str = field(default="", repr=False)


NO_CERTIFICATES: Final = ServerCertificates()


def read_pull_secret(secret: SecretContent) -> DockerConfig:
    """Read the entries of a Secret of type `PULL_SECRET`, or of the older ``.dockercfg``; raise `ConfigError`."""
    text = secret.text(".dockerconfigjson", ".dockercfg")
    if not text:
        raise secret.flawed("it has no key .dockerconfigjson", hint=_pull_hint(secret))
    config = parse_docker_config(text, place=f"the Secret {secret.place}")
    return replace(config, helpers={}, store="")  # a program that an object names is never run


def read_certificates(secret: SecretContent) -> ServerCertificates:
    """Read ``ca.crt``, ``tls.crt`` and ``tls.key``, or the older ``caFile``, ``certFile``, ``keyFile``; raise `ConfigError`."""
    if secret.form not in CERTIFICATE_TYPES:
        hint = "certificates are in a Secret of type Opaque or kubernetes.io/tls"
        raise secret.flawed(f"its type is {secret.form}", hint=hint)
    ca = secret.text("ca.crt", "caFile")
    certificate, key = secret.text("tls.crt", "certFile"), secret.text("tls.key", "keyFile")
    if bool(certificate) != bool(key):
        missing = "tls.key" if certificate else "tls.crt"
        raise secret.flawed(f"it has no key {missing}: a client certificate needs both")
    if not ca and not certificate:
        raise secret.flawed("it has neither ca.crt nor tls.crt and tls.key")
    for name, text in (("ca.crt", ca), ("tls.crt", certificate), ("tls.key", key)):
        if text and not is_pem(text):
            raise secret.flawed(f"{name} is not PEM text", hint="write the PEM file as it is, from -----BEGIN to -----END")
    found = ServerCertificates(ca=ca, client=f"{certificate}\n{key}\n" if certificate else "")
    if found.ca:
        _try(secret, "ca.crt", Connection(authority=found.ca))
    if found.client:
        _try(secret, "tls.crt with tls.key", Connection(client_pem=found.client))
    return found


def read_proxy(secret: SecretContent) -> str:
    """Read ``address``, ``username`` and ``password``; return the URL of the proxy with both in it; raise `ConfigError`."""
    address, username, password = (secret.text(key).strip() for key in ("address", "username", "password"))
    if not address:
        raise secret.flawed("it has no key address: that is the URL of the proxy")
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme in _HTTP and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise secret.flawed("address is not a URL", hint=_PROXY_HINT) from None
    if parts.scheme in _SOCKS:
        message = f"the Secret {secret.place}: its address is a {parts.scheme} proxy, and only HTTP proxies are used"
        raise ConfigError(message, hint=_PROXY_HINT, code="proxy-unsupported")
    if not is_usable:
        raise secret.flawed("address is not a URL of a proxy", hint=_PROXY_HINT)
    if username or password:
        login = f"{quote(username, safe='')}:{quote(password, safe='')}"
        parts = parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}")
    return parts._replace(path="", query="", fragment="").geturl()


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


_PROXY_HINT: Final = "write http://host:port or https://host:port"


def _pull_hint(secret: SecretContent) -> str:
    keys = ", ".join(sorted(secret.data)) or "none"
    return f"registry credentials are in a Secret of type {PULL_SECRET}; its type is {secret.form or 'Opaque'}, its keys: {keys}"


def _try(secret: SecretContent, keys: str, connection: Connection) -> None:
    """Find out now whether TLS takes the texts: an error of the connection would not name the Secret."""
    try:
        private_context(connection)
    except HttpFailure as failure:
        raise secret.flawed(f"{keys} cannot be used: {failure.message}", hint=failure.hint) from None
