"""What Secrets say of the way to a server of Git or a registry: certificates and a proxy, under the keys that Flux reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from updater.errors import ConfigError
from updater.http.tls import is_pem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from updater.flux.secret_reader import SecretContent

_SOCKS: Final = frozenset({"socks4", "socks4a", "socks5", "socks5h"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificates:
    """PEM texts: the authorities that are trusted, and a client certificate with its key; "" for none."""

    ca: str = ""
    client: str = field(default="", repr=False)


NO_CERTIFICATES: Final = ServerCertificates()


def certificates_in(secret: SecretContent) -> ServerCertificates:
    """Read ``ca.crt``, ``tls.crt`` and ``tls.key``, or the older ``caFile``, ``certFile``, ``keyFile``; raise `ConfigError`."""
    ca = secret.text("ca.crt", "caFile")
    certificate, key = secret.text("tls.crt", "certFile"), secret.text("tls.key", "keyFile")
    if bool(certificate) != bool(key):
        missing = "tls.key" if certificate else "tls.crt"
        raise secret.flawed(f"it has no key {missing}: a client certificate needs both")
    for name, text in (("ca.crt", ca), ("tls.crt", certificate), ("tls.key", key)):
        if text and not is_pem(text):
            raise secret.flawed(f"{name} is not PEM text", hint="write the PEM file as it is, from -----BEGIN to -----END")
    return ServerCertificates(ca=f"{ca}\n" if ca else "", client=f"{certificate}\n{key}\n" if certificate else "")


def proxy_in(secret: SecretContent, *, schemes: Sequence[str]) -> str:
    """Read ``address``, ``username`` and ``password``; return the URL of the proxy with both in it; raise `ConfigError`.

    The URL has one of *schemes*; ``proxy-unsupported`` is the code of a SOCKS proxy that is not among them.
    """
    address, username, password = secret.text("address").strip(), secret.text("username"), secret.text("password")
    if not address:
        raise secret.flawed("it has no key address: that is the URL of the proxy")
    *others, last = (f"{scheme}://host:port" for scheme in schemes)
    hint = f"write {', '.join(others)} or {last}"
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise secret.flawed("address is not a URL", hint=hint) from None
    if parts.scheme in _SOCKS and parts.scheme not in schemes:
        message = f"the Secret {secret.place}: {parts.scheme} proxies are not supported here"
        raise ConfigError(message, hint=hint, code="proxy-unsupported")
    if not is_usable:
        raise secret.flawed("address is not a URL of a proxy", hint=hint)
    if username or password:
        login = f"{quote(username, safe='')}:{quote(password, safe='')}"
        parts = parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}")
    return parts._replace(path="", query="", fragment="").geturl()
