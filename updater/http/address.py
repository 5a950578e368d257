"""Knows which addresses may be followed, and how one is shown without its secrets.

A redirect or token realm is chosen by the other side. An address literal of a private network there is a
request forged from inside ours, unless the registry itself lives at that host.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urljoin, urlsplit, urlunsplit

from updater.http.exchange import HttpFailure, Trouble
from updater.http.telling import told

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LONGEST_SHOWN: Final = 2048
_HARMLESS_QUERY: Final = frozenset({"n", "last", "service", "scope", "client_id", "artifactType"})


def origin_of(url: str) -> tuple[str, str, int]:
    """Give scheme, host and port: what two URLs must share to be one server to a browser."""
    end = url.find("/", url.find("://") + 3)
    return _origin(url if end < 0 else url[:end])


@lru_cache(maxsize=1024)
def _origin(beginning: str) -> tuple[str, str, int]:
    """Taken apart once for each server, not for each request."""
    parts = split(beginning)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS[parts.scheme]


def shown(url: str) -> str:
    """Give *url* for people: no user, no password, and no query that could hold a signature."""
    try:
        parts = urlsplit(url)
        names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    except ValueError:
        return "an unreadable URL"
    host = parts.netloc.rpartition("@")[2]
    query = parts.query if names <= _HARMLESS_QUERY else "…"
    return told(urlunsplit((parts.scheme, host, parts.path, query, "")), most=_LONGEST_SHOWN)


def split(url: str) -> SplitResult:
    """Take *url* apart; raises `HttpFailure` unless it is http or https with a host and a real port."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise HttpFailure(f"{shown(url)} is no http or https URL", trouble=Trouble.PROTOCOL, hint="check the URL of the server")
    return parts


def resolve(base: str, reference: str, *, home: str, allow_plain: bool = False) -> str:
    """Give the absolute URL that *reference* names at *base*; raises `HttpFailure` where it may not be asked.

    *home* is the URL of the server that the user configured: its own host is always fine.
    """
    try:
        target = urljoin(base, reference)
    except ValueError:
        raise _refused(base, reference, "it is no URL") from None
    parts = split(target)
    if parts.username is not None or parts.password is not None:
        raise _refused(base, target, "it holds a user name")
    if split(base).scheme == "https" and parts.scheme == "http" and not allow_plain:
        raise _refused(base, target, "it leaves TLS")
    host = (parts.hostname or "").lower()
    if is_private(host) and host != origin_of(home)[1]:
        raise _refused(base, target, "it is an address of a private network")
    return urlunsplit(parts._replace(fragment=""))


def is_private(host: str) -> bool:
    """Say whether *host* spells an address that is not of the public internet, in any spelling of it."""
    name = host.strip("[]").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    if address is None:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    return not address.is_global


def is_spared(host: str, networks: str) -> bool:
    """Say whether *host* is an address in one of *networks*, as NO_PROXY lists them: ``10.0.0.0/8,fd00::/8,.svc``.

    Clusters name their Services so; the standard library reads only names.
    """
    address = _address(host.strip("[]"))
    if address is None:
        return False
    for entry in networks.split(","):
        try:
            if address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:
            continue  # a name, which the standard library reads
    return False


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        pass
    try:  # the resolver reads 127.1, 0x7f.1 and 2130706433 as addresses too
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except (OSError, ValueError):
        return None


def _refused(base: str, target: str, reason: str) -> HttpFailure:
    return HttpFailure(
        f"{shown(base)} sent us to {shown(target)}, which we refuse: {reason}",
        trouble=Trouble.REDIRECT,
        hint="set the url of this registry to where it really is, if you trust that place",
    )
