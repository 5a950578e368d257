"""The settings of who may read the page and the API, and who may act there."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator

from updater.settings import fields
from updater.settings.node import Node

_HEADER: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")
#: headers that every client may set, or that mean something else
_NO_NAMES: Final = frozenset(
    {"authorization", "cookie", "host", "origin", "content-type", "x-forwarded-for", "x-forwarded-proto"}
)
_NETWORK_HINT: Final = "write the addresses of your proxies alone, such as 10.0.0.11 or 127.0.0.1"


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value) or value.lower() in _NO_NAMES:
        hint = "write the header that your proxy sets, such as X-Forwarded-User"
        raise fields.flawed(((), "header", f"{value!r} cannot be the header that names a person", hint))
    return value


def _network(value: str) -> str:
    try:
        found = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise fields.flawed(((), "network", f"{value!r} is not a network", _NETWORK_HINT)) from None
    if found.prefixlen == 0:
        raise fields.flawed(((), "network", f"{value!r} is everybody: whoever asks could be anyone", _NETWORK_HINT))
    return value


def _some(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise fields.flawed(((), "missing-key", "no proxy is named", _NETWORK_HINT))
    return value


def _url(value: str) -> str:
    try:
        found = urlsplit(value)
        is_fine = found.scheme in {"http", "https"} and bool(found.hostname) and found.port != 0
    except ValueError:
        is_fine, found = False, urlsplit("")
    if not is_fine or found.username or found.path not in {"", "/"} or found.query or found.fragment:
        hint = "write scheme, host and port alone, such as https://updater.example.org"
        raise fields.flawed(((), "url", f"{value!r} is not the address of a site", hint))
    return value.rstrip("/")


_Sources = Annotated[tuple[Annotated[fields.Text, AfterValidator(_network)], ...], AfterValidator(_some)]


class TrustedProxies(Node):
    """Proxies that say from which address somebody asks, in X-Forwarded-For, and who they are, in a header."""

    header: Annotated[fields.Text, AfterValidator(_header)] | None = "X-Forwarded-User"
    """The header with the name of the person. The proxy must remove it from what it receives.

    null for an Ingress or a proxy that signs nobody in: then only X-Forwarded-For is read.
    """
    __annotations__["from"] = _Sources  # the key is a word of Python, so that no name can stand here
    """The addresses and networks of the proxies. From any other address the headers are ignored."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The addresses and networks of the proxies."""
        return tuple(getattr(self, "from"))


class RoleSettings(Node):
    """Who may do what: names, or globs of names."""

    view: tuple[fields.Text, ...] = ("*",)
    """Who may read. The default is everybody who is signed in."""
    act: tuple[fields.Text, ...] = ()
    """Who may hold, release, reject, pin and scan, and see the diff of a change; they may read too. The default is nobody."""


SiteUrl = Annotated[fields.Text, AfterValidator(_url)]
